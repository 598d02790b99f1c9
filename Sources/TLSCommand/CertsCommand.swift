import DevelopmentCertificates
import TLSEngine

/// `tls certs`: certificates for development and tests.
enum Certs {
    static let group = CommandTree.group(
        CommandTitle(name: "certs", abstract: "Make certificates for development and tests."), [.command(Dev.self)])
}

extension Certs {
    /// `tls certs dev DIR`: an authority, and a server's and a client's certificate that it issues, in six files.
    struct Dev: Command, SpeaksJSON {
        var directory = ""
        var names: [String] = []
        var key = KeyKind.p256
        var force = false
        var expired = false
        var notYetValid = false
        var wrongName = false
        var password: String?
        var json = false

        static let title = CommandTitle(
            name: "dev",
            abstract: "Make an authority and the certificates of a server and a client, in a directory.",
            discussion: """
                Writes the certificates ca.pem, server.pem and client.pem, and their keys ca-key.pem, server-key.pem and \
                client-key.pem. For development only: never let another machine trust this authority.
                """)

        static let arguments: ArgumentTable<Dev> = [
            .required("dir", \.directory, .text("dir"), "The directory to write to; created if it is missing."),
            .repeated(
                "--name", \.names, .text("name"),
                "A host name or IP address of the server; may be repeated. (default: localhost, 127.0.0.1, ::1)"),
            .option("--key", \.key, .choice("kind"), "The kind of the keys."),
            .flag("--force", \.force, "Replace files that exist."),
            .flag("--expired", \.expired, "Make certificates that expired yesterday."),
            .flag("--not-yet-valid", \.notYetValid, "Make certificates that become valid in thirty days."),
            .flag("--wrong-name", \.wrongName, "Issue the server's certificate for wrong.example only."),
            .option("--encrypted", \.password, .text("password"), "Encrypt the keys with this password."),
            .flag("--json", \.json, "Print the result as JSON."),
        ]

        func validate() throws(UsageError) {
            if self.directory.isEmpty { throw UsageError("Give a directory to write to, for example: certs") }
            if self.expired, self.notYetValid { throw UsageError("--expired and --not-yet-valid exclude each other.") }
            if self.wrongName, !self.names.isEmpty {
                throw UsageError("--wrong-name chooses the name itself; leave --name out.")
            }
            if self.password?.isEmpty == true {
                throw UsageError("--encrypted needs a password of at least one character.")
            }
        }

        func run() throws {
            let options = self.options
            let certificates = try DevelopmentCertificates(options)
            let files = try certificates.write(to: self.directory, force: self.force, encryptKey: self.encryptKey)
            let report = DevelopmentCertificatesReport(
                directory: self.directory, files: files, validity: certificates.validity, options: options,
                encrypted: self.password != nil)
            try Reporter(style: self.style, output: .standardOutput).report(report)
        }

        private var options: DevelopmentCertificates.Options {
            var options = DevelopmentCertificates.Options(key: self.key)
            if !self.names.isEmpty { options.names = self.names }
            if self.expired { options.faults.insert(.expired) }
            if self.notYetValid { options.faults.insert(.notYetValid) }
            if self.wrongName { options.faults.insert(.wrongName) }
            return options
        }

        private var encryptKey: ((String) throws -> String)? {
            guard let password = self.password else { return nil }
            return { try PrivateKeyPEM.encrypted($0, password: password) }
        }
    }
}
