import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

/// What is trusted, and for what.
@Suite struct `Trust` {
    @Test func `in one server's certificate lets it vouch for itself and for nobody else`() async throws {
        let (server, pem, other) = try OddCertificate.issuedByAServer()
        let tls = try TLSConfiguration.client(trust: .certificates(.text(pem)))
        let itself = try await Encounter(of: tls, with: .server(server))
        #expect(try itself.client.get().information.verifiedChainLength == 1)

        let another = try await Encounter(of: tls, with: .server(other))
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
        let tls = try TLSConfiguration.client(
            trust: .certificates(.text(root.certificatePEM + trusted.certificatePEM)))
        let good = try TLSIdentity(trusted.issue(commonName: "good", names: ["127.0.0.1"]))
        #expect(try await Encounter(of: tls, with: .server(good)).client.get().information.verifiedChainLength == 3)

        let bad = try TLSIdentity(below.issue(commonName: "bad", names: ["127.0.0.1"]))
        let refusal = try #require(await Encounter(of: tls, with: .server(bad)).clientRefusal)
        #expect(refusal.code == .certificateVerificationFailed)
        #expect(refusal.certificateProblem?.code == 25)
    }
}
