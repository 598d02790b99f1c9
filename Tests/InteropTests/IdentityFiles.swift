import SecureSockets
import SecureSocketsTesting
import TestSupport

/// The files of an identity, for a program.
struct IdentityFiles: Encodable {
    let chain: String
    let key: String
}

extension DevelopmentIdentity {
    /// Writes the chain and the key to files that are named after the certificate.
    func files(in folder: TemporaryDirectory) throws -> IdentityFiles {
        let name = self.certificate.sha256Fingerprint
        return IdentityFiles(
            chain: try folder.write(self.certificateChainPEM, to: "\(name).pem"),
            key: try folder.write(self.privateKeyPEM, to: "\(name)-key.pem"))
    }
}
