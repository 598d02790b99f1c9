/// The kinds of key a certificate made here can hold. The raw value is what `tls certs dev --key` takes.
package enum KeyKind: String, Sendable, CaseIterable {
    /// ECDSA on P-256: what every TLS peer speaks, and quick to sign with.
    case p256
    /// ECDSA on P-384.
    case p384
    /// RSA with a modulus of 2048 bits, for peers that know nothing else.
    case rsa2048 = "rsa"
    /// Ed25519. Few browsers accept it; OpenSSL and BoringSSL do.
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
