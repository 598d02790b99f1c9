import DevelopmentCertificates
import Foundation
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// Loading identities and trust: what is taken, and what is said of a file that is not.
@Suite(.timeLimit(.minutes(5))) struct Credentials {
    private let folder: TemporaryDirectory
    private let authority: CertificateAuthority
    private let server: CertifiedKey

    init() throws {
        self.folder = try TemporaryDirectory()
        self.authority = try CertificateAuthority.root()
        self.server = try self.authority.issue(commonName: "server", names: ["127.0.0.1"])
    }

    // MARK: Forms of keys

    @Test(arguments: KeyKind.allCases)
    func `a key of each kind is loaded as PKCS8, and serves`(_ kind: KeyKind) async throws {
        let server = try self.authority.issue(commonName: "server", names: ["127.0.0.1"], key: kind)
        let identity = try self.identity(server.certificateChainPEM, server.privateKeyPEM)
        #expect(server.privateKeyPEM.hasPrefix("-----BEGIN PRIVATE KEY-----"))
        #expect(identity.certificates.map(\.subject) == ["CN=server"])
        try await self.expectToServe(identity)
    }

    @Test(arguments: [(KeyKind.p256, "EC"), (.p384, "EC"), (.rsa2048, "RSA")])
    func `a key as older tools write it is loaded, SEC1 or PKCS1`(_ row: (kind: KeyKind, label: String)) async throws {
        let server = try self.authority.issue(commonName: "server", names: ["127.0.0.1"], key: row.kind)
        let key = try #require(server.traditionalPrivateKeyPEM)
        #expect(key.hasPrefix("-----BEGIN \(row.label) PRIVATE KEY-----"))
        try await self.expectToServe(self.identity(server.certificateChainPEM, key))
    }

    @Test func `certificate and key may share a file, with line ends and remarks of any kind`() async throws {
        let both = try self.folder.write(
            "subject=CN = server\r\n" + self.server.certificatePEM.replacing("\n", with: "\r\n")
                + "\r\nBag Attributes\r\n" + self.server.privateKeyPEM.replacing("\n", with: "\r\n"),
            to: "both.pem")
        try await self.expectToServe(TLSIdentity(certificateChain: .file(both), privateKey: .file(both)))
    }

    /// Changes to a PEM text that leave its blocks intact.
    enum Change: CaseIterable {
        case byteOrderMark, carriageReturns, carriageReturnsOnly, indentation, noFinalLineBreak, remarks, blankLines, longLines

        func made(in pem: String) -> String {
            let lines = pem.split(separator: "\n")
            return switch self {
            case .byteOrderMark: "\u{feff}" + pem
            case .carriageReturns: pem.replacing("\n", with: "\r\n")
            case .carriageReturnsOnly: pem.replacing("\n", with: "\r")
            case .indentation: lines.map { "    \($0)  \n" }.joined()
            case .noFinalLineBreak: lines.joined(separator: "\n")
            case .remarks: "Certificate:\n    Signature Algorithm: ecdsa-with-SHA256\n\(pem)\nThe end - of it\n"
            case .blankLines: pem.replacing("\n", with: "\n\n")
            case .longLines: "\(lines[0])\n\(lines.dropFirst().dropLast().joined())\n\(lines[lines.count - 1])\n"
            }
        }
    }

    @Test(arguments: Change.allCases)
    func `text with other line breaks, blanks or remarks is loaded`(_ change: Change) async throws {
        let chain = try self.folder.write(change.made(in: self.server.certificatePEM), to: "server.pem")
        let key = try self.folder.write(change.made(in: self.server.privateKeyPEM), to: "server-key.pem")
        try await self.expectToServe(TLSIdentity(certificateChain: .file(chain), privateKey: .file(key)))
        let encrypted = try PrivateKeyPEM.encrypted(self.server.privateKeyPEM, password: "secret")
        _ = try TLSIdentity(certificateChain: .file(chain), privateKey: .text(change.made(in: encrypted)), password: "secret")
        _ = try TLSTrust.only(.text(change.made(in: self.authority.certificatePEM)))
    }

    @Test(.enabled(if: Program.openssl != nil, "openssl is not installed"), arguments: Change.allCases)
    func `a key with the traditional encryption and such a change is loaded too`(_ change: Change) throws {
        // The header fields need lines of their own.
        if change == .longLines { return }
        let workshop = try CredentialWorkshop()
        try workshop.run("openssl ec -in server.key -aes256 -passout pass:secret -out encrypted.key")
        let text = try String(contentsOfFile: workshop.path(of: "encrypted.key"), encoding: .utf8)
        _ = try TLSIdentity(
            certificateChain: .file(workshop.path(of: "server.pem")), privateKey: .text(change.made(in: text)), password: "secret"
        )
    }

    @Test(.enabled(if: Program.openssl != nil, "openssl is not installed"))
    func `all certificates are loaded from the output of openssl x509 -text`() throws {
        let workshop = try CredentialWorkshop()
        try workshop.run("for name in server ca; do openssl x509 -text -in $name.pem >> text.pem; done")
        let identity = try TLSIdentity(
            certificateChain: .file(workshop.path(of: "text.pem")), privateKey: .file(workshop.path(of: "server.key")))
        #expect(identity.certificates.map(\.subject) == ["CN=server", "CN=authority"])
    }

    @Test func `a whole chain is loaded in its order`() throws {
        let leaf = try self.authority.intermediate(commonName: "upper").intermediate(commonName: "lower")
            .issue(commonName: "leaf")
        let identity = try self.identity(leaf.certificateChainPEM, leaf.privateKeyPEM)
        #expect(identity.certificates.map(\.subject) == ["CN=leaf", "CN=lower", "CN=upper"])
    }

    @Test func `a file is read once, when the identity is made`() async throws {
        let chain = try self.folder.write(self.server.certificateChainPEM, to: "server.pem")
        let key = try self.folder.write(self.server.privateKeyPEM, to: "server-key.pem")
        let identity = try TLSIdentity(certificateChain: .file(chain), privateKey: .file(key))
        try FileManager.default.removeItem(atPath: chain)
        try FileManager.default.removeItem(atPath: key)
        try await self.expectToServe(identity)
    }

    @Test(.enabled(if: Program.openssl != nil, "openssl is not installed"))
    func `an Ed25519 key in version 2 of PKCS8, with its public key, is loaded`() throws {
        let workshop = try CredentialWorkshop()
        try workshop.run(
            """
            openssl genpkey -algorithm ed25519 -out first.key
            openssl req -new -x509 -key first.key -subj /CN=server -out ed25519.pem
            openssl pkey -in first.key -pubout -outform der -out public.der
            openssl pkey -in first.key -outform der -out first.der
            """)
        let first = try Data(contentsOf: URL(fileURLWithPath: workshop.path(of: "first.der")))
        let publicKey = try Data(contentsOf: URL(fileURLWithPath: workshop.path(of: "public.der"))).suffix(32)
        // RFC 5958 §2: another version, and the public key in a BIT STRING with the tag [1].
        let content = [0x02, 0x01, 0x01] + first.dropFirst(5) + [0x81, 0x21, 0x00] + publicKey
        let second = Data([0x30, UInt8(content.count)] + content).base64EncodedString()
        let pem = "-----BEGIN PRIVATE KEY-----\n\(second)\n-----END PRIVATE KEY-----\n"
        _ = try TLSIdentity(certificateChain: .file(workshop.path(of: "ed25519.pem")), privateKey: .text(pem))
    }

    // MARK: Passwords

    @Test func `an encrypted key needs its password`() throws {
        let key = try PrivateKeyPEM.encrypted(self.server.privateKeyPEM, password: "secret")
        #expect(key.hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
        try self.expectPasswordNeeded(key)
    }

    @Test(
        .enabled(if: Program.openssl != nil, "openssl is not installed"),
        arguments: [
            (["ec", "-aes256"], KeyKind.p256, "EC PRIVATE KEY"),
            (["rsa", "-aes256", "-traditional"], .rsa2048, "RSA PRIVATE KEY"),
            (["rsa", "-des3", "-traditional"], .rsa2048, "RSA PRIVATE KEY"),
            (["pkcs8", "-topk8", "-v2", "aes-256-cbc"], .p256, "ENCRYPTED PRIVATE KEY"),
            (["pkcs8", "-topk8", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"], .rsa2048, "ENCRYPTED PRIVATE KEY"),
            (["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES"], .p256, "ENCRYPTED PRIVATE KEY"),
        ])
    func `a key that openssl has encrypted needs its password`(
        _ row: (command: [String], kind: KeyKind, label: String)
    ) throws {
        let openssl = try #require(Program.openssl)
        let server = try self.authority.issue(commonName: "server", key: row.kind)
        let plain = try self.folder.write(server.privateKeyPEM, to: "plain.pem")
        let encrypted = self.folder.path(of: "encrypted.pem")
        let outcome = try openssl.run(row.command + ["-in", plain, "-out", encrypted, "-passout", "pass:secret"])
        try #require(outcome.status == 0, "\(outcome.output)")
        let key = try String(contentsOfFile: encrypted, encoding: .utf8)
        #expect(key.hasPrefix("-----BEGIN \(row.label)-----"))
        #expect(key.contains("DEK-Info:") == !row.label.hasPrefix("ENCRYPTED"))
        try self.expectPasswordNeeded(key, of: server)
    }

    @Test func `a password that is longer than supported is not reported as wrong`() throws {
        let key = try PrivateKeyPEM.encrypted(self.server.privateKeyPEM, password: "secret")
        let chain = CredentialSource.text(self.server.certificateChainPEM)
        let error = try #require(throws: SecureSocketError.self) {
            try TLSIdentity(
                certificateChain: chain, privateKey: .text(key), password: String(repeating: "x", count: 1025))
        }
        self.expect(
            error, .privateKeyUnusable,
            "private key: is encrypted, and the password is longer than 1024 bytes, which is the most that is supported. "
                + "Encrypt the key with a shorter password")
    }

    @Test(.enabled(if: Program.openssl != nil, "openssl is not installed"))
    func `an encryption that is not supported is reported whatever the password`() throws {
        let workshop = try CredentialWorkshop()
        try workshop.run("openssl pkcs8 -topk8 -in server.key -scrypt -passout pass:secret -out scrypt.pem")
        for password in [nil, "", "secret", "wrong"] {
            let error = try #require(throws: SecureSocketError.self) {
                try TLSIdentity(
                    certificateChain: .file(workshop.path(of: "server.pem")),
                    privateKey: .file(workshop.path(of: "scrypt.pem")), password: password)
            }
            #expect(error.message.hasSuffix("is encrypted with scrypt (OID 1.3.6.1.4.1.11591.4.11), which is not supported"))
        }
    }

    @Test func `a password for a key that is not encrypted is ignored`() throws {
        let identity = try TLSIdentity(
            certificateChain: .text(self.server.certificateChainPEM), privateKey: .text(self.server.privateKeyPEM),
            password: "not needed")
        #expect(identity.certificates.count == 1)
    }

    @Test(arguments: ["", "pässwörd", String(repeating: "long ", count: 100)])
    func `a password may be empty, long, or in any script`(_ password: String) throws {
        let key = try PrivateKeyPEM.encrypted(self.server.privateKeyPEM, password: password)
        _ = try TLSIdentity(
            certificateChain: .text(self.server.certificateChainPEM), privateKey: .text(key), password: password)
    }

    private func expectPasswordNeeded(_ pem: String, of server: CertifiedKey? = nil) throws {
        let chain = CredentialSource.text((server ?? self.server).certificateChainPEM)
        let key = try self.folder.write(pem, to: "encrypted-key.pem")
        #expect(throws: Never.self) {
            try TLSIdentity(certificateChain: chain, privateKey: .file(key), password: "secret")
        }

        let missing = try #require(throws: SecureSocketError.self) {
            try TLSIdentity(certificateChain: chain, privateKey: .file(key))
        }
        self.expect(
            missing, .privateKeyUnusable,
            "private key \(key): is encrypted, and no password was given. Give the password")

        for password in ["wrong", ""] {
            let wrong = try #require(throws: SecureSocketError.self) {
                try TLSIdentity(certificateChain: chain, privateKey: .file(key), password: password)
            }
            self.expect(
                wrong, .privateKeyUnusable,
                "private key \(key): is encrypted, and the password is wrong. Check the password")
        }
    }

    // MARK: The wrong key

    @Test(arguments: KeyKind.allCases)
    func `a key that is another certificate's is told from a bad one`(_ kind: KeyKind) throws {
        let other = try CertifiedKey.selfSigned(key: kind)
        let key = try self.folder.write(other.privateKeyPEM, to: "other-key.pem")
        let error = try #require(throws: SecureSocketError.self) {
            try TLSIdentity(certificateChain: .text(self.server.certificateChainPEM), privateKey: .file(key))
        }
        self.expect(
            error, .privateKeyMismatch,
            "private key \(key): does not belong to the certificate (CN=server). Give the key that the certificate was issued for"
        )
    }

    @Test func `a key that the chain's second certificate belongs to is not the identity's`() throws {
        let intermediate = try self.authority.intermediate()
        let leaf = try intermediate.issue(commonName: "leaf")
        let error = try #require(throws: SecureSocketError.self) {
            try self.identity(leaf.certificateChainPEM, intermediate.privateKeyPEM)
        }
        #expect(error.code == .privateKeyMismatch)
    }

    @Test func `files of certificate and key that are swapped are recognised`() throws {
        let chain = try self.folder.write(self.server.certificateChainPEM, to: "server.pem")
        let key = try self.folder.write(self.server.privateKeyPEM, to: "server-key.pem")
        let advice = "Are the certificate's and the key's file swapped?"

        let swapped = try #require(throws: SecureSocketError.self) {
            try TLSIdentity(certificateChain: .file(key), privateKey: .file(chain))
        }
        self.expect(
            swapped, .certificateUnusable,
            "certificate chain \(key): contains no certificate, only PRIVATE KEY. \(advice)")

        let twice = try #require(throws: SecureSocketError.self) {
            try TLSIdentity(certificateChain: .file(chain), privateKey: .file(chain))
        }
        self.expect(
            twice, .privateKeyUnusable,
            "private key \(chain): contains no private key, only CERTIFICATE. \(advice)")
    }

    // MARK: Bad files, whatever they are to be

    enum Item: String, CaseIterable, Codable {
        case chain, key, trust

        var noun: String {
            switch self {
            case .chain: "certificate chain"
            case .key: "private key"
            case .trust: "trusted certificates"
            }
        }

        var code: SecureSocketError.Code {
            switch self {
            case .chain: .certificateUnusable
            case .key: .privateKeyUnusable
            case .trust: .trustUnusable
            }
        }

    }

    @Test(arguments: Item.allCases)
    func `a file that does not exist`(_ item: Item) throws {
        let path = self.folder.path(of: "missing.pem")
        let error = try self.error(loading: item, .file(path))
        self.expect(
            error, item, path, "cannot be read: No such file or directory. Check the path and its permissions")
        #expect(error.errorNumber == ENOENT)
    }

    @Test(.enabled(if: geteuid() != 0, "root may read every file"), arguments: Item.allCases)
    func `a file that may not be read`(_ item: Item) throws {
        let path = try self.folder.write(self.good(item), to: "secret.pem")
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
        let error = try self.error(loading: item, .file(path))
        self.expect(error, item, path, "cannot be read: Permission denied. Check the path and its permissions")
        #expect(error.errorNumber == EACCES)
    }

    @Test(arguments: Item.allCases)
    func `a file inside of a file`(_ item: Item) throws {
        let file = try self.folder.write(self.good(item), to: "file.pem")
        let error = try self.error(loading: item, .file("\(file)/inside.pem"))
        self.expect(
            error, item, "\(file)/inside.pem", "cannot be read: Not a directory. Check the path and its permissions")
        #expect(error.errorNumber == ENOTDIR)
    }

    @Test(arguments: Item.allCases)
    func `a folder in place of a file`(_ item: Item) throws {
        let path = try self.folder.makeFolder("certificates")
        let error = try self.error(loading: item, .file(path))
        self.expect(error, item, path, "is a folder, not a file. Name the file in it")
    }

    @Test(arguments: Item.allCases)
    func `an empty file`(_ item: Item) throws {
        let path = try self.folder.write("", to: "empty.pem")
        self.expect(try self.error(loading: item, .file(path)), item, path, "is empty. Give a PEM file")
    }

    @Test(arguments: Item.allCases, [0.25, 0.5, 0.75, 0.97])
    func `a file that was cut off`(_ item: Item, at share: Double) throws {
        let whole = self.good(item)
        let path = try self.folder.write(whole.prefix(Int(Double(whole.count) * share)).utf8, to: "part.pem")
        let error = try self.error(loading: item, .file(path))
        self.expect(
            error, item, path,
            "the \(item == .key ? "PRIVATE KEY" : "CERTIFICATE") block that begins on line 1 has no END line. Is the file complete?"
        )
    }

    @Test(arguments: Item.allCases)
    func `a file that is far too large`(_ item: Item) throws {
        let path = try self.folder.write("", to: "large.pem")
        // Takes no space: nothing is written.
        #expect(truncate(path, 17 << 20) == 0)
        self.expect(
            try self.error(loading: item, .file(path)), item, path,
            "is larger than 16 MiB; it cannot be a PEM file of this kind")
    }

    @Test(arguments: Item.allCases)
    func `text that is bad is reported without a path`(_ item: Item) throws {
        #expect(try self.error(loading: item, .text("")).message == "\(item.noun): is empty")
    }

    @Test func `advice about text in memory has no file names`() throws {
        let escaped = self.server.certificatePEM.replacing("\n", with: #"\n"#)
        #expect(
            try self.error(loading: .chain, .text(escaped)).description
                == #"certificate chain: has line breaks written as the two characters \n, as in environment variables and "#
                + #"JSON. Replace them: text.replacing("\\n", with: "\n")"#)
        _ = try TLSTrust.only(.text(escaped.replacing("\\n", with: "\n")))
        #expect(
            try self.error(loading: .chain, .text("\"\(self.server.certificatePEM)\"")).description
                == "certificate chain: has quotation marks around the PEM text. Remove them")
        #expect(
            try self.error(loading: .key, .bytes(self.der(self.server.privateKeyPEM))).advice
                == "Convert it: openssl pkey -inform der -in FILE -out FILE.pem")
    }

    @Test func `a path is quoted in commands and escaped in messages`() throws {
        let der = self.der(self.server.certificatePEM)
        let quoted = try self.folder.write(der, to: "it's.der")
        let word = "'\(self.folder.path)/it'\\''s"
        #expect(
            try self.error(loading: .chain, .file(quoted)).advice
                == "Convert it: openssl x509 -inform der -in \(word).der' -out \(word).pem'")
        let odd = try self.folder.write(der, to: "a\n\u{202e}.der")
        self.expect(
            try self.error(loading: .chain, .file(odd)), .chain, "\(self.folder.path)/a\\u{a}\\u{202e}.der",
            "is a certificate in binary DER format; PEM is expected. "
                + "Convert it: openssl x509 -inform der -in FILE -out FILE.pem")
    }

    @Test func `a command does not overwrite a file that exists`() throws {
        let path = try self.folder.write(self.der(self.server.certificatePEM), to: "server.der")
        _ = try self.folder.write("precious", to: "server.pem")
        #expect(try self.error(loading: .chain, .file(path)).advice?.hasSuffix("-out \(self.folder.path)/server-new.pem") == true)
    }

    // MARK: Trust

    @Test func `a path may be put together in the place where it is used`() throws {
        _ = try self.folder.write(self.server.certificatePEM, to: "chain.pem")
        _ = try self.folder.write(self.server.privateKeyPEM, to: "own-key.pem")
        let folder = self.folder.path
        _ = try TLSIdentity(certificateChain: "\(folder)/chain.pem", privateKey: "\(folder)/own-key.pem")
    }

    @Test func `the environment says where the system's trust is`() throws {
        let first = try self.folder.write(self.authority.certificatePEM, to: "first.pem")
        let folder = try self.folder.makeFolder("folder")
        for name in ["second", "third"] {
            try CertificateAuthority.root(commonName: name).certificatePEM
                .write(toFile: "\(folder)/\(name).pem", atomically: false, encoding: .utf8)
        }
        // As c_rehash does; and what else is found in such folders.
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/12ab34cd.0", withDestinationPath: "second.pem")
        try "README".write(toFile: "\(folder)/README", atomically: false, encoding: .utf8)
        try FileManager.default.createDirectory(atPath: "\(folder)/java", withIntermediateDirectories: false)

        func system(_ environment: [String: String]) throws -> TrustStore {
            try TrustStore.system { environment[$0] }
        }
        let file = try system(["SSL_CERT_FILE": first])
        #expect(file.count == 1)
        #expect(file.origin == first)
        let folders = try system(["SSL_CERT_DIR": "\(self.folder.path(of: "missing")):\(folder)"])
        #expect(folders.count == 3)
        #expect(folders.origin == folder)
        let both = try system(["SSL_CERT_FILE": first, "SSL_CERT_DIR": folder])
        #expect(both.count == 4)
        #expect(both.origin == "\(first), \(folder)")
        let second = try system(["SSL_CERT_FILE": first, "SSL_CERT_DIR": self.folder.path(of: "missing")])
        #expect(second.origin == first)
    }

    @Test(arguments: UnusableSystemTrust.all)
    func `trust that the environment names and that cannot be loaded names the variable`(_ row: UnusableSystemTrust) throws {
        let made = try row.made(in: self.folder)
        let loaded = try #require(throws: CredentialError.self) { try TrustStore.system { made.environment[$0] } }
        let error = SecureSocketError(loaded)
        #expect(error.code == .trustUnusable)
        #expect(error.blame == .configuration)
        #expect(error.description == made.description)
    }

    #if os(Linux)
        @Test func `trusted certificates that cannot be opened for lack of descriptors are never skipped`() async throws {
            await #expect(processExitsWith: .success) {
                let folder = try TemporaryDirectory()
                let file = try folder.write(CertificateAuthority.root().certificatePEM, to: "ca.pem")
                try await DescriptorLimit.withNoneLeft {
                    for environment in [["SSL_CERT_FILE": file], ["SSL_CERT_DIR": folder.path]] {
                        let error = try #require(throws: CredentialError.self) { try TrustStore.system { environment[$0] } }
                        #expect(SecureSocketError(error).code == .tooManyOpenFiles)
                    }
                }
                // One descriptor suffices to open the folder, but not the file in it.
                try await DescriptorLimit.withOneLeft {
                    let error = try #require(throws: CredentialError.self) {
                        try TrustStore.system { $0 == "SSL_CERT_DIR" ? folder.path : nil }
                    }
                    #expect(SecureSocketError(error).code == .tooManyOpenFiles)
                }
            }
        }
    #endif

    @Test(arguments: Item.allCases)
    func `a file that cannot be opened for lack of descriptors is not reported as unusable`(_ item: Item) async throws {
        await #expect(processExitsWith: .success) { [item = item as Item] in
            let credentials = try Credentials()
            let path = try credentials.folder.write(credentials.good(item), to: "good.pem")
            try await DescriptorLimit.withNoneLeft {
                let error = try credentials.error(loading: item, .file(path))
                #expect(error.code == .tooManyOpenFiles)
                #expect(error.blame == .system)
                #expect(error.step == .configuring)
                #expect(error.errorNumber == EMFILE)
                #expect(
                    error.description
                        == "\(item.noun) \(path): cannot be read: Too many open files. "
                        + "Raise the limit of open files (ulimit -n), which is 0")
            }
        }
    }

    @Test(arguments: Item.allCases)
    func `a path with a NUL character is not truncated`(_ item: Item) throws {
        let path = try self.folder.write(self.good(item), to: "good.pem") + "\0x"
        self.expect(
            try self.error(loading: item, .file(path)), item, path.replacing("\0", with: "\\u{0}"),
            "cannot be read: the path contains a NUL character, which a file name cannot. Check where the path comes from")
    }

    // MARK: Helpers

    private func identity(_ chain: String, _ key: String) throws -> TLSIdentity {
        try TLSIdentity(certificateChain: .text(chain), privateKey: .text(key))
    }

    /// A client that trusts the authority meets this server.
    private func expectToServe(_ identity: TLSIdentity) async throws {
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: .only(.text(self.authority.certificatePEM))),
            with: TLSServerConfiguration(identity: identity))
        #expect(try encounter.client.get().information.peerCertificates.map(\.subject) == ["CN=server"])
    }

    /// What would be loaded.
    private func good(_ item: Item) -> String {
        switch item {
        case .chain: self.server.certificatePEM
        case .key: self.server.privateKeyPEM
        case .trust: self.authority.certificatePEM
        }
    }

    private func der(_ pem: String) -> [UInt8] {
        Array(Data(base64Encoded: pem.split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()) ?? Data())
    }

    /// Why this cannot be loaded, beside a good file of the other kind.
    private func error(loading item: Item, _ source: CredentialSource) throws -> SecureSocketError {
        try #require(throws: SecureSocketError.self) {
            switch item {
            case .chain:
                _ = try TLSIdentity(certificateChain: source, privateKey: .text(self.server.privateKeyPEM))
            case .key:
                _ = try TLSIdentity(certificateChain: .text(self.server.certificatePEM), privateKey: source)
            case .trust: _ = try TLSTrust.only(source)
            }
        }
    }

    private func expect(
        _ error: SecureSocketError, _ item: Item, _ path: String, _ text: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        self.expect(
            error, item.code, "\(item.noun) \(path): \(text)", sourceLocation: sourceLocation)
    }

    private func expect(
        _ error: SecureSocketError, _ code: SecureSocketError.Code, _ text: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(error.code == code, sourceLocation: sourceLocation)
        #expect(error.blame == .configuration, sourceLocation: sourceLocation)
        #expect(error.step == .configuring, sourceLocation: sourceLocation)
        #expect(error.description == text, sourceLocation: sourceLocation)
    }
}
