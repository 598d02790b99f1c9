import Crypto
import Foundation
import Synchronization
import _CryptoExtras

/// A key pair of a certificate, of every kind that a test needs, weak ones included.
package struct CertificateKey: Sendable {
    /// Sendable without a check: the keys are immutable, and those of swift-crypto 3 are not declared so.
    private enum Backing: @unchecked Sendable {
        case p256(P256.Signing.PrivateKey)
        case p384(P384.Signing.PrivateKey)
        case p521(P521.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
        case ed25519(Curve25519.Signing.PrivateKey)
    }

    private let backing: Backing

    /// A new key on P-256.
    package static func p256() -> CertificateKey { Self(backing: .p256(P256.Signing.PrivateKey())) }
    package static func p384() -> CertificateKey { Self(backing: .p384(P384.Signing.PrivateKey())) }
    package static func p521() -> CertificateKey { Self(backing: .p521(P521.Signing.PrivateKey())) }
    package static func ed25519() -> CertificateKey { Self(backing: .ed25519(Curve25519.Signing.PrivateKey())) }

    /// An RSA key of this process: the same for the same number, because RSA keys take long to generate.
    package static func rsa(bits: Int, number: Int) throws -> CertificateKey {
        try Self.rsaKeys.withLock { keys in
            if let key = keys[[bits, number]] { return key }
            let key = CertificateKey(backing: .rsa(try .init(unsafeKeySize: .init(bitCount: bits))))
            keys[[bits, number]] = key
            return key
        }
    }

    private static let rsaKeys = Mutex<[[Int]: CertificateKey]>([:])

    /// PKCS#8, `PRIVATE KEY`.
    package var pem: String {
        let text =
            switch self.backing {
            case .p256(let key): key.pemRepresentation
            case .p384(let key): key.pemRepresentation
            case .p521(let key): key.pemRepresentation
            case .rsa(let key): key.pkcs8PEMRepresentation
            case .ed25519(let key):
                pemBlock(
                    "PRIVATE KEY",
                    DERValue.sequence(
                        .integer(0), .sequence(.objectIdentifier("1.3.101.112")),
                        .octetString(DERValue.octetString(Array(key.rawRepresentation)).bytes)
                    ).bytes)
            }
        return text.hasSuffix("\n") ? text : text + "\n"
    }

    /// `SubjectPublicKeyInfo`.
    var publicKeyInfo: DERValue {
        switch self.backing {
        case .p256(let key): DERValue(encoded: Array(key.publicKey.derRepresentation))
        case .p384(let key): DERValue(encoded: Array(key.publicKey.derRepresentation))
        case .p521(let key): DERValue(encoded: Array(key.publicKey.derRepresentation))
        case .rsa(let key): DERValue(encoded: Array(key.publicKey.derRepresentation))
        case .ed25519(let key):
            .sequence(.sequence(.objectIdentifier("1.3.101.112")), .bitString(Array(key.publicKey.rawRepresentation)))
        }
    }

    /// What key identifier extensions call this key.
    var identifier: [UInt8] { Array(SHA256.hash(data: self.publicKeyInfo.bytes).prefix(20)) }

    // MARK: Signatures

    /// What the key signs with if nothing else is asked for.
    var usualAlgorithm: SignatureAlgorithm {
        switch self.backing {
        case .p256: .ecdsaSHA256
        case .p384: .ecdsaSHA384
        case .p521: .ecdsaSHA512
        case .rsa: .rsaSHA256
        case .ed25519: .ed25519
        }
    }

    func sign(_ message: [UInt8], _ algorithm: SignatureAlgorithm) throws -> [UInt8] {
        switch algorithm {
        case .ecdsaSHA1: try self.signECDSA(Insecure.SHA1.hash(data: message))
        case .ecdsaSHA256: try self.signECDSA(SHA256.hash(data: message))
        case .ecdsaSHA384: try self.signECDSA(SHA384.hash(data: message))
        case .ecdsaSHA512: try self.signECDSA(SHA512.hash(data: message))
        case .rsaSHA1: try self.signRSA(Insecure.SHA1.hash(data: message))
        case .rsaSHA256: try self.signRSA(SHA256.hash(data: message))
        case .rsaPSS: try self.signRSA(SHA256.hash(data: message), padding: .PSS)
        case .ed25519: try self.signEd25519(message)
        }
    }

    private func signECDSA(_ digest: some Digest) throws -> [UInt8] {
        switch self.backing {
        case .p256(let key): try Array(key.signature(for: digest).derRepresentation)
        case .p384(let key): try Array(key.signature(for: digest).derRepresentation)
        case .p521(let key): try Array(key.signature(for: digest).derRepresentation)
        case .rsa, .ed25519: throw KeyCannotSign()
        }
    }

    private func signRSA(_ digest: some Digest, padding: _RSA.Signing.Padding = .insecurePKCS1v1_5) throws -> [UInt8] {
        guard case .rsa(let key) = self.backing else { throw KeyCannotSign() }
        return try Array(key.signature(for: digest, padding: padding).rawRepresentation)
    }

    private func signEd25519(_ message: [UInt8]) throws -> [UInt8] {
        guard case .ed25519(let key) = self.backing else { throw KeyCannotSign() }
        return try Array(key.signature(for: message))
    }

    /// The algorithm belongs to keys of another kind.
    private struct KeyCannotSign: Error {}
}

/// A PEM block of these bytes.
func pemBlock(_ label: String, _ bytes: [UInt8]) -> String {
    let text = Data(bytes).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
    return "-----BEGIN \(label)-----\n\(text)\n-----END \(label)-----\n"
}
