import DevelopmentCertificates
import Foundation
import SecureSockets
import TestSupport
import Testing

/// Identities in other forms than PEM.
@Suite(.enabled(if: Program.openssl != nil, "needs OpenSSL 3"))
struct `An identity` {
    private let workshop: CredentialWorkshop

    init() throws {
        self.workshop = try CredentialWorkshop()
    }

    private func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: self.workshop.path(of: name))))
    }

    /// A client that trusts the authority meets this server.
    private func expectToServe(_ identity: TLSIdentity) async throws {
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: .only(.text(self.workshop.authority.certificatePEM))),
            with: TLSServerConfiguration(identity: identity))
        #expect(try encounter.client.get().information.peerCertificates.first?.subject == "CN=server")
    }

    private func refusal(_ load: () throws -> TLSIdentity) throws -> SecureSocketError {
        try #require(throws: SecureSocketError.self) { _ = try load() }
    }

    // MARK: DER

    @Test(arguments: ["openssl pkcs8 -topk8 -nocrypt -in server.key -outform DER", "openssl ec -in server.key -outform DER"])
    func `is loaded from DER`(key command: String) async throws {
        try self.workshop.run(
            "openssl x509 -in server.pem -outform DER -out server.der\n\(command) -out key.der")
        try await self.expectToServe(
            TLSIdentity(certificatesDER: [self.bytes("server.der")], privateKeyDER: self.bytes("key.der")))
    }

    @Test func `in DER that is damaged, swapped or absent is refused by name`() throws {
        try self.workshop.run(
            """
            openssl x509 -in server.pem -outform DER -out server.der
            openssl pkcs8 -topk8 -nocrypt -in server.key -outform DER -out key.der
            openssl genpkey -algorithm ED25519 -outform DER -out other.der
            """)
        let (certificate, key, other) = try (self.bytes("server.der"), self.bytes("key.der"), self.bytes("other.der"))
        let rows: [([[UInt8]], [UInt8], SecureSocketError.Code, String)] = [
            ([], key, .certificateUnusable, "certificate chain: there is none"),
            (
                [certificate.dropLast(1).map(\.self)], key, .certificateUnusable,
                "certificate chain: certificate 1 cannot be read: its last byte is missing"
            ),
            (
                [certificate + [0]], key, .certificateUnusable, "certificate chain: certificate 1 cannot be read"
            ),
            (
                [certificate, key], key, .certificateUnusable,
                "certificate chain: certificate 2 cannot be read: it is a private key in PKCS#8"
            ),
            ([certificate], certificate, .privateKeyUnusable, "private key: the key cannot be read: it is a certificate"),
            ([certificate], [], .privateKeyUnusable, "private key: the key cannot be read"),
            (
                [certificate], other, .privateKeyMismatch,
                "private key: does not belong to the certificate (CN=server)"
            ),
        ]
        for (chain, key, code, message) in rows {
            let error = try self.refusal { try TLSIdentity(certificatesDER: chain, privateKeyDER: key) }
            #expect(error.code == code)
            #expect(error.message == message)
        }
    }

    // MARK: PKCS#12

    @Test(arguments: ["", "-legacy", "-macalg sha1 -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES"])
    func `is loaded from a PKCS#12 archive`(made options: String) async throws {
        guard options != "-legacy" || CredentialWorkshop.hasLegacyProvider else { return }
        try self.workshop.run(
            "openssl pkcs12 -export -in server.pem -inkey server.key -certfile ca.pem -out server.p12 -passout pass:söcret \(options)"
        )
        let identity = try TLSIdentity(pkcs12: .file(self.workshop.path(of: "server.p12")), password: "söcret")
        #expect(identity.certificates.map(\.subject) == ["CN=server", "CN=authority"])
        try await self.expectToServe(identity)
    }

    @Test func `is the certificate of the archive's key, wherever it stands`() throws {
        try self.workshop.run(
            """
            cat ca.pem server.pem > both.pem
            openssl pkcs12 -export -in both.pem -inkey server.key -out server.p12 -passout pass:
            """)
        let identity = try TLSIdentity(pkcs12: .bytes(self.bytes("server.p12")), password: "")
        #expect(identity.certificates.map(\.subject) == ["CN=server", "CN=authority"])
    }

    @Test func `in an archive that cannot be used is refused by name`() throws {
        try self.workshop.run(
            """
            openssl pkcs12 -export -in server.pem -inkey server.key -out good.p12 -passout pass:secret
            openssl pkcs12 -export -in server.pem -nokeys -out keyless.p12 -passout pass:secret
            openssl pkcs12 -export -nocerts -inkey server.key -out bare.p12 -passout pass:secret
            head -c 300 good.p12 > cut.p12
            """)
        let rows: [(String, password: String, SecureSocketError.Code, String)] = [
            ("good.p12", "wrong", .privateKeyUnusable, "is encrypted, and the password is wrong"),
            ("good.p12", "secret\0", .privateKeyUnusable, "is encrypted, and the password is wrong"),
            ("keyless.p12", "secret", .certificateUnusable, "has no private key"),
            ("bare.p12", "secret", .certificateUnusable, "has no certificate that belongs to its private key"),
            ("cut.p12", "secret", .certificateUnusable, "cannot be read (BAD_PKCS12_DATA)"),
            ("server.pem", "secret", .certificateUnusable, "is not a PKCS#12 archive, but PEM text"),
        ]
        for (name, password, code, text) in rows {
            let path = self.workshop.path(of: name)
            let error = try self.refusal { try TLSIdentity(pkcs12: .file(path), password: password) }
            #expect(error.code == code)
            #expect(error.message == "PKCS#12 archive \(path): \(text)")
        }
    }
}
