import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

/// An authority, a server's certificate of it, and a folder for files of them.
struct CredentialFiles {
    let folder: TemporaryDirectory
    let authority: CertificateAuthority
    let server: CertifiedKey

    init() throws {
        self.folder = try TemporaryDirectory()
        self.authority = try CertificateAuthority.root()
        self.server = try self.authority.issue(commonName: "server", names: ["127.0.0.1"])
    }

    func identity(_ chain: String, _ key: String) throws -> TLSIdentity {
        try TLSIdentity(certificateChain: .text(chain), privateKey: .text(key))
    }

    /// Expects a handshake with a server that has this identity to succeed with a client that trusts the authority.
    func expectToServe(_ identity: TLSIdentity) async throws {
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: .only(.text(self.authority.certificatePEM))),
            with: TLSServerConfiguration(identity: identity))
        #expect(try encounter.client.get().information.peerCertificates.map(\.subject) == ["CN=server"])
    }
}
