import ClassicSSL

/// Both ends of a connection over loopback, and the listener it came by. All belong to the process of the caller.
struct Pair: Sendable {
    let listener: SSL.Socket
    let accepted: SSL.Socket
    let connected: SSL.Socket

    /// Connects; the listener has a certificate, and nothing is verified unless the options say so.
    init(listen: [SSL.Option] = [], connect: [SSL.Option] = []) async throws {
        let listener = try await Self.listener(listen)
        self.listener = listener
        async let accepted = SSL.accept(listener, patience)
        self.connected = try await SSL.connect("127.0.0.1", try SSL.port(listener), connect, patience)
        self.accepted = try await accepted
    }

    /// The same options at both ends.
    init(both options: [SSL.Option]) async throws {
        try await self.init(listen: options, connect: options)
    }

    static func listener(_ options: [SSL.Option] = []) async throws -> SSL.Socket {
        let hasCertificate = options.contains { if case .certfile = $0 { true } else { false } }
        let files = try CertificateFiles.shared
        return try await SSL.listen(0, options + [.ip("127.0.0.1")] + (hasCertificate ? [] : files.server))
    }

    /// Each end, and its peer.
    func ends(acceptedFirst: Bool) -> (near: SSL.Socket, far: SSL.Socket) {
        acceptedFirst ? (self.accepted, self.connected) : (self.connected, self.accepted)
    }
}
