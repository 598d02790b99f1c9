import ClassicSSL
import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

@Suite("§3 cachetimeout, §8 Resumption", .countsRules, .timeLimit(.minutes(5)))
struct CacheTimeoutTests {
    private typealias Resumption = ConnectionInformation.Resumption

    /// Connects once and says at both ends whether a session was resumed.
    private static func meet(
        _ listener: SSL.Socket, _ options: [SSL.Option], _ port: Int? = nil
    ) async throws -> (server: Resumption?, client: Resumption?) {
        async let accepting = SSL.accept(listener, patience)
        let client = try await SSL.connect(
            "127.0.0.1", port ?? (try SSL.port(listener)), [.active(false)] + options, patience)
        let server = try await accepting
        // What the server says comes after its tickets.
        try await SSL.send(server, "!")
        _ = try await SSL.recv(client, 1, patience)
        let outcome = (
            server.secureSocket?.information.resumption, client.secureSocket?.information.resumption
        )
        SSL.close(client)
        SSL.close(server)
        return outcome
    }

    @Test(arguments: [[], [.cachetimeout(100)]] as [[SSL.Option]])
    func `3 cachetimeout: sessions are resumed within the lifetime, by servers and by clients`(
        _ options: [SSL.Option]
    ) async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener(options)
            #expect(try await Self.meet(listener, options) == (.notOffered, .notOffered))
            for _ in 0..<3 { #expect(try await Self.meet(listener, options) == (.resumed, .resumed)) }
        }
    }

    @Test(arguments: [([.cachetimeout(0)], []), ([], [.cachetimeout(0)])] as [([SSL.Option], [SSL.Option])])
    func `3 cachetimeout: 0 is no resumption`(_ listen: [SSL.Option], _ connect: [SSL.Option]) async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener(listen)
            for _ in 0..<3 {
                let outcome = try await Self.meet(listener, connect)
                #expect(outcome.server != .resumed && outcome.client != .resumed)
            }
        }
    }

    @Test(arguments: [([.cachetimeout(1)], []), ([], [.cachetimeout(1)])] as [([SSL.Option], [SSL.Option])])
    func `3 cachetimeout: no longer than the lifetime`(_ listen: [SSL.Option], _ connect: [SSL.Option]) async throws {
        try await SSL.withProcess { process in
            let listener = try await Pair.listener(listen)
            _ = try await Self.meet(listener, connect)
            // Only time ends a lifetime: 1 second, as a clock with whole seconds counts. Messages about the first meeting may still arrive.
            await #expect(throws: SSL.Reason.timeout) { while true { _ = try await process.receive(2_200) } }
            let outcome = try await Self.meet(listener, connect)
            #expect(outcome.server != .resumed && outcome.client != .resumed)
        }
    }

    @Test func `8: no session crosses to another verification or another trust`() async throws {
        let files = try CertificateFiles.shared
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            let both = try files.trust(files.authority.certificatePEM, files.stranger.certificatePEM)
            for options in [[], [.verify(2), .cacertfile(files.ca)], [.verify(2), both]] as [[SSL.Option]] {
                let first = try await Self.meet(listener, options)
                #expect(first == (.notOffered, .notOffered))
                #expect(try await Self.meet(listener, options) == (.resumed, .resumed))
            }
            // A session that was made without verification does not get past one that refuses the server.
            let strict = await reason {
                async let accepted = reason { _ = try await SSL.accept(listener, patience) }
                do {
                    _ = try await SSL.connect(
                        "127.0.0.1", try SSL.port(listener), [.verify(2), .cacertfile(files.strangersCA)], patience)
                } catch {
                    _ = await accepted
                    throw error
                }
            }
            #expect(strict == .enoissuercert)
        }
    }

    @Test func `8: a session is tied to one listener`() async throws {
        try await SSL.withProcess { _ in
            let first = try await Pair.listener()
            let second = try await Pair.listener()
            _ = try await Self.meet(first, [])
            // Another server.
            #expect(try await Self.meet(second, []) == (.notOffered, .notOffered))
            // Another listener at the same place: the client offers, the server declines.
            let port = try SSL.port(first)
            SSL.close(first)
            var third: SSL.Socket?
            while third == nil {
                third = try? await SSL.listen(port, [.ip("127.0.0.1")] + CertificateFiles.shared.server)
                await Task.yield()
            }
            let outcome = try await Self.meet(try #require(third), [])
            #expect(outcome == (.declined, .declined))
        }
    }

    @Test func `3 cachetimeout: TLS 1_2, server`() async throws {
        let client = try self.configuration { try $0.clientConfiguration(parameters: $1) }
        try await SSL.withProcess { _ in
            let listener = try await SSL.listen(0, [.ip("127.0.0.1"), .cachetimeout(100)] + self.testServer())
            let port = try SSL.port(listener)
            for expected in [Resumption.notOffered, .resumed] {
                async let accepting = SSL.accept(listener, patience)
                let socket = try await SecureSocket.connect(to: "127.0.0.1", port: port, tls: client)
                let accepted = try await accepting
                #expect(accepted.secureSocket?.information.version == .tls12)
                #expect(accepted.secureSocket?.information.resumption == expected)
                socket.close()
                SSL.close(accepted)
            }
        }
    }

    @Test(arguments: [(nil, true), (100, true), (0, false)] as [(Int?, Bool)])
    func `3 cachetimeout: TLS 1_2, client`(_ lifetime: Int?, _ isResumed: Bool) async throws {
        let server = try self.configuration { try $0.serverConfiguration(parameters: $1) }
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: server, socketOptions: .patient, options: .patient)
        try await SSL.withProcess { _ in
            for round in 0..<2 {
                async let accepting = listener.accept(timeout: Encounter.patience)
                let socket = try await SSL.connect(
                    "127.0.0.1", listener.localEndpoint.port, lifetime.map { [.cachetimeout($0)] } ?? [], patience)
                let accepted = try await accepting
                #expect(accepted.information.version == .tls12)
                #expect(socket.secureSocket?.information.isResumed == (round > 0 && isResumed))
                SSL.close(socket)
                accepted.close()
            }
        }
    }

    private func configuration<Configuration>(
        _ make: (TestCertificates, TLSParameters) throws -> Configuration
    ) throws -> Configuration {
        var parameters = TLSParameters()
        parameters.versions = .tls12 ... .tls12
        return try make(try TestCertificates.shared.get(), parameters)
    }

    private func testServer() throws -> [SSL.Option] {
        let certificates = try TestCertificates.shared.get()
        return try CertificateFiles.shared.identity(certificates.server)
    }
}
