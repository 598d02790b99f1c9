import ClassicSSL

/// What became of a handshake at both ends: nil if it was completed and a byte has come through.
struct Meeting: Sendable {
    let server: SSL.Reason?
    let client: SSL.Reason?

    init(listen: [SSL.Option] = [], connect: [SSL.Option] = []) async throws {
        let outcomes = try await SSL.withProcess { _ in
            let listener = try await Pair.listener([.active(false)] + listen)
            async let server = reason {
                let socket = try await SSL.accept(listener, patience)
                try await SSL.send(socket, "!")
            }
            // With TLS 1.3 a client may be through before the server refuses it; its first `recv` tells (§6.3).
            let client = await reason {
                let socket = try await SSL.connect(
                    "127.0.0.1", try SSL.port(listener), [.active(false)] + connect, patience)
                _ = try await SSL.recv(socket, 0, patience)
            }
            return (await server, client)
        }
        (self.server, self.client) = outcomes
    }
}
