import NIOCore
import SecureSockets

/// The server as a user writes it: `serve` with an async handler and default options, but for a backlog like its peers'.
enum SecureSocketsServer {
    /// How several processes come to listen on one port; nil: they cannot.
    static let sharePort: (@Sendable (inout ListenerOptions) -> Void)? = { $0.reusePort = true }

    static func run(_ settings: ServerSettings, ready: (Int) -> Void) async throws {
        let identity = try TLSIdentity(certificateChain: .file(settings.certificate), privateKey: .file(settings.key))
        var options = ListenerOptions()
        options.backlog = 4096
        options.ticketKeys = try settings.tickets.keys
        if settings.sharesPort { Self.sharePort?(&options) }
        var port = settings.port
        var listeners: [SecureListener] = []
        for _ in 0..<settings.listeners {
            let listener = try await SecureListener.bind(
                host: settings.host, port: port, tls: TLSServerConfiguration(identity: identity), options: options,
                on: SocketEventLoopGroup(numberOfLoops: settings.loops))
            port = listener.localEndpoint.port
            listeners.append(listener)
        }
        ready(port)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for listener in listeners {
                group.addTask { try await listener.serve { socket in try await Self.handle(socket) } }
            }
            try await group.waitForAll()
        }
    }

    private static func handle(_ socket: SecureSocket) async throws {
        guard var first = try await socket.receive(), let mode = first.readInteger(as: UInt8.self) else { return }
        switch mode {
        case BenchmarkProtocol.echo:
            if first.readableBytes > 0 { try await socket.send(first) }
            for try await message in socket.incoming { try await socket.send(message) }
        case BenchmarkProtocol.sink:
            var left = try await Self.count(&first, socket) - first.readableBytes
            while left > 0, let bytes = try await socket.receive() { left -= bytes.readableBytes }
            try await socket.send([BenchmarkProtocol.acknowledgement])
            _ = try await socket.receive()
        case BenchmarkProtocol.source:
            var left = try await Self.count(&first, socket)
            let payload = BenchmarkProtocol.payload
            while left > 0 {
                let size = min(left, payload.readableBytes)
                try await socket.send(payload.getSlice(at: payload.readerIndex, length: size) ?? payload)
                left -= size
            }
        default: return
        }
    }

    private static func count(_ bytes: inout ByteBuffer, _ socket: SecureSocket) async throws -> Int {
        while bytes.readableBytes < 8, var more = try await socket.receive() { bytes.writeBuffer(&more) }
        return bytes.readInteger(as: UInt64.self).map(Int.init) ?? 0
    }
}
