import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

/// Which purposes the certificates of clients need.
@Suite(.timeLimit(.minutes(5))) struct `A client's certificate` {
    let root: CertificateAuthority

    init() throws { self.root = try .root(commonName: "root") }

    private func verdict(
        on client: TLSIdentity, _ clients: TLSServerConfiguration.ClientAuthentication, over version: TLSProtocolVersion = .tls13
    ) async throws -> (server: SecureSocketError?, alert: String?) {
        let own = try TestCertificates.shared.get()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: own.trust, identity: client, parameters: .init(version)),
            with: TLSServerConfiguration(identity: own.serverIdentity, clients: clients))
        guard let refusal = encounter.serverRefusal else { return (nil, nil) }
        return (refusal, await encounter.clientRefusal?.alert?.description)
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `for server authentication only is refused, and the message names the option`(over version: TLSProtocolVersion)
        async throws
    {
        let client = try TLSIdentity(self.root.issue(commonName: "leaf", purposes: [.server]))
        let (error, alert) = try await self.verdict(on: client, .optional(trust: self.root.trust), over: version)
        #expect(error?.certificateProblem?.kind == .wrongPurpose)
        #expect(error?.certificateProblem?.code == 26)
        #expect(
            error?.description.splitAfterPeer.1
                == "the peer's certificate (CN=leaf) is not for this use (its extended key usage does not allow it). "
                + "Have it issued for client authentication, or admit certificates of servers with "
                + "ClientAuthentication.acceptingServerCertificates")
        #expect(alert == "unsupported_certificate")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `for server authentication only is accepted with the option`(over version: TLSProtocolVersion) async throws {
        let client = try TLSIdentity(self.root.intermediate().issue(commonName: "leaf", purposes: [.server]))
        let clients = try TLSServerConfiguration.ClientAuthentication.required(trust: self.root.trust)
        #expect(try await self.verdict(on: client, clients.acceptingServerCertificates, over: version).server == nil)
    }

    @Test func `for client authentication, for both or without a purpose is accepted with the option as well`() async throws {
        let clients = try TLSServerConfiguration.ClientAuthentication.required(trust: self.root.trust)
            .acceptingServerCertificates
        for purposes in [[.client], [.client, .server], []] as [Set<CertifiedKey.Purpose>] {
            let client = try TLSIdentity(self.root.issue(commonName: "leaf", purposes: purposes))
            #expect(try await self.verdict(on: client, clients).server == nil)
        }
    }

    @Test func `for another use is refused with the option as well`() async throws {
        let leaf = try client(by: self.root.issued) { $0.set(.extendedKeyUsage(.codeSigning)) }
        let identity = try TLSIdentity(certificateChain: .text(leaf.pem), privateKey: .text(leaf.key.pem))
        let clients = try TLSServerConfiguration.ClientAuthentication.required(trust: self.root.trust)
            .acceptingServerCertificates
        let (error, alert) = try await self.verdict(on: identity, clients)
        #expect(error?.certificateProblem?.kind == .wrongPurpose)
        #expect(error?.certificateProblem?.depth == 0)
        #expect(alert == "unsupported_certificate")
        #expect(error?.description.hasSuffix("server or client authentication") == true)
    }

    @Test func `needs one purpose in common with its intermediates`() async throws {
        // The intermediate is for servers only.
        let intermediate = try authority("intermediate", by: self.root.issued) { $0.set(.extendedKeyUsage(.server)) }
        func identity(_ purpose: ExtensionValue.Purpose...) throws -> TLSIdentity {
            let leaf = try client(by: intermediate) { $0.set(.extendedKeyUsage(purpose)) }
            return try TLSIdentity(certificateChain: .text(leaf.pem + intermediate.pem), privateKey: .text(leaf.key.pem))
        }
        let clients = try TLSServerConfiguration.ClientAuthentication.required(trust: self.root.trust)
        let accepting = clients.acceptingServerCertificates
        #expect(try await self.verdict(on: identity(.server), accepting).server == nil)
        #expect(try await self.verdict(on: identity(.client, .server), accepting).server == nil)
        let refused = try await self.verdict(on: identity(.client), accepting).server
        #expect(refused?.certificateProblem?.kind == .wrongPurpose)
        #expect(refused?.certificateProblem?.depth == 1)
        #expect(try await self.verdict(on: identity(.client, .server), clients).server?.certificateProblem?.depth == 1)
    }

    @Test func `is still checked in all other respects with the option`() async throws {
        let clients = try TLSServerConfiguration.ClientAuthentication.required(trust: self.root.trust)
            .acceptingServerCertificates
        let expired = try TLSIdentity(self.root.issue(commonName: "leaf", purposes: [.server], validity: .expired))
        #expect(try await self.verdict(on: expired, clients).server?.certificateProblem?.kind == .expired)
        let foreign = try TLSIdentity(
            CertificateAuthority.root(commonName: "foreign").issue(commonName: "leaf", purposes: [.server]))
        #expect(try await self.verdict(on: foreign, clients).server?.certificateProblem?.kind == .issuerUnknown)
    }
}
