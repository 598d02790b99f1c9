import SecureSockets

/// The client as a user writes it.
enum SecureSocketsClient {
    /// - Parameter isConfigured: Otherwise `connect` is given no configuration.
    static func run(_ settings: ClientSettings, isConfigured: Bool) async throws {
        var parameters = TLSParameters()
        if settings.mode != .usual { parameters.groups = [.x25519] }
        if settings.mode == .full { parameters.sessionLifetime = .zero }
        let tls =
            isConfigured ? try TLSClientConfiguration(trust: .only(.file(settings.certificate)), parameters: parameters) : nil
        try await settings.connectAll {
            let socket = try await SecureSocket.connect(to: "127.0.0.1", port: settings.port, tls: tls)
            try await socket.send([BenchmarkProtocol.echo, 1])
            guard try await socket.receive()?.readableBytes == 1 else { throw BenchmarkError("the server does not echo") }
            if settings.mode == .idle { return socket }
            try await socket.closeWriting()
            _ = try await socket.receive()
            socket.close()
            return socket
        } close: { socket in
            socket.close()
        }
    }
}
