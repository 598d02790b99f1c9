import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

/// The greatest depth at which the trusted end of a chain may be (specification §5).
@Suite(.serialized, .timeLimit(.minutes(5))) struct `The depth of a chain` {
    @Test(arguments: [0, 1, 2], [0, 1, 2])
    func `the root may stand as high as the depth`(depth: Int, intermediates: Int) async throws {
        let root = try CertificateAuthority.root(commonName: "root")
        var issuer = root
        for number in 0..<intermediates { issuer = try issuer.intermediate(commonName: "intermediate \(number)") }
        let server = try TLSIdentity(issuer.issue(commonName: "server", names: ["127.0.0.1"]))
        let client = try TLSIdentity(issuer.issue(commonName: "client", purposes: [.client]))
        let position = intermediates + 1

        let verifying = try await Encounter(
            of: TLSClientConfiguration(trust: root.trust, parameters: .init(depth: depth)),
            with: TLSServerConfiguration(identity: server))
        let verified = try await Encounter(
            of: TLSClientConfiguration(trust: root.trust, identity: client),
            with: TLSServerConfiguration(identity: server, clients: .required(trust: root.trust), parameters: .init(depth: depth))
        )
        let refusals = [await verifying.clientRefusal(ifAny: position > depth), verified.serverRefusal]

        for refusal in refusals {
            guard position > depth else {
                #expect(refusal == nil)
                continue
            }
            let problem = try #require(refusal?.certificateProblem)
            #expect(problem.kind == .chainTooLong)
            #expect(problem.depth == position)
            #expect(problem.certificate?.subject == "CN=root")
        }
    }

    @Test func `at depth 0 only a certificate that is trusted itself is good`() async throws {
        let root = try CertificateAuthority.root(commonName: "root")
        let issued = try root.issue(commonName: "server", names: ["127.0.0.1"])
        // The leaf is trusted, but it is not self-signed, and so it does not end a chain.
        let trust = try TLSTrust.only(.text(issued.certificatePEM))
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: trust, parameters: .init(depth: 0)),
            with: TLSServerConfiguration(identity: TLSIdentity(issued)))
        let refusal = try #require(await encounter.clientRefusal)
        #expect(refusal.certificateProblem?.kind == .issuerUnknown)
    }

    @Test(arguments: [0, 1, 2, 10])
    func `a trusted intermediate helps to build a chain and does not end it`(depth: Int) async throws {
        let root = try CertificateAuthority.root(commonName: "root")
        let intermediate = try root.intermediate(commonName: "intermediate")
        let leaf = try intermediate.issue(commonName: "server", names: ["127.0.0.1"])
        let alone = try TLSIdentity(certificateChain: .text(leaf.certificatePEM), privateKey: .text(leaf.privateKeyPEM))

        let ended = try await Encounter(
            of: TLSClientConfiguration(trust: intermediate.trust, parameters: .init(depth: depth)),
            with: TLSServerConfiguration(identity: alone))
        let refusal = try #require(await ended.clientRefusal)
        #expect(refusal.certificateProblem?.kind == .issuerUnknown)
        #expect(refusal.certificateProblem?.depth == 1)
        #expect(refusal.certificateProblem?.certificate?.subject == "CN=intermediate")

        let both = try TLSTrust.only(.text(intermediate.certificatePEM + root.certificatePEM))
        let built = try await Encounter(
            of: TLSClientConfiguration(trust: both, parameters: .init(depth: depth)),
            with: TLSServerConfiguration(identity: alone))
        if depth >= 2 {
            #expect(try built.client.get().information.verifiedChainLength == 3)
        } else {
            #expect(await built.clientRefusal?.certificateProblem?.kind == .chainTooLong)
        }
    }
}

extension Encounter {
    /// Waits for the refusal only where one is expected: a client that is accepted would wait for bytes that never come.
    fileprivate func clientRefusal(ifAny isExpected: Bool) async -> SecureSocketError? {
        if isExpected { return await self.clientRefusal }
        if case .failure(let error) = self.client { return error }
        return nil
    }
}
