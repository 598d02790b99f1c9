import NIOCore
import SecureSockets
import TestSupport
import Testing

/// The errors of a server whose client is silent, leaves, or does not speak TLS.
@Suite(.timeLimit(.minutes(5))) struct `Bad clients` {
    private let certificates: TestCertificates

    init() throws { self.certificates = try TestCertificates.shared.get() }

    @Test(arguments: ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST /form HTTP/1.1\r\n\r\n"])
    func `a client that speaks plain HTTP`(_ request: String) async throws {
        let error = try await self.handshakeFailure { client in
            try client.send(request)
            try client.receiveUntilEnd()
        }
        #expect(error.code == .protocolError)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(error.libraryReason == "HTTP_REQUEST")
        #expect(error.message.contains(": it does not speak TLS on this port: it sent a plain HTTP request, \""))
        #expect(error.message.hasSuffix(" HTTP/1.1\""))
        #expect(error.advice == "Use https:// there")
    }

    @Test(arguments: ["EHLO mail.example\r\n", "SSH-2.0-OpenSSH_9.2\r\n", String(repeating: "\0", count: 64)])
    func `a client that sends garbage`(_ garbage: String) async throws {
        let error = try await self.handshakeFailure { client in
            try client.send(garbage)
            try client.receiveUntilEnd()
        }
        #expect(error.code == .protocolError)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(error.message.contains(": it does not speak TLS on this port: it sent "))
    }

    @Test func `a client that stays silent`() async throws {
        let error = try await self.handshakeFailure(within: .milliseconds(200)) { try $0.receiveUntilEnd() }
        #expect(error.code == .timedOut)
        #expect(error.step == .handshake)
        #expect(error.message.hasSuffix(" did not complete the handshake within 0.2 seconds"))
    }

    @Test func `a client that keeps sending is not given more time`() async throws {
        let error = try await self.handshakeFailure(within: .milliseconds(200)) { client in
            // The first bytes of a handshake message of 64 KiB, in records of one byte each: TLS, and no end in sight.
            try client.send([22, 3, 1, 0, 1, 1] + [22, 3, 1, 0, 1, 0])
            try client.receiveUntilEnd()
        }
        #expect(error.code == .timedOut)
        #expect(error.step == .handshake)
    }

    @Test func `a client that hangs up before it has said anything`() async throws {
        let error = try await self.handshakeFailure { $0.close() }
        #expect(error.code == .endedBeforeHandshake)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(error.message.hasSuffix(" connected and left without sending anything"))
        #expect(error.advice == "Health checks and port scans do this")
    }

    @Test func `a client that hangs up in the middle of its hello`() async throws {
        let error = try await self.handshakeFailure { client in try client.send([22, 3, 1, 2, 0, 1, 0]) }
        #expect(error.code == .endedInHandshake)
    }

    @Test func `a client that resets the connection in mid-handshake`() async throws {
        let error = try await self.handshakeFailure { client in
            try client.send([22, 3, 1, 2, 0, 1, 0])
            client.reset()
        }
        #expect(error.code == .connectionReset)
        #expect(error.step == .handshake)
    }

    /// With TLS 1.3, OpenSSL's clients do so when they refuse a certificate: they have no keys to write with before they answer.
    @Test(arguments: [(48, "unknown_ca"), (42, "bad_certificate"), (45, "certificate_expired")])
    func `a client that refuses the server in the clear`(_ alert: (code: UInt8, name: String)) async throws {
        let tls = try self.certificates.clientConfiguration(parameters: .init(.tls13))
        let error = try await self.handshakeFailure { client in
            try RawTLSPeer.greet(client, with: tls)
            try client.send([21, 3, 3, 0, 2, 2, alert.code])
            try client.receiveUntilEnd()
        }
        #expect(error.code == .alertReceived)
        #expect(error.alert?.description == alert.name)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(error.message.contains(" refused the connection: "))
    }

    @Test func `a client that sends close_notify during the handshake and stays connected`() async throws {
        let tls = try self.certificates.clientConfiguration(parameters: .init(.tls12))
        let error = try await self.handshakeFailure { client in
            try RawTLSPeer.greet(client, with: tls)
            // The alert close_notify, a warning.
            try client.send([21, 3, 3, 0, 2, 1, 0])
            try client.receiveUntilEnd()
        }
        #expect(error.code == .endedInHandshake)
        #expect(error.blame == .peer)
    }

    @Test func `a client that sends garbage in mid-handshake`() async throws {
        let tls = try self.certificates.clientConfiguration(parameters: .init(.tls13))
        let error = try await self.handshakeFailure { client in
            try RawTLSPeer.greet(client, with: tls)
            try client.send([23, 3, 3, 0, 32] + [UInt8](repeating: 0, count: 32))
            try client.receiveUntilEnd()
        }
        #expect(error.code == .protocolError)
        #expect(error.alert == nil)
        #expect(error.step == .handshake)
    }

    @Test func `a client that vanishes in mid-record`() async throws {
        let tls = try self.certificates.clientConfiguration()
        let listener = try await self.certificates.listen()
        let port = listener.localEndpoint.port
        async let accepted = listener.accept(timeout: Encounter.patience)
        async let played: Void = onThread {
            let client = try RawSocket.connect(to: port)
            let peer = try RawTLSPeer(client: tls, on: client)
            try client.send(peer.record("whole"))
            try client.send(peer.record("never complete").dropLast())
            client.close()
        }
        let socket = try await accepted
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "whole"))
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await socket.receive(timeout: Encounter.patience)
        }
        #expect(error.code == .truncated)
        #expect(error.step == .receiving)
        try await played
        try await socket.closeAndWait()
        listener.close()
        await listener.waitUntilClosed()
    }

    @Test func `bad clients do not keep good ones waiting`() async throws {
        let listener = try await self.certificates.listen()
        let port = listener.localEndpoint.port
        async let serving: Void = listener.serve { socket in
            for try await message in socket.incoming { try await socket.send(message) }
        }
        let silent = try RawSocket.connect(to: port)
        let rude = try RawSocket.connect(to: port)
        try rude.send("GET / HTTP/1.1\r\n\r\n")
        let gone = try RawSocket.connect(to: port)
        gone.reset()

        let socket = try await self.certificates.connect(to: port)
        try await socket.send("hello")
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
        try await socket.closeAndWait()
        silent.close()
        rude.close()
        listener.close()
        try await serving
    }

    /// Returns the error that a server reports for a client that does this.
    private func handshakeFailure(
        within timeout: Duration = Encounter.patience, _ client: @escaping @Sendable (RawSocket) throws -> Void
    ) async throws -> SecureSocketError {
        var listening = ListenerOptions()
        listening.handshakeTimeout = timeout
        let listener = try await self.certificates.listen(listening)
        let port = listener.localEndpoint.port
        let (failures, continuation) = AsyncStream.makeStream(of: (SecureSocketError, SocketEndpoint?).self)
        async let serving: Void = listener.serve(handshakeFailed: { continuation.yield(($0, $1)) }) { _ in
            Issue.record("a client was served that should not have been")
        }
        try await onThread { try client(RawSocket.connect(to: port)) }
        var reports = failures.makeAsyncIterator()
        let (error, endpoint) = try #require(await reports.next())
        // One that is gone before it was accepted has no address any more.
        #expect(endpoint == nil || endpoint?.host == "127.0.0.1")
        listener.close()
        try await serving
        return error
    }
}
