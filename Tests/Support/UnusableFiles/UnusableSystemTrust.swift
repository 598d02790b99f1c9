import DevelopmentCertificates

/// An environment that names trusted certificates which cannot be loaded, and what is said of it.
package struct UnusableSystemTrust: Sendable, CustomStringConvertible {
    package let description: String
    private let make: @Sendable (TemporaryDirectory) throws -> Made

    package struct Made: Sendable {
        package let environment: [String: String]
        package let description: String
    }

    package func made(in folder: TemporaryDirectory) throws -> Made { try self.make(folder) }

    private init(
        _ name: String, _ variable: String, _ message: String, advice: String? = nil,
        _ path: @escaping @Sendable (TemporaryDirectory) throws -> String
    ) {
        self.description = "\(name) (\(variable))"
        self.make = { folder in
            let path = try path(folder)
            let listed = variable == "SSL_CERT_DIR" ? path.replacing(":", with: ", ") : path
            let advice = advice ?? "Correct \(variable), or unset it to use the system's certificates"
            return Made(
                // An empty value counts as none.
                environment: ["SSL_CERT_FILE": "", "SSL_CERT_DIR": ""].merging([variable: path]) { $1 },
                description: "trusted certificates \(listed) (from \(variable)): "
                    + "\(message.replacing("{folder}", with: folder.path)). \(advice.replacing("{folder}", with: folder.path))")
        }
    }

    package static let all = [
        UnusableSystemTrust("a missing file", "SSL_CERT_FILE", "cannot be read: No such file or directory") {
            $0.path(of: "missing.pem")
        },
        UnusableSystemTrust("an empty file", "SSL_CERT_FILE", "is empty") { try $0.write("", to: "empty.pem") },
        UnusableSystemTrust("a folder", "SSL_CERT_FILE", "is a folder, not a file") { try $0.makeFolder("file") },
        UnusableSystemTrust("a file without PEM", "SSL_CERT_FILE", "holds nothing in PEM") {
            try $0.write("localhost\n", to: "names.txt")
        },
        UnusableSystemTrust("a file without certificates", "SSL_CERT_FILE", "contains no certificate, only PRIVATE KEY") {
            try $0.write(CertifiedKey.selfSigned().privateKeyPEM, to: "key.pem")
        },
        UnusableSystemTrust(
            "a file that can be converted", "SSL_CERT_FILE", "has quotation marks around the PEM text",
            advice: #"Convert it: tr -d "\"'\`" < {folder}/quoted.txt > {folder}/quoted.pem"#
        ) { try $0.write("'\(CertifiedKey.selfSigned().certificatePEM)'", to: "quoted.txt") },
        UnusableSystemTrust(
            "a missing folder", "SSL_CERT_DIR", "none were found there; {folder}/missing: No such file or directory"
        ) { $0.path(of: "missing") },
        UnusableSystemTrust("an empty folder", "SSL_CERT_DIR", "none were found there") { try $0.makeFolder("empty") },
        UnusableSystemTrust("a folder without certificates", "SSL_CERT_DIR", "none were found there") {
            let name = try $0.makeFolder("other")
            _ = try $0.write("README", to: "other/README")
            return name
        },
        UnusableSystemTrust(
            "a file in place of a folder", "SSL_CERT_DIR", "none were found there; {folder}/ca.pem: Not a directory"
        ) {
            try $0.write(CertifiedKey.selfSigned().certificatePEM, to: "ca.pem")
        },
        UnusableSystemTrust(
            "several folders", "SSL_CERT_DIR", "none were found there; {folder}/missing: No such file or directory"
        ) { "\(try $0.makeFolder("first")):\($0.path(of: "missing"))" },
    ]
}
