import NIOCore
import SecureSockets
import TestSupport
import Testing

/// A second handshake on an open connection, which TLS 1.2 has and this library refuses.
@Suite(.timeLimit(.minutes(5)), .enabled(if: Program.openssl != nil, "OpenSSL 3 is not installed"))
struct `Renegotiation` {
    @Test func `asked for by a server is refused by name`() async throws {
        let server = try await OpenSSLPeer.server("-tls1_2")
        let socket = try await SecureSocket.connect(
            to: "127.0.0.1", port: server.port, tls: TestCertificates.shared.get().clientConfiguration(),
            timeout: Encounter.patience)
        try await server.program.send("r\n")
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await socket.receive(timeout: Encounter.patience)
        }
        #expect(error.code == .protocolError)
        #expect(error.blame == .peer)
        #expect(error.step == .receiving)
        #expect(error.libraryReason == "NO_RENEGOTIATION")
        #expect(
            error.description
                == "127.0.0.1:\(server.port): it asked to renegotiate, which is refused here. "
                + "If the server does this to ask for a client certificate, have it ask in the first handshake")
        socket.close()
        try await socket.waitUntilClosed()
    }

    @Test func `begun by a client is refused by name`() async throws {
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TestCertificates.shared.get().serverConfiguration(), socketOptions: .patient,
            options: .patient)
        async let accepted = listener.accept(timeout: Encounter.patience)
        let client = try await OpenSSLPeer.client(to: listener.localEndpoint.port, "-tls1_2")
        let socket = try await accepted
        try await client.program.send("R\n")
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await socket.receive(timeout: Encounter.patience)
        }
        #expect(error.code == .protocolError)
        #expect(error.libraryReason == "NO_RENEGOTIATION")
        #expect(
            error.message.hasSuffix(": it asked to renegotiate, which is refused here"))
        #expect(error.advice == "Turn off renegotiation in the client; TLS 1.3 does not have it")
        socket.close()
        try await socket.waitUntilClosed()
        listener.close()
    }
}
