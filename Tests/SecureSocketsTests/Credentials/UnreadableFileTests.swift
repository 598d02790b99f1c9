import DevelopmentCertificates
import Foundation
import SecureSockets
import TestSupport
import Testing

/// The errors for files and texts that cannot be read, whichever item they are loaded as.
@Suite(.timeLimit(.minutes(5))) struct `Files that cannot be read` {
    private let files: CredentialFiles

    init() throws { self.files = try CredentialFiles() }

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
        let path = self.files.folder.path(of: "missing.pem")
        let error = try self.error(loading: item, .file(path))
        self.expect(
            error, item, path, "cannot be read: No such file or directory. Check the path and its permissions")
        #expect(error.errorNumber == ENOENT)
    }

    @Test(.enabled(if: geteuid() != 0, "root may read every file"), arguments: Item.allCases)
    func `a file that may not be read`(_ item: Item) throws {
        let path = try self.files.folder.write(self.good(item), to: "secret.pem")
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
        let error = try self.error(loading: item, .file(path))
        self.expect(error, item, path, "cannot be read: Permission denied. Check the path and its permissions")
        #expect(error.errorNumber == EACCES)
    }

    @Test(arguments: Item.allCases)
    func `a file inside of a file`(_ item: Item) throws {
        let file = try self.files.folder.write(self.good(item), to: "file.pem")
        let error = try self.error(loading: item, .file("\(file)/inside.pem"))
        self.expect(
            error, item, "\(file)/inside.pem", "cannot be read: Not a directory. Check the path and its permissions")
        #expect(error.errorNumber == ENOTDIR)
    }

    @Test(arguments: Item.allCases)
    func `a folder in place of a file`(_ item: Item) throws {
        let path = try self.files.folder.makeFolder("certificates")
        let error = try self.error(loading: item, .file(path))
        self.expect(error, item, path, "is a folder, not a file. Name the file in it")
    }

    @Test(arguments: Item.allCases)
    func `an empty file`(_ item: Item) throws {
        let path = try self.files.folder.write("", to: "empty.pem")
        self.expect(try self.error(loading: item, .file(path)), item, path, "is empty. Give a PEM file")
    }

    @Test(arguments: Item.allCases, [0.25, 0.5, 0.75, 0.97])
    func `a file that was cut off`(_ item: Item, at share: Double) throws {
        let whole = self.good(item)
        let path = try self.files.folder.write(whole.prefix(Int(Double(whole.count) * share)).utf8, to: "part.pem")
        let error = try self.error(loading: item, .file(path))
        self.expect(
            error, item, path,
            "the \(item == .key ? "PRIVATE KEY" : "CERTIFICATE") block that begins on line 1 has no END line. Is the file complete?"
        )
    }

    @Test(arguments: Item.allCases)
    func `a file that is far too large`(_ item: Item) throws {
        let path = try self.files.folder.write("", to: "large.pem")
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
        let escaped = self.files.server.certificatePEM.replacing("\n", with: #"\n"#)
        #expect(
            try self.error(loading: .chain, .text(escaped)).description
                == #"certificate chain: has line breaks written as the two characters \n, as in environment variables and "#
                + #"JSON. Replace them: text.replacing("\\n", with: "\n")"#)
        _ = try TLSTrust.only(.text(escaped.replacing("\\n", with: "\n")))
        #expect(
            try self.error(loading: .chain, .text("\"\(self.files.server.certificatePEM)\"")).description
                == "certificate chain: has quotation marks around the PEM text. Remove them")
        #expect(
            try self.error(loading: .key, .bytes(self.der(self.files.server.privateKeyPEM))).advice
                == "Convert it: openssl pkey -inform der -in FILE -out FILE.pem")
    }

    @Test func `a path is quoted in commands and escaped in messages`() throws {
        let der = self.der(self.files.server.certificatePEM)
        let quoted = try self.files.folder.write(der, to: "it's.der")
        let word = "'\(self.files.folder.path)/it'\\''s"
        #expect(
            try self.error(loading: .chain, .file(quoted)).advice
                == "Convert it: openssl x509 -inform der -in \(word).der' -out \(word).pem'")
        let odd = try self.files.folder.write(der, to: "a\n\u{202e}.der")
        self.expect(
            try self.error(loading: .chain, .file(odd)), .chain, "\(self.files.folder.path)/a\\u{a}\\u{202e}.der",
            "is a certificate in binary DER format; PEM is expected. "
                + "Convert it: openssl x509 -inform der -in FILE -out FILE.pem")
    }

    @Test func `a command does not overwrite a file that exists`() throws {
        let path = try self.files.folder.write(self.der(self.files.server.certificatePEM), to: "server.der")
        _ = try self.files.folder.write("precious", to: "server.pem")
        #expect(
            try self.error(loading: .chain, .file(path)).advice?.hasSuffix("-out \(self.files.folder.path)/server-new.pem")
                == true)
    }

    @Test(arguments: Item.allCases)
    func `a file that cannot be opened for lack of descriptors is not reported as unusable`(_ item: Item) async throws {
        await #expect(processExitsWith: .success) { [item = item as Item] in
            let credentials = try `Files that cannot be read`()
            let path = try credentials.files.folder.write(credentials.good(item), to: "good.pem")
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
        let path = try self.files.folder.write(self.good(item), to: "good.pem") + "\0x"
        self.expect(
            try self.error(loading: item, .file(path)), item, path.replacing("\0", with: "\\u{0}"),
            "cannot be read: the path contains a NUL character, which a file name cannot. Check where the path comes from")
    }

    /// What would be loaded.
    private func good(_ item: Item) -> String {
        switch item {
        case .chain: self.files.server.certificatePEM
        case .key: self.files.server.privateKeyPEM
        case .trust: self.files.authority.certificatePEM
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
                _ = try TLSIdentity(certificateChain: source, privateKey: .text(self.files.server.privateKeyPEM))
            case .key:
                _ = try TLSIdentity(certificateChain: .text(self.files.server.certificatePEM), privateKey: source)
            case .trust: _ = try TLSTrust.only(source)
            }
        }
    }

    private func expect(
        _ error: SecureSocketError, _ item: Item, _ path: String, _ text: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        error.expectConfiguration(item.code, "\(item.noun) \(path): \(text)", sourceLocation: sourceLocation)
    }
}
