import DevelopmentCertificates
public import SecureSockets

/// A certificate chain and its private key, generated in memory: for a configuration, and as PEM for files and other programs.
///
/// The key is not protected in any way. Use it for development and tests only.
public struct DevelopmentIdentity: Sendable {
    /// The identity for a configuration in this process.
    public let identity: TLSIdentity
    /// The certificate itself, without its chain.
    public let certificate: TLSCertificate
    /// The certificate and the intermediates above it in PEM, in the order of a chain file.
    public let certificateChainPEM: String
    /// The private key in PEM (PKCS#8, not encrypted).
    public let privateKeyPEM: String

    init(_ key: CertifiedKey) throws(SecureSocketError) {
        self.certificateChainPEM = key.certificateChainPEM
        self.privateKeyPEM = key.privateKeyPEM
        self.identity = try TLSIdentity(
            certificateChain: .text(self.certificateChainPEM), privateKey: .text(self.privateKeyPEM))
        self.certificate = try TLSCertificate(key.certificate)
    }
}

extension DevelopmentIdentity {
    /// The kind of a private key.
    public struct Key: Sendable, Hashable {
        let kind: KeyKind

        /// ECDSA on P-256: supported by every TLS peer, and fast to generate. The default.
        public static let p256 = Key(kind: .p256)
        /// ECDSA on P-384.
        public static let p384 = Key(kind: .p384)
        /// RSA with 2048 bits. Generating a key takes a tenth of a second or more.
        public static let rsa2048 = Key(kind: .rsa2048)
        /// Ed25519. Few browsers accept it.
        public static let ed25519 = Key(kind: .ed25519)
    }

    /// A permitted use of a certificate (extended key usage, RFC 5280 §4.2.1.12).
    public struct Purpose: Sendable, Hashable {
        let purpose: CertifiedKey.Purpose

        /// The server side of TLS.
        public static let server = Purpose(purpose: .server)
        /// The client side of TLS.
        public static let client = Purpose(purpose: .client)
    }

    /// A validity period, relative to the time at which the certificate is issued.
    public struct Validity: Sendable, Hashable {
        private enum Kind { case valid, expired, notYetValid }

        private let kind: Kind

        /// Valid now: certificates of servers and clients for 397 days, those of authorities for ten years, revocation lists for thirty
        /// days. The default.
        public static let valid = Validity(kind: .valid)
        /// Valid until yesterday.
        public static let expired = Validity(kind: .expired)
        /// Valid from thirty days in the future.
        public static let notYetValid = Validity(kind: .notYetValid)

        func dates(valid: ValidityDates) -> ValidityDates {
            switch self.kind {
            case .valid: valid
            case .expired: .expired
            case .notYetValid: .notYetValid
            }
        }
    }
}

/// The dates that ``DevelopmentIdentity/Validity`` stands for.
typealias ValidityDates = Validity
