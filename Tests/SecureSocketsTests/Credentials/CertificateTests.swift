import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

/// The properties of a certificate.
@Suite struct `A certificate` {
    @Test func `has its names by kind, past those that are no strings`() throws {
        let certificate = try #require(try OddCertificate.namedInEveryWay().certificates.first)
        #expect(certificate.dnsNames == ["first.example", "last.example"])
        #expect(certificate.ipAddresses == ["10.0.0.1"])
        #expect(certificate.emailAddresses == ["somebody@example.org"])
        #expect(certificate.uris == ["https://example.org"])
        #expect(
            certificate.alternativeNames.map(\.description) == [
                "DNS:first.example", "email:somebody@example.org", "URI:https://example.org", "IP:10.0.0.1", "DNS:last.example",
            ])
        #expect(certificate.alternativeNames.map(\.kind) == [.dns, .email, .uri, .ipAddress, .dns])
    }

    @Test(arguments: [(KeyKind.p256, "P-256"), (.p384, "P-384"), (.rsa2048, "RSA 2048"), (.ed25519, "Ed25519")])
    func `tells the kind of its key`(_ kind: KeyKind, _ text: String) throws {
        let certificate = try #require(try TLSIdentity(CertifiedKey.selfSigned(key: kind)).certificates.first)
        #expect(certificate.publicKey.description == text)
        #expect((certificate.publicKey == .rsa(bits: 2048)) == (kind == .rsa2048))
    }

    @Test(.enabled(if: Program.openssl != nil, "needs OpenSSL 3"))
    func `has the serial number and the fingerprint that OpenSSL shows`() throws {
        let workshop = try CredentialWorkshop()
        let certificate = try #require(try TLSIdentity(workshop.server).certificates.first)
        let openssl = try #require(Program.openssl)
        let shown = try openssl.run(
            ["x509", "-in", workshop.path(of: "server.pem"), "-noout", "-serial", "-fingerprint", "-sha256"]
        ).output.split(separator: "\n")
        let serial = certificate.serialNumber.map { String($0, radix: 16, uppercase: true) }
            .map { $0.count == 1 ? "0\($0)" : $0 }.joined()
        #expect(shown.first == "serial=\(serial)")
        let fingerprint = shown.last?.split(separator: "=").last?.filter { $0 != ":" }.lowercased()
        #expect(certificate.sha256Fingerprint == fingerprint)
    }

    @Test func `is decoded from DER, and can be trusted`() async throws {
        let identity = try TLSIdentity(CertifiedKey.selfSigned(names: ["127.0.0.1"]))
        let decoded = try TLSCertificate(derBytes: #require(identity.certificates.first).derBytes)
        #expect(decoded == identity.certificates.first)
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: .only([decoded])), with: TLSServerConfiguration(identity: identity))
        #expect(try encounter.client.get().information.peerCertificate == decoded)
        let error = try #require(throws: SecureSocketError.self) { _ = try TLSCertificate(derBytes: [1, 2, 3]) }
        #expect(error.code == .certificateUnusable)
    }
}
