internal import CNIOBoringSSL

/// A private key.
///
/// Sendable without a check because the key is never changed after loading, and BoringSSL's keys may be used to sign from
/// several threads at once.
final class PrivateKey: @unchecked Sendable {
    let pointer: OpaquePointer

    init(taking pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit { EVP_PKEY_free(self.pointer) }

    func belongs(to certificate: OpaquePointer) -> Bool {
        defer { ErrorQueue.clear() }
        return X509_check_private_key(certificate, self.pointer) == 1
    }

    /// The labels of the blocks that hold a private key.
    enum Form: Hashable {
        case plain(FileForm.KeyForm)
        case encrypted

        init?(label: String) {
            if label == "ENCRYPTED PRIVATE KEY" {
                self = .encrypted
            } else if let form = FileForm.KeyForm(rawValue: label) {
                self = .plain(form)
            } else {
                return nil
            }
        }
    }
}

extension PrivateKey {
    /// Decodes a key in DER: PKCS#8, PKCS#1 or SEC 1, not encrypted.
    convenience init(der bytes: [UInt8]) throws(CredentialError) {
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: .privateKey, path: nil, problem: problem)
        }
        let form: FileForm.KeyForm? = if case .privateKey(let form)? = FileForm.der(bytes[...]) { form } else { nil }
        ErrorQueue.clear()
        let pointer = bytes.withUnsafeBufferPointer { bytes in
            var position = bytes.baseAddress
            return d2i_AutoPrivateKey(nil, &position, bytes.count)
        }
        guard form != nil, let pointer else {
            EVP_PKEY_free(pointer)
            let reason = ErrorQueue.drain().first
            if let form, let kind = UnsupportedKey(privateKey: bytes, form) { throw failure(.unsupportedKey(kind)) }
            let fault = BlockFault(of: bytes) { if case .privateKey = $0 { true } else { false } }
            throw failure(.malformedKey(line: nil, fault, reason))
        }
        self.init(taking: pointer)
        if let kind = UnsupportedKey(pointer) { throw failure(.unsupportedKey(kind)) }
    }
}

/// The private keys of a PEM text: PKCS#8, encrypted or not, PKCS#1 or SEC 1, with or without the traditional encryption. Only the
/// first is loaded.
struct PrivateKeyFile {
    let first: PrivateKey
    private let others: [PrivateKeyBlock]

    init(_ source: PEMInput, password: String?) throws(CredentialError) {
        let text = try PEMText.load(source, as: .privateKey)
        let blocks = text.blocks.filter { PrivateKey.Form(label: $0.label) != nil }
            .map { PrivateKeyBlock($0, path: source.path, password: password) }
        guard let first = blocks.first else {
            throw CredentialError(item: .privateKey, path: source.path, problem: text.problemWithoutKey)
        }
        self.first = try first.load()
        self.others = Array(blocks.dropFirst())
    }

    /// The index of the certificate's key; nil if the text does not contain it.
    func indexOfKey(of certificate: OpaquePointer) -> Int? {
        if self.first.belongs(to: certificate) { return 0 }
        let index = self.others.firstIndex { (try? $0.load())?.belongs(to: certificate) ?? false }
        return index.map { $0 + 1 }
    }
}

extension PEMText {
    /// The error for a text without a supported private key.
    fileprivate var problemWithoutKey: CredentialError.Problem {
        let openSSH = self.blocks.first { $0.label == "OPENSSH PRIVATE KEY" }
        if let content = openSSH?.content() { return .openSSHKey(OpenSSHKey(content)) }
        return .otherBlocks(labels: self.labels)
    }
}

/// A PEM block with a private key: loads the key, or determines why it cannot be loaded.
private struct PrivateKeyBlock {
    let block: PEMBlock
    let path: String?
    let password: [UInt8]?

    init(_ block: PEMBlock, path: String?, password: String?) {
        self.block = block
        self.path = path
        self.password = password.map { Array($0.utf8) }
    }

    private func failure(_ problem: CredentialError.Problem) -> CredentialError {
        CredentialError(item: .privateKey, path: self.path, problem: problem)
    }

    func load() throws(CredentialError) -> PrivateKey {
        let text: [UInt8]
        do { text = try self.block.text() } catch { throw self.failure(.malformed(error)) }
        var prompt = PasswordPrompt(password: self.password)
        let (pointer, reasons) = Self.read(text, &prompt)
        if let pointer = pointer ?? self.readWithoutPublicKey() {
            let key = PrivateKey(taking: pointer)
            if let kind = UnsupportedKey(pointer) { throw self.failure(.unsupportedKey(kind)) }
            return key
        }
        throw self.failure(self.problem(text, prompt, reasons))
    }

    private static func read(_ text: [UInt8], _ prompt: inout PasswordPrompt) -> (OpaquePointer?, [LibraryReason]) {
        ErrorQueue.clear()
        let pointer = withUnsafeMutablePointer(to: &prompt) { prompt in
            text.withBIO { PEM_read_bio_PrivateKey($0, nil, answerPasswordPrompt, prompt) }
        }
        return (pointer ?? nil, ErrorQueue.drain())
    }

