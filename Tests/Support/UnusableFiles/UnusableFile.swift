import Foundation
package import SecureSockets

/// A certificate, key or trust file that cannot be loaded, and the message for it.
package struct UnusableFile: Sendable, CustomStringConvertible {
    package enum Item: Sendable {
        case chain, key, trust
    }

    /// What the file is loaded as.
    package let item: Item
    package let name: String
    /// The certificate chain and the key to load it with.
    private let chainName: String
    private let keyName: String
    package let password: String?
    private let message: String
    private let advice: String?
    private let make: @Sendable (CredentialWorkshop) throws -> Void
    package let isMismatch: Bool
    /// Whether the command of the advice can read the file.
    private let isConvertible: Bool

    package var description: String { "\(self.item) \(self.name): \(self.message)" }

    private init(
        _ item: Item, _ name: String, chain: String? = nil, key: String? = nil, password: String? = nil,
        isMismatch: Bool = false, isConvertible: Bool = true, _ message: String, _ advice: String?,
        _ make: @escaping @Sendable (CredentialWorkshop) throws -> Void
    ) {
        self.item = item
        self.name = name
        self.chainName = chain ?? (item == .chain ? name : "server.pem")
        self.keyName = key ?? (item == .key ? name : "server.key")
        self.password = password
        self.message = message
        self.advice = advice
        self.make = make
        self.isMismatch = isMismatch
        self.isConvertible = isConvertible
    }

    /// The command of the advice, if there is one.
    private var command: String? {
        guard self.isConvertible, let advice = self.advice else { return nil }
        let introductions = ["Convert it: ", "Re-encrypt it: ", "Decode it: "]
        return introductions.first(where: advice.hasPrefix).map { String(advice.dropFirst($0.count)) }
    }

    /// Whether the advice is a command that can be run.
    package var hasCommand: Bool { self.command != nil }

    /// The file after it was made, with the files to load it with.
    package struct Made: Sendable {
        package let workshop: CredentialWorkshop
        package let chain: String
        package let key: String
        package let trust: String?
        /// The message and the advice.
        package let description: String
        /// The command of the advice and the file that it writes, if the advice is a command.
        package let remedy: (command: String, output: String)?
    }

    package func made() throws -> Made {
        let workshop = try CredentialWorkshop()
        try self.make(workshop)
        let path = workshop.path(of: self.name)
        let stem = URL(fileURLWithPath: path).deletingPathExtension().path
        let output = path.hasSuffix(".pem") ? "\(stem)-new.pem" : "\(stem).pem"
        func filled(_ text: String) -> String {
            text.replacing("{file}", with: path).replacing("{new}", with: output)
        }
        let noun =
            switch self.item {
            case .chain: "certificate chain"
            case .key: "private key"
            case .trust: "trusted certificates"
            }
        return Made(
            workshop: workshop, chain: workshop.path(of: self.chainName), key: workshop.path(of: self.keyName),
            trust: self.item == .trust ? path : nil,
            description: "\(noun) \(path): \(filled(self.message))\(self.advice.map { ". \(filled($0))" } ?? "")",
            remedy: self.command.map { (filled($0), output) })
    }
}

extension UnusableFile.Made {
    /// Loads the file; nil if that succeeds.
    package func refusal(password: String?) -> SecureSocketError? {
        do throws(SecureSocketError) {
            if let trust {
                _ = try TLSTrust.only(.file(trust))
            } else {
                _ = try TLSIdentity(certificateChain: .file(self.chain), privateKey: .file(self.key), password: password)
            }
            return nil
        } catch {
            return error
        }
    }
}

// MARK: The files

extension UnusableFile {
    /// The files that can be made with the installed programs.
    package static var all: [UnusableFile] {
        var files = Self.texts
        if Program.openssl != nil { files += Self.otherForms + Self.encryptions + Self.otherKeys + Self.chains + Self.weak }
        if CredentialWorkshop.hasLegacyProvider { files += Self.legacyEncryptions }
        if Program("ssh-keygen") != nil, Program.openssl != nil { files += Self.openSSHKeys }
        return files
    }

    static func openssl(
        _ item: Item, _ name: String, chain: String? = nil, key: String? = nil, password: String? = nil, isMismatch: Bool = false,
        _ commands: String, _ message: String, _ advice: String?
    ) -> UnusableFile {
        UnusableFile(
            item, name, chain: chain, key: key, password: password, isMismatch: isMismatch, message, advice
        ) { try $0.run(commands) }
    }

    static func text(
        _ item: Item, _ name: String, _ message: String, _ advice: String?,
        _ text: @escaping @Sendable (CredentialWorkshop) -> String
    ) -> UnusableFile {
        UnusableFile(item, name, message, advice) { _ = try $0.folder.write(text($0), to: name) }
    }

    static func made(
        _ item: Item, _ name: String, _ message: String, _ advice: String?,
        _ bytes: @escaping @Sendable (CredentialWorkshop) -> [UInt8]
    ) -> UnusableFile {
        UnusableFile(item, name, message, advice) { _ = try $0.folder.write(bytes($0), to: name) }
    }

    static func bytes(
        _ item: Item, _ name: String, _ message: String, _ advice: String?, _ bytes: [UInt8]
    ) -> UnusableFile {
        UnusableFile(item, name, isConvertible: false, message, advice) { _ = try $0.folder.write(bytes, to: name) }
    }

    static let swapped = "Are the certificate's and the key's file swapped?"
    static let complete = "Is the file complete?"
    static let changed = "Was the file modified? Obtain it again"
    static let usable = "Use RSA, ECDSA (P-256, P-384, P-521) or Ed25519"
}
