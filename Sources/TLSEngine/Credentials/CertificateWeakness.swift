internal import CNIOBoringSSL

/// The reason why a certificate is too weak to be accepted.
package enum CertificateWeakness: Sendable, Hashable {
    /// An RSA key of less than 2048 bits.
    case rsaKey(bits: Int)
    /// A signature with this hash function, which is broken.
    case signature(hash: String)
}

extension CertificateWeakness {
    /// Checks a certificate's key; nil if it is strong enough or allowed.
    init?(keyOf certificate: OpaquePointer, allowing legacy: LegacyCertificateOptions) {
        guard !legacy.contains(.rsaKeysUnder2048Bits), let key = X509_get0_pubkey(certificate), EVP_PKEY_id(key) == EVP_PKEY_RSA,
            EVP_PKEY_bits(key) < 2048
        else { return nil }
        self = .rsaKey(bits: Int(EVP_PKEY_bits(key)))
    }

    /// Checks a certificate's signature; nil if it is strong enough or allowed. MD5 and older functions cannot be allowed: BoringSSL does
    /// not verify such signatures.
    init?(signatureOf certificate: OpaquePointer, allowing legacy: LegacyCertificateOptions) {
        switch signatureHash(of: certificate) {
        case NID_sha1 where !legacy.contains(.sha1Signatures): self = .signature(hash: "SHA-1")
        case NID_md5: self = .signature(hash: "MD5")
        case NID_md4: self = .signature(hash: "MD4")
        case NID_md2: self = .signature(hash: "MD2")
        default: return nil
        }
    }
}

/// The hash function of a certificate's signature; `NID_undef` if it is unknown or part of the signature algorithm.
private func signatureHash(of certificate: OpaquePointer) -> Int32 {
    let algorithm = X509_get_signature_nid(certificate)
    if algorithm == NID_rsassaPss { return pssHash(of: certificate) }
    var hash = NID_undef
    return OBJ_find_sigid_algs(algorithm, &hash, nil) == 1 ? hash : NID_undef
}

/// The hash function of an RSASSA-PSS signature (RFC 4055 §3.1): the first parameter, SHA-1 if absent.
private func pssHash(of certificate: OpaquePointer) -> Int32 {
    var file = DERReader(withOutputBytes { i2d_X509(certificate, $0) }[...])
    guard var signed = file.sequence(), signed.next() != nil, var algorithm = signed.sequence() else { return NID_undef }
    _ = algorithm.objectIdentifier()
    guard var parameters = algorithm.sequence(), let explicit = parameters.next(DERReader.Tag.context0) else { return NID_sha1 }
    var hash = DERReader(explicit)
    var identifier = hash.sequence()
    let sha1: [UInt8] = [0x2b, 0x0e, 0x03, 0x02, 0x1a]
    return identifier?.objectIdentifier()?.content == sha1 ? NID_sha1 : NID_undef
}
