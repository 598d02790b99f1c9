internal import CNIOBoringSSL

/// The unsupported part of a private key's encryption.
package enum KeyEncryption: Sendable, Hashable {
    /// A scheme other than PBES2, such as PBES1 (RFC 8018 §6.1) or those of PKCS#12 (RFC 7292 §C).
    case scheme(OID)
    /// PBES2 with a key derivation other than PBKDF2.
    case keyDerivation(OID)
    /// PBES2 with PBKDF2 and this pseudorandom function.
    case pseudorandomFunction(OID)
    /// PBES2 with this cipher.
    case cipher(OID)
    /// PBKDF2 with an iteration count of 0 or over the limit.
    case iterations(Int)
    /// The traditional encryption (RFC 1421) with this cipher, by its name in the `DEK-Info` field.
    case traditionalCipher(String)
    /// Parameters that cannot be parsed.
    case malformed
}

extension KeyEncryption {
    /// Names what BoringSSL reports as unsupported; nil if it reports nothing of that kind.
    init?(unsupported reasons: [LibraryReason], in content: [UInt8], headers: [String]) {
        func has(_ library: Int, _ code: Int32) -> Bool {
            reasons.contains { $0.library == Int32(library) && $0.code == code }
        }
        let scheme = EncryptionScheme(content)
        let (pem, pkcs8) = (Int(ERR_LIB_PEM), Int(ERR_LIB_PKCS8))
        if has(pem, PEM_R_UNSUPPORTED_ENCRYPTION) || has(pem, PEM_R_UNSUPPORTED_CIPHER) {
            let field = "DEK-Info:"
            let value = headers.first { $0.hasPrefix(field) }?.dropFirst(field.count).split(separator: ",").first
            self = .traditionalCipher(value.map { String($0.drop { $0 == " " }) } ?? "")
        } else if has(pkcs8, PKCS8_R_UNKNOWN_ALGORITHM) {
            self = scheme?.algorithm.map { .scheme($0) } ?? .malformed
        } else if has(pkcs8, PKCS8_R_UNSUPPORTED_KEY_DERIVATION_FUNCTION) {
            self = scheme?.keyDerivation.map { .keyDerivation($0) } ?? .malformed
        } else if has(pkcs8, PKCS8_R_UNSUPPORTED_CIPHER) {
            self = scheme?.cipher.map { .cipher($0) } ?? .malformed
        } else if has(pkcs8, PKCS8_R_UNSUPPORTED_PRF) {
            self = scheme?.pseudorandomFunction.map { .pseudorandomFunction($0) } ?? .malformed
        } else if has(pkcs8, PKCS8_R_BAD_ITERATION_COUNT) {
            self = scheme?.iterations.map { .iterations($0) } ?? .malformed
        } else if has(pkcs8, PKCS8_R_UNSUPPORTED_KEYLENGTH) || has(pkcs8, PKCS8_R_ERROR_SETTING_CIPHER_PARAMS)
            || has(pkcs8, PKCS8_R_DECODE_ERROR)
        {
            self = .malformed
        } else {
            return nil
        }
    }
}

/// The algorithms of an EncryptedPrivateKeyInfo (RFC 5958 §3) that is encrypted with PBES2 (RFC 8018 §A.4).
private struct EncryptionScheme {
    private(set) var algorithm: OID?
    private(set) var keyDerivation: OID?
    private(set) var iterations: Int?
    private(set) var pseudorandomFunction: OID?
    private(set) var cipher: OID?

    init?(_ content: [UInt8]) {
        var file = DERReader(content[...])
        guard var key = file.sequence(), var encryption = key.sequence() else { return nil }
        self.algorithm = encryption.objectIdentifier()
        guard var parameters = encryption.sequence(), var derivation = parameters.sequence() else { return }
        self.keyDerivation = derivation.objectIdentifier()
        var cipher = parameters.sequence()
        self.cipher = cipher?.objectIdentifier()
        // RFC 8018 §A.2: salt, iteration count, optional key length, pseudorandom function.
        guard var details = derivation.sequence(), details.next() != nil else { return }
        self.iterations = details.integer()
        _ = details.integer()
        var function = details.sequence()
        self.pseudorandomFunction = function?.objectIdentifier()
    }
}
