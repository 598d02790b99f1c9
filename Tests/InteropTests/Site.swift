import DevelopmentCertificates
import SecureSockets
import TestSupport

/// The files that two programs need to meet: an authority's certificate, and what a server and a client show of it.
///
/// Between authority and leaf stands an intermediate, so that whole chains have to be sent.
struct Site {
    let folder: TemporaryDirectory
    let authority: String
    let otherAuthority: String
    let server: Files
    /// Of the same authority, for another host.
    let elsewhere: Files
    let client: Files

    struct Files {
        /// The leaf, and what is above it.
        let chain: String
        /// What is above the leaf.
        let intermediates: String
        let key: String

        var identity: TLSIdentity {
            get throws { try TLSIdentity(certificateChain: .file(self.chain), privateKey: .file(self.key)) }
        }
    }

    init() throws {
        let folder = try TemporaryDirectory()
        let root = try CertificateAuthority.root(commonName: "Interop authority")
        let intermediate = try root.intermediate(commonName: "Interop intermediate", pathLength: 0)
        func write(_ name: String, names: [String], _ purpose: CertifiedKey.Purpose) throws -> Files {
            let leaf = try intermediate.issue(commonName: name, names: names, purposes: [purpose])
            return Files(
                chain: try folder.write(leaf.certificateChainPEM, to: "\(name).pem"),
                intermediates: try folder.write(intermediate.certificatePEM, to: "\(name)-intermediates.pem"),
                key: try folder.write(leaf.privateKeyPEM, to: "\(name)-key.pem"))
        }
        self.folder = folder
        self.authority = try folder.write(root.certificatePEM, to: "authority.pem")
        self.otherAuthority = try folder.write(
            CertificateAuthority.root(commonName: "Another authority").certificatePEM, to: "other-authority.pem")
        self.server = try write("server", names: ["localhost", "127.0.0.1"], .server)
        self.elsewhere = try write("elsewhere", names: ["elsewhere.example", "192.0.2.1"], .server)
        self.client = try write("client", names: [], .client)
    }
}

/// What is sent back and forth: 1 MiB of lines that read the same in both directions, because `openssl s_server -rev` sends
/// every line back reversed.
enum Payload {
    static let size = 1 << 20

    static let text: String = {
        let half = "abcdefghijklmnopqrstuvwxyz01234"
        let line = half + "5" + half.reversed() + "\n"
        return String(repeating: line, count: Payload.size / line.utf8.count)
    }()
}
