package import TLSEngine

/// An X.509 certificate (RFC 5280), of a peer or of this side.
public struct TLSCertificate: Sendable, Hashable {
    package let decoded: DecodedCertificate

    package init(_ decoded: DecodedCertificate) { self.decoded = decoded }

    /// Decodes a certificate.
    ///
    /// - Parameter derBytes: The certificate in DER.
    /// - Throws: ``SecureSocketError`` with the code `certificateUnusable`.
    public init(derBytes: [UInt8]) throws(SecureSocketError) {
        do {
            self.decoded = try DecodedCertificate(decoding: derBytes)
        } catch {
            throw SecureSocketError(error)
        }
    }

    /// The certificate's DER encoding. `X509.Certificate(derEncoded:)` of swift-certificates decodes it in full.
    public var derBytes: [UInt8] { self.decoded.derBytes }

    /// The SHA-256 digest of the DER encoding, as 64 lowercase hexadecimal digits without separators.
    ///
    /// `openssl x509 -fingerprint -sha256` prints the same digest in uppercase, with colons.
    public var sha256Fingerprint: String { self.decoded.sha256Fingerprint }

    /// The SHA-256 digest of the `SubjectPublicKeyInfo`, in base64 (RFC 7469 §2.4). It stays the same when the certificate is renewed with
    /// the same key.
    public var publicKeyPin: String { self.decoded.publicKeyPin }

    /// The serial number: a positive integer, most significant byte first. An issuer uses each number once.
    public var serialNumber: [UInt8] { self.decoded.serialNumber }

    /// The subject's distinguished name (RFC 2253), for example `CN=localhost`. It may be empty.
    public var subject: String { self.decoded.subject }

    /// The issuer's distinguished name (RFC 2253).
    public var issuer: String { self.decoded.issuer }

    /// The start of the validity period, in seconds since 1970-01-01 UTC; nil if the date cannot be decoded.
    public var notBefore: Int64? { self.decoded.notBefore }

    /// The end of the validity period, in seconds since 1970-01-01 UTC; nil if the date cannot be decoded.
    public var notAfter: Int64? { self.decoded.notAfter }

    /// The kind and size of the certificate's public key.
    public var publicKey: PublicKeyKind { PublicKeyKind(self.decoded.publicKey) }

    /// The subject alternative names (RFC 5280 §4.2.1.6), in the order of the certificate. Names of kinds that ``AlternativeName/Kind``
    /// does not list are omitted. Empty if the certificate has more than 4096 names.
    public var alternativeNames: [AlternativeName] { self.decoded.alternativeNames.map(AlternativeName.init) }

    /// The DNS names among the alternative names.
    public var dnsNames: [String] { self.values(of: .dns) }

    /// The IP addresses among the alternative names, for example `127.0.0.1`.
    public var ipAddresses: [String] { self.values(of: .ipAddress) }

    /// The e-mail addresses among the alternative names.
    public var emailAddresses: [String] { self.values(of: .email) }

    /// The URIs among the alternative names, for example a SPIFFE ID.
    public var uris: [String] { self.values(of: .uri) }

    private func values(of kind: DecodedCertificate.AlternativeName.Kind) -> [String] {
        self.decoded.alternativeNames.lazy.filter { $0.kind == kind }.map(\.value)
    }
}

extension TLSCertificate {
    /// A subject alternative name and its kind.
    public struct AlternativeName: Sendable, Hashable {
        fileprivate let name: DecodedCertificate.AlternativeName

        fileprivate init(_ name: DecodedCertificate.AlternativeName) { self.name = name }

        /// The kind of an alternative name.
        public struct Kind: Sendable, Hashable {
            fileprivate let kind: DecodedCertificate.AlternativeName.Kind

            public static let dns = Kind(kind: .dns)
            public static let ipAddress = Kind(kind: .ipAddress)
            public static let email = Kind(kind: .email)
            public static let uri = Kind(kind: .uri)
        }

        /// The kind of the name.
        public var kind: Kind { Kind(kind: self.name.kind) }

        /// The name itself, for example `example.org`, `127.0.0.1`, `operator@example.org` or `spiffe://example.org/service`.
        ///
        /// The value is taken from the certificate unchanged and may contain any characters.
        public var value: String { self.name.value }
    }

    /// The kind and size of a public key.
    public struct PublicKeyKind: Sendable, Hashable {
        fileprivate let kind: DecodedCertificate.PublicKey

        fileprivate init(_ kind: DecodedCertificate.PublicKey) { self.kind = kind }

        /// Returns RSA with a modulus of this many bits.
        public static func rsa(bits: Int) -> PublicKeyKind { PublicKeyKind(.rsa(bits: bits)) }
        public static let p256 = PublicKeyKind(.p256)
        public static let p384 = PublicKeyKind(.p384)
        public static let p521 = PublicKeyKind(.p521)
        public static let ed25519 = PublicKeyKind(.ed25519)
        /// A key of an unsupported kind.
        public static let other = PublicKeyKind(.other)
    }
}

extension TLSCertificate.AlternativeName: CustomStringConvertible {
    /// The kind and the name in OpenSSL's notation, for example `DNS:example.org`. Special characters are escaped.
    public var description: String {
        let prefix =
            switch self.name.kind {
            case .dns: "DNS"
            case .ipAddress: "IP"
            case .email: "email"
            case .uri: "URI"
            }
        return "\(prefix):\(self.value.escapedForDisplay)"
    }
}

extension TLSCertificate.PublicKeyKind: CustomStringConvertible {
    /// The kind and, for RSA, the size, for example `RSA 2048`, `P-256` or `Ed25519`.
    public var description: String {
        switch self.kind {
        case .rsa(let bits): "RSA \(bits)"
        case .p256: "P-256"
        case .p384: "P-384"
        case .p521: "P-521"
        case .ed25519: "Ed25519"
        case .other: "another kind"
        }
    }
}
