internal import CNIOBoringSSL

/// Who an end of a connection is: a certificate, the chain that vouches for it, and the private key.
///
/// Either part may be absent: the classic interface knows a key without a certificate (specification §3, rule 3.5).
package final class Identity: Sendable {
    let chain: CertificateList?
    let key: PrivateKey?

    /// Loads and checks both parts; nothing is read later.
    package init(
        chain: PEMInput?,
        privateKey: PEMInput?,
        password: String?
    ) throws(CredentialError) {
        self.chain = if let chain { try CertificateList.load(chain, as: .certificateChain) } else { nil }
        self.key = if let privateKey { try PrivateKey.load(privateKey, password: password) } else { nil }
        guard let leaf = self.chain?.pointers.first, let key = self.key else { return }
        ErrorQueue.clear()
        defer { ErrorQueue.clear() }
        guard X509_check_private_key(leaf, key.pointer) == 1 else {
            throw CredentialError(item: .privateKey, path: privateKey?.path, problem: .keyMismatch)
        }
    }

    package var hasCertificate: Bool { self.chain != nil }

    /// The chain as loaded: own certificate first.
    package var certificates: [Certificate] { self.chain?.certificates ?? [] }
}

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

    /// Loads the first private key of a PEM text: PKCS#8 (also encrypted), PKCS#1 or SEC 1 (also with the old encryption).
    static func load(_ source: PEMInput, password: String?) throws(CredentialError) -> PrivateKey {
        let text = PEMText(bytes: try source.load(.privateKey))
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: .privateKey, path: source.path, problem: problem)
        }
        var prompt = PasswordPrompt(password: password.map { Array($0.utf8) })
        var reasons: [LibraryReason] = []
        let loaded = text.withBIO { bio -> OpaquePointer? in
            ErrorQueue.clear()
            defer { reasons = ErrorQueue.drain() }
            return withUnsafeMutablePointer(to: &prompt) { prompt in
                PEM_read_bio_PrivateKey(bio, nil, answerPasswordPrompt, prompt)
            }
        }
        if let loaded, let pointer = loaded {
            let key = PrivateKey(taking: pointer)
            switch EVP_PKEY_id(pointer) {
            case EVP_PKEY_RSA, EVP_PKEY_EC, EVP_PKEY_ED25519: return key
            default: throw failure(.unsupportedKey)
            }
        }
        if prompt.asked {
            // A wrong password shows as bad padding, or, by chance, as a key that makes no sense.
            throw failure(password == nil ? .passwordMissing : .passwordWrong)
        }
        if reasons.contains(where: { $0.library == Int32(ERR_LIB_PEM) && $0.code == PEM_R_NO_START_LINE }) {
            throw failure(text.problem)
        }
        if reasons.contains(where: {
            $0.library == Int32(ERR_LIB_EVP) && $0.code == EVP_R_UNSUPPORTED_ALGORITHM
        }) {
            throw failure(.unsupportedKey)
        }
        throw failure(.malformedKey(reasons.first))
    }
}

/// The answer to the library's question for a password, and whether it was asked.
private struct PasswordPrompt {
    let password: [UInt8]?
    var asked = false
}

private func answerPasswordPrompt(
    buffer: UnsafeMutablePointer<CChar>?,
    size: Int32,
    forWriting: Int32,
    context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let buffer, let prompt = context?.assumingMemoryBound(to: PasswordPrompt.self) else { return -1 }
    prompt.pointee.asked = true
    guard let password = prompt.pointee.password, password.count <= Int(size) else { return -1 }
    for (index, byte) in password.enumerated() { buffer[index] = CChar(bitPattern: byte) }
    return Int32(password.count)
}

/// Writing of private keys, for the tool's development certificates.
package enum PrivateKeyPEM {
    /// The same key as an encrypted PKCS#8 block (PBES2 with AES-256-CBC).
    package static func encrypted(_ pem: String, password: String) throws(CredentialError) -> String {
        let key = try PrivateKey.load(.bytes(Array(pem.utf8)), password: nil)
        let secret = password.utf8.map { CChar(bitPattern: $0) }
        ErrorQueue.clear()
        guard let bio = BIO_new(BIO_s_mem()) else {
            throw CredentialError(item: .privateKey, path: nil, problem: .malformedKey(nil))
        }
        defer { BIO_free(bio) }
        guard
            PEM_write_bio_PKCS8PrivateKey(
                bio, key.pointer, EVP_aes_256_cbc(), secret, Int32(secret.count), nil, nil) == 1
        else {
            throw CredentialError(item: .privateKey, path: nil, problem: .malformedKey(ErrorQueue.drain().first))
        }
        return memoryBIOContents(bio)
    }
}