    /// Reads a key in version 2 of PKCS#8 (RFC 5958 §2), which BoringSSL rejects, by removing the public key that version 2 adds.
    private func readWithoutPublicKey() -> OpaquePointer? {
        guard self.block.label == FileForm.KeyForm.pkcs8.rawValue, let content = self.block.content() else { return nil }
        var file = DERReader(content[...])
        guard var key = file.sequence(), key.integer() == 1 else { return nil }
        let start = key.rest.startIndex
        guard key.sequence() != nil, key.next(DERReader.Tag.octetString) != nil else { return nil }
        let firstVersion = DERReader.encoding(
            DERReader.Tag.sequence, [DERReader.Tag.integer, 1, 0] + content[start..<key.rest.startIndex])
        defer { ErrorQueue.clear() }
        return firstVersion.withUnsafeBufferPointer { bytes in
            var position = bytes.baseAddress
            return d2i_AutoPrivateKey(nil, &position, bytes.count)
        }
    }

    private func problem(
        _ text: [UInt8], _ prompt: PasswordPrompt, _ reasons: [LibraryReason]
    ) -> CredentialError.Problem {
        var reasons = reasons
        if prompt.wasAsked, self.password == nil {
            // BoringSSL examines the encryption only when it has a password. Any password shows whether the encryption is supported.
            var anyPassword = PasswordPrompt(password: [])
            let (pointer, others) = Self.read(text, &anyPassword)
            EVP_PKEY_free(pointer)
            reasons = others
        }
        let raw = self.block.content() ?? []
        let isEncrypted = PrivateKey.Form(label: self.block.label) == .encrypted || !self.block.headers.isEmpty
        if isEncrypted, let encryption = KeyEncryption(unsupported: reasons, in: raw, headers: self.block.headers) {
            return .unsupportedEncryption(encryption)
        }
        if prompt.wasAsked {
            if self.password == nil { return .passwordMissing }
            if prompt.isPasswordTooLong { return .passwordTooLong(limit: PasswordPrompt.limit) }
        }
        guard case .plain(let form)? = PrivateKey.Form(label: self.block.label) else {
            if !prompt.wasAsked { return .malformedKey(line: self.block.line, self.fault(raw), reasons.first) }
            // A wrong password does not leave a structure with an algorithm.
            let isReadable = reasons.contains {
                $0.library == Int32(ERR_LIB_EVP) && $0.code == EVP_R_UNSUPPORTED_ALGORITHM
            }
            return isReadable ? .unsupportedKey(.encrypted) : .passwordWrong
        }
        let content = prompt.wasAsked ? self.decrypted(text) : raw
        if let kind = UnsupportedKey(privateKey: content, form) { return .unsupportedKey(kind) }
        // With a wrong password, decryption fails or, by chance, yields bytes that are not a key.
        if prompt.wasAsked { return .passwordWrong }
        return .malformedKey(line: self.block.line, self.fault(raw), reasons.first)
    }

    private func fault(_ content: [UInt8]) -> BlockFault {
        BlockFault(of: content) { form in
            switch form {
            case .privateKey(let kind): kind.rawValue == self.block.label
            case .encryptedPrivateKey: PrivateKey.Form(label: self.block.label) == .encrypted
            default: false
            }
        }
    }

    /// The content with the traditional encryption removed; empty if the password is wrong.
    private func decrypted(_ text: [UInt8]) -> [UInt8] {
        var prompt = PasswordPrompt(password: self.password)
        defer { ErrorQueue.clear() }
        return withUnsafeMutablePointer(to: &prompt) { prompt in
            text.withBIO { bio in
                var data: UnsafeMutablePointer<UInt8>?
                var count = 0
                guard PEM_bytes_read_bio(&data, &count, nil, self.block.label, bio, answerPasswordPrompt, prompt) == 1
                else { return [] }
                defer { OPENSSL_free(data) }
                return Array(UnsafeBufferPointer(start: data, count: count))
            } ?? []
        }
    }
}

/// The context of the password callback.
private struct PasswordPrompt {
    static let limit = Int(PEM_BUFSIZE)

    let password: [UInt8]?
    var wasAsked = false

    init(password: [UInt8]?) { self.password = password }

    var isPasswordTooLong: Bool { self.password.map { $0.count > Self.limit } ?? false }
}

private func answerPasswordPrompt(
    buffer: UnsafeMutablePointer<CChar>?,
    size: Int32,
    forWriting: Int32,
    context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let buffer, let prompt = context?.assumingMemoryBound(to: PasswordPrompt.self) else { return -1 }
    prompt.pointee.wasAsked = true
    guard let password = prompt.pointee.password, password.count <= Int(size) else { return -1 }
    for (index, byte) in password.enumerated() { buffer[index] = CChar(bitPattern: byte) }
    return Int32(password.count)
}

/// Writes private keys, for the tool's development certificates.
package enum PrivateKeyPEM {
    /// Returns the same key as an encrypted PKCS#8 block (PBES2 with AES-256-CBC).
    package static func encrypted(_ pem: String, password: String) throws(CredentialError) -> String {
        let key = try PrivateKeyFile(.bytes(Array(pem.utf8)), password: nil).first
        let secret = password.utf8.map { CChar(bitPattern: $0) }
        func failure(_ reason: LibraryReason?) -> CredentialError {
            CredentialError(item: .privateKey, path: nil, problem: .refused(reason))
        }
        ErrorQueue.clear()
        guard let bio = BIO_new(BIO_s_mem()) else { throw failure(nil) }
        defer { BIO_free(bio) }
        guard
            PEM_write_bio_PKCS8PrivateKey(
                bio, key.pointer, EVP_aes_256_cbc(), secret, Int32(secret.count), nil, nil) == 1
        else { throw failure(ErrorQueue.drain().first) }
        return memoryBIOContents(bio)
    }
}
