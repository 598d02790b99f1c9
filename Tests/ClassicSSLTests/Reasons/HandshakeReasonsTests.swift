import SecureSockets
import TestSupport
import Testing

@testable import ClassicSSL

@Suite("§6.3 Reasons: handshake and protocol", .countsRules, .timeLimit(.minutes(5)))
struct HandshakeReasonsTests {
    @Test func `6_3: esslaccept, the client hangs up in mid-handshake`() async throws {
        #expect(try await self.acceptReason { _ in } == .esslaccept)
    }

    @Test func `6_3: econnreset, the client resets the connection in mid-handshake`() async throws {
        #expect(try await self.acceptReason { $0.reset() } == .econnreset)
    }

    @Test func `6_3: esslerrssl, a client that does not speak TLS`() async throws {
        let reason = try await self.acceptReason { client in
            try client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try client.receiveUntilEnd()
        }
        #expect(reason == .esslerrssl)
    }

    @Test func `6_3: esslconnect, the server hangs up in mid-handshake`() async throws {
        let reason = try await self.connectReason { _ = try $0.receiveRecord() }
        #expect(reason == .esslconnect)
    }

    @Test func `6_3: econnreset, the server resets the connection in mid-handshake`() async throws {
        let reason = try await self.connectReason { server in
            _ = try server.receiveRecord()
            server.reset()
        }
        #expect(reason == .econnreset)
    }

    @Test func `6_3: esslerrssl, a server that speaks plain HTTP`() async throws {
        let reason = try await self.connectReason { server in
            try server.send("HTTP/1.1 400 Bad Request\r\n\r\n")
            try server.receiveUntilEnd()
        }
        #expect(reason == .esslerrssl)
    }

    @Test func `6_3: esslerrssl, no cipher in common`() async throws {
        var parameters = TLSParameters()
        parameters.versions = .tls12 ... .tls12
        let tls = try TestCertificates.shared.get().serverConfiguration(parameters: parameters)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: .patient)
        async let accepted = Self.code { _ = try await listener.accept(timeout: Encounter.patience) }
        // The server's key is of another kind.
        await #expect(throws: SSL.Reason.esslerrssl) {
            try await SSL.connect(
                "127.0.0.1", listener.localEndpoint.port, [.ciphers("ECDHE-RSA-AES128-GCM-SHA256")], patience)
        }
        #expect(await accepted == "esslerrssl")
    }

    @Test func `6_3 and 10-10: esslerrssl, verify 2 and no client certificate`() async throws {
        let meeting = try await Meeting(listen: [.verify(2), .cacertfile(CertificateFiles.shared.ca)])
        #expect(meeting.server == .esslerrssl)
        #expect(meeting.client == .esslerrssl)
    }

    @Test func `6_3 the rejected side: with TLS 1_3 the first recv or message tells, once`() async throws {
        let files = try CertificateFiles.shared
        for isActive in [true, false] {
            try await SSL.withProcess { _ in
                let listener = try await Pair.listener([.verify(2), .cacertfile(files.ca)])
                async let server = reason { _ = try await SSL.accept(listener, patience) }
                let socket = try await SSL.connect("127.0.0.1", try SSL.port(listener), [.active(isActive)], patience)
                if isActive {
                    #expect(try await Note.next(of: socket) == .error(.esslerrssl))
                    #expect(try await Note.next(of: socket) == .closed)
                } else {
                    await #expect(throws: SSL.Reason.esslerrssl) { try await SSL.recv(socket, 0, patience) }
                    await #expect(throws: SSL.Reason.closed) { try await SSL.recv(socket, 0, patience) }
                }
                #expect(await server == .esslerrssl)
            }
        }
    }

    /// Why `accept` failed with a client that plays this part.
    private func acceptReason(_ play: @escaping @Sendable (RawSocket) throws -> Void) async throws -> SSL.Reason? {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            let port = try SSL.port(listener)
            async let outcome = reason { _ = try await SSL.accept(listener, patience) }
            try await onThread {
                let client = try RawSocket.connect(to: port)
                defer { client.close() }
                try play(client)
            }
            return await outcome
        }
    }

    /// Why `connect` failed with a server that plays this part.
    private func connectReason(_ play: @escaping @Sendable (RawSocket) throws -> Void) async throws -> SSL.Reason? {
        let listener = try RawListener()
        async let played: Void = listener.play(play)
        let outcome = await reason { _ = try await SSL.connect("127.0.0.1", listener.port, [], patience) }
        try await played
        return outcome
    }

    private static func code(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? SecureSocketError).map { SSL.Reason($0, call: .connect).atom }
        }
    }
}
