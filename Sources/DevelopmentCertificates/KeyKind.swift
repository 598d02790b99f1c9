/// The kinds of keys for certificates created here. The raw value is the argument of `tls certs dev --key`.
package enum KeyKind: String, Sendable, CaseIterable {
    /// ECDSA on P-256, which every TLS peer supports and which signs quickly.
    case p256
    /// ECDSA on P-384.
    case p384
    /// RSA with a modulus of 2048 bits, for peers that support only RSA.
    case rsa2048 = "rsa"
    /// Ed25519. OpenSSL and BoringSSL accept it, few browsers do.
    case ed25519

    var algorithm: CertificateKey.Algorithm {
        switch self {
        case .p256: .p256
        case .p384: .p384
        case .rsa2048: .rsa(bits: 2048)
        case .ed25519: .ed25519
        }
    }

    func generate() throws(DevelopmentCertificateError) -> CertificateKey {
        do {
            return try CertificateKey(self.algorithm)
        } catch {
            throw .cannotGenerateKey(self, reason: String(describing: error))
        }
    }
}
