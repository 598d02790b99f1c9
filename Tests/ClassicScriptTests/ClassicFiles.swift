import ClassicSSL
import DevelopmentCertificates
import SecureSocketsTesting
import TestSupport

/// The certificates of both ends, as files.
struct ClassicFiles {
    let server: [SSL.Option]
    let client: [SSL.Option]
    /// What a client without a certificate of its own knows.
    let trust: [SSL.Option]
    /// Gone when nobody refers to it any more.
    private let folder: TemporaryDirectory

    init() throws {
        let certificates = try TestCertificates.shared.get()
        let folder = try TemporaryDirectory()
        self.trust = [.cacertfile(try folder.write(certificates.authority.certificatePEM, to: "ca.pem"))]
        self.server = [
            .certfile(try folder.write(certificates.server.certificateChainPEM, to: "server.pem")),
            .keyfile(try folder.write(certificates.server.privateKeyPEM, to: "server-key.pem")),
        ]
        self.client = [
            .certfile(try folder.write(certificates.client.certificateChainPEM, to: "client.pem")),
            .keyfile(try folder.write(certificates.client.privateKeyPEM, to: "client-key.pem")),
        ]
        self.folder = folder
    }
}

extension SSL.Timeout {
    /// No step of a test takes longer.
    static let patience = SSL.Timeout.milliseconds(120_000)
}
