import ArgumentParser
import DevelopmentCertificates
import TLSEngine

/// `tls certs`: certificates to develop and test with.
struct Certs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certs",
        abstract: "Make certificates to develop and test with.",
        subcommands: [Dev.self]
    )
}

extension Certs {
    /// `tls certs dev DIR`: an authority, and a server and a client it vouches for, as six files.
    struct Dev: ParsableCommand, SpeaksJSON {
        static let configuration = CommandConfiguration(
            commandName: "dev",
            abstract: "Write an authority, and a server and a client certificate it signed, into a directory.",
            discussion: """
                Writes ca.pem, server.pem and client.pem, and the key of each as ca-key.pem, server-key.pem and \
                client-key.pem. For development only: never let another machine trust this authority.
                """
        )

        @Argument(help: ArgumentHelp("Where to write; created when missing.", valueName: "dir"))
        var directory: String

        @Option(
            name: .customLong("name"),
            help: "A host name or IP address of the server; may be repeated. (default: localhost, 127.0.0.1, ::1)")
        var names: [String] = []

        @Option(help: "The kind of the keys.")
        var key: KeyKind = .p256

        @Flag(help: "Replace files that exist.")
        var force = false

        @Flag(help: "Make certificates that ended yesterday.")
        var expired = false

        @Flag(help: "Make certificates that begin in thirty days.")
        var notYetValid = false

        @Flag(help: "Name the server wrong.example and nothing else.")
        var wrongName = false

        @Option(
            name: .customLong("encrypted"),
            help: ArgumentHelp("Encrypt the keys with this password.", valueName: "password"))
        var password: String?

        @Flag(help: "Print what was written as JSON.")
        var json = false

        func validate() throws {
            if self.directory.isEmpty { throw ValidationError("Give a directory to write to, for example: certs") }
            if self.expired, self.notYetValid {
                throw ValidationError("--expired and --not-yet-valid exclude each other.")
            }
            if self.wrongName, !self.names.isEmpty {
                throw ValidationError("--wrong-name chooses the name itself; leave --name out.")
            }
            if self.password?.isEmpty == true {
                throw ValidationError("--encrypted needs a password of at least one character.")
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

extension KeyKind: ExpressibleByArgument {}
