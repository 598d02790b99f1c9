import TLSEngine

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// A shell command to copy and run that converts a file to a form that can be loaded.
struct ConversionCommand: CustomStringConvertible {
    let description: String

    /// - Parameters:
    ///   - path: The file to convert. If nil, placeholders stand for both files.
    ///   - make: Returns the command that reads the first file and writes the second; both are quoted for the shell.
    init(for path: String?, _ make: (_ input: String, _ output: String) -> String) {
        // A path that is escaped in the message could not be copied from it.
        if let path, path == path.escapedForDisplay {
            self.description = make(ShellWord.quoted(path), ShellWord.quoted(Self.output(for: path)))
        } else {
            self.description = make("FILE", "FILE.pem")
        }
    }

    /// Returns the same path with the extension `pem`, or with a suffix if that file exists.
    private static func output(for path: String) -> String {
        let start = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        // A leading dot does not begin an extension.
        let dot = path[start...].dropFirst().lastIndex(of: ".")
        let stem = path[..<(dot ?? path.endIndex)]
        let candidates = ["\(stem).pem", "\(stem)-new.pem"]
        return candidates.first { $0 != path && access($0, F_OK) != 0 } ?? "\(stem)-new.pem"
    }
}

// MARK: The commands

extension ConversionCommand {
    static func certificate(_ path: String?) -> ConversionCommand {
        ConversionCommand(for: path) { "openssl x509 -inform der -in \($0) -out \($1)" }
    }

    static func privateKey(_ path: String?) -> ConversionCommand {
        ConversionCommand(for: path) { "openssl pkey -inform der -in \($0) -out \($1)" }
    }

    static func encryptedPrivateKey(_ path: String?) -> ConversionCommand {
        ConversionCommand(for: path) { "openssl pkcs8 -inform der -in \($0) -topk8 \(Self.encryption) -out \($1)" }
    }

    /// - Parameter needsLegacyProvider: Whether OpenSSL 3 has the key's cipher in its legacy provider only.
    static func encryptedAgain(_ path: String?, needsLegacyProvider: Bool) -> ConversionCommand {
        let providers = needsLegacyProvider ? " -provider legacy -provider default" : ""
        return ConversionCommand(for: path) { "openssl pkcs8 -in \($0) -topk8 \(Self.encryption)\(providers) -out \($1)" }
    }

    static func pkcs12(_ path: String?, hasLegacyCiphers: Bool, withKey: Bool) -> ConversionCommand {
        let options = (hasLegacyCiphers ? "-legacy " : "") + (withKey ? "-nodes" : "-nokeys")
        return ConversionCommand(for: path) { "openssl pkcs12 -in \($0) \(options) -out \($1)" }
    }

    static func pkcs7(_ path: String?, isDER: Bool) -> ConversionCommand {
        ConversionCommand(for: path) { "openssl pkcs7 \(isDER ? "-inform der " : "")-print_certs -in \($0) -out \($1)" }
    }

    static func trustedCertificate(_ path: String?) -> ConversionCommand {
        ConversionCommand(for: path) { "openssl x509 -in \($0) -out \($1)" }
    }

    static func javaKeyStore(_ path: String?) -> ConversionCommand {
        ConversionCommand(for: path) { input, output in
            "keytool -importkeystore -srckeystore \(input) -destkeystore \(output).p12 -deststoretype PKCS12"
                + " && openssl pkcs12 -in \(output).p12 -nodes -out \(output)"
        }
    }

    static func openSSHKey(_ path: String?) -> ConversionCommand {
        ConversionCommand(for: path) { "cp -p \($0) \($1) && ssh-keygen -p -m PKCS8 -f \($1)" }
    }

    static func text(_ path: String?, from encoding: FileForm.Encoding) -> ConversionCommand {
        ConversionCommand(for: path) { "iconv -f \(encoding.rawValue) -t UTF-8 \($0) > \($1)" }
    }

    static func lineBreaks(_ path: String?) -> ConversionCommand {
        ConversionCommand(for: path) { #"printf '%b\n' "$(tr -d '"' < \#($0))" > \#($1)"# }
    }

    static func withoutQuotationMarks(_ path: String?) -> ConversionCommand {
        ConversionCommand(for: path) { #"tr -d "\"'\`" < \#($0) > \#($1)"# }
    }

    static func base64(_ path: String?) -> ConversionCommand {
        ConversionCommand(for: path) { "base64 -d < \($0) > \($1)" }
    }

    private static let encryption = "-v2 aes-256-cbc -v2prf hmacWithSHA256"
}
