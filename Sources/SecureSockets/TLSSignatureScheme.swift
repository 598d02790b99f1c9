import TLSEngine

/// A signature algorithm of a handshake, with its hash function and, for ECDSA in TLS 1.3, its curve (RFC 8446 §4.2.3).
///
/// The algorithms cannot be configured. Which of them a side can sign with depends on the key of its identity.
///
/// The constants are those that the library supports. A peer may offer others.
public struct TLSSignatureScheme: Sendable, Hashable {
    /// The algorithm's number in IANA's registry, for example 0x0804 for `rsa_pss_rsae_sha256`.
    public let codePoint: UInt16

    package init(codePoint: UInt16) { self.codePoint = codePoint }

    public static let ecdsaSecp256r1SHA256 = TLSSignatureScheme(codePoint: 0x0403)
    public static let ecdsaSecp384r1SHA384 = TLSSignatureScheme(codePoint: 0x0503)
    public static let ecdsaSecp521r1SHA512 = TLSSignatureScheme(codePoint: 0x0603)
    public static let ed25519 = TLSSignatureScheme(codePoint: 0x0807)
    public static let rsaPSSSHA256 = TLSSignatureScheme(codePoint: 0x0804)
    public static let rsaPSSSHA384 = TLSSignatureScheme(codePoint: 0x0805)
    public static let rsaPSSSHA512 = TLSSignatureScheme(codePoint: 0x0806)
    /// With TLS 1.2 only.
    public static let rsaPKCS1SHA256 = TLSSignatureScheme(codePoint: 0x0401)
    /// With TLS 1.2 only.
    public static let rsaPKCS1SHA384 = TLSSignatureScheme(codePoint: 0x0501)
    /// With TLS 1.2 only.
    public static let rsaPKCS1SHA512 = TLSSignatureScheme(codePoint: 0x0601)
}

extension TLSSignatureScheme: CustomStringConvertible {
    /// The algorithm's name in RFC 8446, for example `rsa_pss_rsae_sha256`.
    public var description: String { TLSNames.signatureAlgorithm(self.codePoint) }
}
