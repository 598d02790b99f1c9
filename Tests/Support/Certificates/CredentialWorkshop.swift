package import DevelopmentCertificates

/// A folder with an authority's certificate, a server's certificate and its key, in which a shell makes other files of them.
package struct CredentialWorkshop: Sendable {
    package let folder: TemporaryDirectory
    package let authority: CertificateAuthority
    package let server: CertifiedKey

    package init() throws {
        self.folder = try TemporaryDirectory()
        self.authority = try CertificateAuthority.root(commonName: "authority")
        self.server = try self.authority.issue(commonName: "server", names: ["127.0.0.1", "localhost"])
        _ = try self.folder.write(self.authority.certificatePEM, to: "ca.pem")
        _ = try self.folder.write(self.authority.privateKeyPEM, to: "ca.key")
        _ = try self.folder.write(self.server.certificatePEM, to: "server.pem")
        _ = try self.folder.write(self.server.privateKeyPEM, to: "server.key")
    }

    package func path(of name: String) -> String { self.folder.path(of: name) }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Runs commands in the folder.
    package func run(_ commands: String) throws {
        guard let shell = Program("sh") else { throw Failure(description: "there is no sh") }
        let outcome = try shell.run(["-e", "-c", "cd '\(self.folder.path)'\n\(commands)"])
        guard outcome.status == 0 else { throw Failure(description: "\(commands)\n\(outcome.output)") }
    }

    /// Whether OpenSSL 3 is installed with its legacy provider.
    package static let hasLegacyProvider: Bool = {
        guard let openssl = Program.openssl else { return false }
        return (try? openssl.run(["list", "-providers", "-provider", "legacy"]).status == 0) ?? false
    }()
}
