internal import CNIOBoringSSL

/// Bytes sealed with AES-256-GCM-SIV (RFC 8452), which tolerates a repeated nonce, and a key that is derived from a secret: the nonce (12 bytes),
/// the sealed content, and the tag (16 bytes).
extension TicketSecret {
    private static let nonceLength = 12
    private static let tagLength = 16
    private static let keyLength = 32
    /// The number of bytes by which sealed bytes are longer than their content.
    package static let overhead = nonceLength + tagLength

    /// Seals bytes; nil if memory or the random generator fails.
    ///
    /// - Parameters:
    ///   - purpose: The purpose of the key (RFC 5869 §3.2).
    ///   - context: Bytes that are authenticated with the content.
    package func seal(_ content: [UInt8], for purpose: [UInt8], authenticating context: [UInt8]) -> [UInt8]? {
        guard let aead = self.aead(purpose) else { return nil }
        defer { EVP_AEAD_CTX_free(aead) }
        var nonce = [UInt8](repeating: 0, count: Self.nonceLength)
        var sealed = [UInt8](repeating: 0, count: content.count + Self.tagLength)
        var length = 0
        guard RAND_bytes(&nonce, nonce.count) == 1,
            EVP_AEAD_CTX_seal(
                aead, &sealed, &length, sealed.count, nonce, nonce.count, content, content.count, context, context.count) == 1
        else { return nil }
        return nonce + sealed
    }

    /// Returns the content of sealed bytes; nil if they were sealed with another secret, for another purpose or in another context, or were
    /// changed.
    package func open(_ bytes: [UInt8], for purpose: [UInt8], authenticating context: [UInt8]) -> [UInt8]? {
        guard bytes.count >= Self.nonceLength + Self.tagLength, let aead = self.aead(purpose) else { return nil }
        defer { EVP_AEAD_CTX_free(aead) }
        var content = [UInt8](repeating: 0, count: bytes.count - Self.nonceLength)
        var length = 0
        let isAuthentic = bytes.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return false }
            return EVP_AEAD_CTX_open(
                aead, &content, &length, content.count, start, Self.nonceLength, start + Self.nonceLength,
                bytes.count - Self.nonceLength, context, context.count) == 1
        }
        guard isAuthentic else {
            ErrorQueue.clear()
            return nil
        }
        content.removeLast(content.count - length)
        return content
    }

    private func aead(_ purpose: [UInt8]) -> UnsafeMutablePointer<EVP_AEAD_CTX>? {
        self.derive(Self.keyLength, for: purpose) { key in
            EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm_siv(), key, key.count, Self.tagLength)
        }
    }
}
