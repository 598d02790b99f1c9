import DevelopmentCertificates
import SecureSocketsTesting

/// OpenSSL's own client or server, for what BoringSSL cannot play. Its standard input takes its one-letter commands.
package struct OpenSSLPeer: Sendable {
    package struct Failure: Error, CustomStringConvertible { package let description: String }

    package let program: RunningProgram
    /// Where a server listens, or a client connects to.
    package let port: Int
    private let folder: TemporaryDirectory

    /// Starts `openssl s_server` on a free port, with the test server's certificate.
    package static func server(_ options: String...) async throws -> OpenSSLPeer {
        let (folder, files) = try Self.files()
        guard let openssl = Program.openssl else { throw Failure(description: "OpenSSL 3 is not installed") }
        let program = try RunningProgram(
            openssl,
            ["s_server", "-accept", "127.0.0.1:0", "-cert", files.certificate, "-key", files.key, "-CAfile", files.authority]
                + options)
        guard let port = await program.line(behind: "ACCEPT 127.0.0.1:").flatMap({ Int($0) }) else {
            throw Failure(description: "s_server did not listen: \(await program.outcome().errors)")
        }
        return OpenSSLPeer(program: program, port: port, folder: folder)
    }

    /// Starts `openssl s_client`, which trusts the test authority and connects to a port of 127.0.0.1.
    package static func client(to port: Int, _ options: String...) async throws -> OpenSSLPeer {
        let (folder, files) = try Self.files()
        guard let openssl = Program.openssl else { throw Failure(description: "OpenSSL 3 is not installed") }
        let program = try RunningProgram(
            openssl, ["s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", files.authority] + options)
        return OpenSSLPeer(program: program, port: port, folder: folder)
    }

    private static func files() throws -> (TemporaryDirectory, (certificate: String, key: String, authority: String)) {
        let certificates = try TestCertificates.shared.get()
        let folder = try TemporaryDirectory()
        return (
            folder,
            (
                try folder.write(certificates.server.certificateChainPEM, to: "server.pem"),
                try folder.write(certificates.server.privateKeyPEM, to: "server-key.pem"),
                try folder.write(certificates.authority.certificatePEM, to: "ca.pem")
            )
        )
    }
}
