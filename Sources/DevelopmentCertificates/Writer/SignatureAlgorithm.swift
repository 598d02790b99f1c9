/// An algorithm for signing certificates.
package enum SignatureAlgorithm: Sendable {
    case ecdsaSHA1, ecdsaSHA256, ecdsaSHA384, ecdsaSHA512
    case rsaSHA1, rsaSHA256
    /// RSASSA-PSS with SHA-256 and a salt as long as the digest (RFC 4055).
    case rsaPSS
    case ed25519

    /// `AlgorithmIdentifier`.
    var identifier: DERValue {
        switch self {
        case .ecdsaSHA1: .sequence(.objectIdentifier("1.2.840.10045.4.1"))
        case .ecdsaSHA256: .sequence(.objectIdentifier("1.2.840.10045.4.3.2"))
        case .ecdsaSHA384: .sequence(.objectIdentifier("1.2.840.10045.4.3.3"))
        case .ecdsaSHA512: .sequence(.objectIdentifier("1.2.840.10045.4.3.4"))
        case .rsaSHA1: .sequence(.objectIdentifier("1.2.840.113549.1.1.5"), .null)
        case .rsaSHA256: .sequence(.objectIdentifier("1.2.840.113549.1.1.11"), .null)
        case .rsaPSS: .sequence(.objectIdentifier("1.2.840.113549.1.1.10"), Self.pssParameters)
        case .ed25519: .sequence(.objectIdentifier("1.3.101.112"))
        }
    }

    func isForKeys(of algorithm: CertificateKey.Algorithm) -> Bool {
        switch algorithm {
        case .p256, .p384, .p521: [.ecdsaSHA1, .ecdsaSHA256, .ecdsaSHA384, .ecdsaSHA512].contains(self)
        case .rsa: [.rsaSHA1, .rsaSHA256, .rsaPSS].contains(self)
        case .ed25519: self == .ed25519
        }
    }

    private static let pssParameters: DERValue = {
        let sha256 = DERValue.sequence(.objectIdentifier("2.16.840.1.101.3.4.2.1"), .null)
        let mgf1 = DERValue.sequence(.objectIdentifier("1.2.840.113549.1.1.8"), sha256)
        return .sequence(.explicit(0, sha256), .explicit(1, mgf1), .explicit(2, .integer(32)))
    }()
}
