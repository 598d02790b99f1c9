import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

/// The errors for a key and a certificate that do not belong together.
@Suite(.timeLimit(.minutes(5))) struct `Keys that do not match` {
    private let files: CredentialFiles

    init() throws { self.files = try CredentialFiles() }

    @Test(arguments: KeyKind.allCases)
    func `a key of another certificate is reported as a mismatch, not as unusable`(_ kind: KeyKind) throws {
        let other = try CertifiedKey.selfSigned(key: kind)
        let key = try self.files.folder.write(other.privateKeyPEM, to: "other-key.pem")
        let error = try #require(throws: SecureSocketError.self) {
            try TLSIdentity(certificateChain: .text(self.files.server.certificateChainPEM), privateKey: .file(key))
        }
        error.expectConfiguration(
            .privateKeyMismatch,
            "private key \(key): does not belong to the certificate (CN=server). Give the key that the certificate was issued for"
        )
    }

    @Test func `a key that the chain's second certificate belongs to is not the identity's`() throws {
        let intermediate = try self.files.authority.intermediate()
        let leaf = try intermediate.issue(commonName: "leaf")
        let error = try #require(throws: SecureSocketError.self) {
            try self.files.identity(leaf.certificateChainPEM, intermediate.privateKeyPEM)
        }
        #expect(error.code == .privateKeyMismatch)
    }

    @Test func `files of certificate and key that are swapped are recognised`() throws {
        let chain = try self.files.folder.write(self.files.server.certificateChainPEM, to: "server.pem")
        let key = try self.files.folder.write(self.files.server.privateKeyPEM, to: "server-key.pem")
        let advice = "Are the certificate's and the key's file swapped?"

        let swapped = try #require(throws: SecureSocketError.self) {
            try TLSIdentity(certificateChain: .file(key), privateKey: .file(chain))
        }
        swapped.expectConfiguration(
            .certificateUnusable,
            "certificate chain \(key): contains no certificate, only PRIVATE KEY. \(advice)")

        let twice = try #require(throws: SecureSocketError.self) {
            try TLSIdentity(certificateChain: .file(chain), privateKey: .file(chain))
        }
        twice.expectConfiguration(
            .privateKeyUnusable,
            "private key \(chain): contains no private key, only CERTIFICATE. \(advice)")
    }
}
