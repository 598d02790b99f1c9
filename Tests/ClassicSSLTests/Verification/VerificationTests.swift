import ClassicSSL
import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

@Suite("§5 Verification", .countsRules, .timeLimit(.minutes(5)))
struct VerificationTests {
    enum Role: CaseIterable, Sendable { case server, client }

    /// A chain whose trusted end stands at this position.
    private static func chain(_ position: Int) throws -> (identity: [SSL.Option], trust: SSL.Option) {
        let files = try CertificateFiles.shared
        guard position > 0 else {
            let own = try CertifiedKey.selfSigned()
            return (try files.identity(own), try files.trust(own.certificatePEM))
        }
        var authority = files.authority
        for number in 1..<position { authority = try authority.intermediate(commonName: "Intermediate \(number)") }
        return (try files.identity(CertificateFiles.leaf(of: authority)), .cacertfile(files.ca))
    }

    /// What the end that verifies finds.
    private static func verdict(
        _ role: Role, shows identity: [SSL.Option], to verifier: [SSL.Option]
    ) async throws -> SSL.Reason? {
        switch role {
        case .server: return try await Meeting(listen: identity, connect: verifier).client
        case .client: return try await Meeting(listen: verifier, connect: identity).server
        }
    }

    @Test(arguments: Role.allCases, [0, 1, 2, 3])
    func `5 depth: a trusted certificate stands at position D or below`(_ role: Role, _ position: Int) async throws {
        let (identity, trust) = try Self.chain(position)
        for verify in [0, 1, 2] {
            for depth in [0, 1, 2] {
                let verdict = try await Self.verdict(role, shows: identity, to: [.verify(verify), .depth(depth), trust])
                let expected = verify == 0 || position <= depth ? nil : SSL.Reason.echaintoolong
                #expect(verdict == expected, "verify \(verify), depth \(depth)")
            }
        }
        // The default depth is 1.
        let verdict = try await Self.verdict(role, shows: identity, to: [.verify(2), trust])
        #expect(verdict == (position <= 1 ? nil : .echaintoolong))
    }

    @Test(arguments: [(0, nil), (1, nil), (2, .esslerrssl)] as [(Int, SSL.Reason?)])
    func `5: a client without a certificate`(_ verify: Int, _ expected: SSL.Reason?) async throws {
        let meeting = try await Meeting(listen: [.verify(verify), .cacertfile(CertificateFiles.shared.ca)])
        #expect(meeting.server == expected)
    }

    @Test(arguments: [(0, 0), (1, 1), (2, 1)])
    func `5: what the server asks for`(_ verify: Int, _ shown: Int) async throws {
        let files = try CertificateFiles.shared
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: [.verify(verify), .cacertfile(files.ca)], connect: files.client)
            #expect(pair.accepted.secureSocket?.information.peerCertificates.count == shown)
        }
    }

    @Test(arguments: Role.allCases, [0, 1, 2])
    func `5: a certificate that is given must verify, unless verify is 0`(_ role: Role, _ verify: Int) async throws {
        let files = try CertificateFiles.shared
        let identity = try files.identity(CertificateFiles.leaf(of: files.stranger))
        let verdict = try await Self.verdict(role, shows: identity, to: [.verify(verify), .cacertfile(files.ca)])
        #expect(verdict == (verify == 0 ? nil : .enoissuercert))
    }

    @Test(arguments: Role.allCases)
    func `5 depth: an intermediate in cacertfile helps to build the chain and does not end it`(_ role: Role) async throws {
        let files = try CertificateFiles.shared
        let intermediate = try files.authority.intermediate()
        let key = try CertificateFiles.leaf(of: intermediate)
        let identity = try files.identity(key, chain: key.certificatePEM)
        let alone = try files.trust(intermediate.certificatePEM)
        #expect(try await Self.verdict(role, shows: identity, to: [.verify(2), .depth(5), alone]) == .enoissuercert)
        let both = try files.trust(intermediate.certificatePEM, files.authority.certificatePEM)
        #expect(try await Self.verdict(role, shows: identity, to: [.verify(2), .depth(2), both]) == nil)
        #expect(try await Self.verdict(role, shows: identity, to: [.verify(2), .depth(1), both]) == .echaintoolong)
    }

    @Test func `10-7: depth is a limit, no amnesty`() async throws {
        let files = try CertificateFiles.shared
        let stranger = try files.stranger.intermediate().intermediate()
        let key = try CertificateFiles.leaf(of: stranger)
        let identity = try files.identity(key, chain: key.certificateChainPEM + files.stranger.certificatePEM)
        for depth in [0, 1, 255] {
            let verdict = try await Self.verdict(
                .server, shows: identity, to: [.verify(2), .depth(depth), .cacertfile(files.ca)])
            #expect(verdict == .eselfsignedcert, "\(depth)")
        }
    }

    @Test func `3 certfile: the whole chain is sent`() async throws {
        let files = try CertificateFiles.shared
        let key = try CertificateFiles.leaf(of: try files.authority.intermediate().intermediate())
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: files.identity(key))
            #expect(pair.connected.secureSocket?.information.peerCertificates.count == 3)
        }
    }

    @Test func `3 certfile: a chain that stops short is completed from cacertfile`() async throws {
        let files = try CertificateFiles.shared
        let intermediate = try files.authority.intermediate()
        let key = try CertificateFiles.leaf(of: intermediate)
        let trust = try files.trust(intermediate.certificatePEM, files.authority.certificatePEM)
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: files.identity(key, chain: key.certificatePEM) + [trust])
            #expect(pair.connected.secureSocket?.information.peerCertificates.count == 2)
        }
    }

    @Test(.enabled(if: Program.openssl != nil, "needs OpenSSL's tool"))
    func `3 cacertfile: the authorities are named to the clients`() async throws {
        let program = try #require(Program.openssl)
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener([.verify(1), .cacertfile(CertificateFiles.shared.ca)])
            let port = try SSL.port(listener)
            let server = SSL.spawn { _ = try await SSL.accept(listener, patience) }
            let outcome = try await onThread { try program.run(["s_client", "-connect", "127.0.0.1:\(port)"]) }
            #expect(outcome.output.contains("Acceptable client certificate CA names"))
            #expect(outcome.output.contains("Classic authority"))
            _ = await server.task.result
        }
    }
}
