import DevelopmentCertificates
import SecureSockets
import SecureSocketsTesting
import TLSEngine
import TestSupport
import Testing

/// Which certificates a trusted certificate makes acceptable.
@Suite struct `Trust` {
    @Test func `in one server's certificate covers that certificate and no other`() async throws {
        let (server, pem, other) = try OddCertificate.issuedByAServer()
        let tls = try TLSClientConfiguration(trust: .only(.text(pem)))
        let itself = try await Encounter(of: tls, with: TLSServerConfiguration(identity: server))
        #expect(try itself.client.get().information.verifiedChainLength == 1)

        let another = try await Encounter(of: tls, with: TLSServerConfiguration(identity: other))
        let refusal = try #require(await another.clientRefusal)
        #expect(refusal.code == .certificateVerificationFailed)
        #expect(refusal.certificateProblem?.code == 24)
        #expect(refusal.certificateProblem?.depth == 1)
        #expect(refusal.certificateProblem?.certificate?.subject == "CN=a server")
    }

    @Test func `in an intermediate does not let it have more authorities below it than it says`() async throws {
        let root = try CertificateAuthority.root()
        let trusted = try root.intermediate(commonName: "trusted", pathLength: 0)
        let below = try trusted.intermediate(commonName: "below")
        let tls = try TLSClientConfiguration(
            trust: .only(.text(root.certificatePEM + trusted.certificatePEM)))
        let good = try TLSIdentity(trusted.issue(commonName: "good", names: ["127.0.0.1"]))
        #expect(
            try await Encounter(of: tls, with: TLSServerConfiguration(identity: good)).client.get().information
                .verifiedChainLength == 3)

        let bad = try TLSIdentity(below.issue(commonName: "bad", names: ["127.0.0.1"]))
        let refusal = try #require(await Encounter(of: tls, with: TLSServerConfiguration(identity: bad)).clientRefusal)
        #expect(refusal.code == .certificateVerificationFailed)
        #expect(refusal.certificateProblem?.code == 25)
    }

    @Test func `grows by what is added`() async throws {
        let (one, two) = try (CertificateAuthority.root(commonName: "one"), CertificateAuthority.root(commonName: "two"))
        let both = try TLSTrust.only(.text(one.certificatePEM)).adding(.text(two.certificatePEM))
        let system = try TLSTrust.system.adding(.text(two.certificatePEM))
        for (authority, trust, isTrusted) in [(one, both, true), (two, both, true), (two, system, true), (one, system, false)] {
            let server = try TLSServerConfiguration(
                identity: TLSIdentity(authority.issue(commonName: "server", names: ["127.0.0.1"])))
            let encounter = try await Encounter(of: TLSClientConfiguration(trust: trust), with: server)
            #expect(((try? encounter.client.get()) != nil) == isTrusted)
        }
    }

    @Test func `is made of certificates that are at hand`() async throws {
        let identity = try TLSIdentity(CertifiedKey.selfSigned(names: ["127.0.0.1"]))
        let trust = try TLSTrust.only(identity.certificates)
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: trust), with: TLSServerConfiguration(identity: identity))
        _ = try encounter.client.get()
        let none = try #require(throws: SecureSocketError.self) { _ = try TLSTrust.only([TLSCertificate]()) }
        #expect(none.code == .trustUnusable)
        #expect(none.message == "trusted certificates: there is none")
    }

    @Test func `of the system is not named to clients, whatever is added`() throws {
        let certificates = try TestCertificates.shared.get()
        let server = try TLSServerConfiguration(
            identity: certificates.serverIdentity,
            clients: .optional(trust: TLSTrust.system.adding([certificates.authority.certificate])))
        #expect(!server.context.namesAuthorities)
    }
}
