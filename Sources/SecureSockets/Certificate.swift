package import TLSEngine

/// An X.509 certificate: a peer's, or one of this side's own (RFC 5280).
public struct Certificate: Sendable, Hashable {
    package let decoded: DecodedCertificate

    package init(_ decoded: DecodedCertificate) { self.decoded = decoded }

    /// The certificate in DER. `X509.Certificate(derEncoded:)` of swift-certificates decodes it further.
    public var derBytes: [UInt8] { self.decoded.derBytes }

    /// The SHA-256 digest of the certificate, as 64 lower-case hexadecimal digits: what `openssl x509 -fingerprint -sha256` prints with colons.
    public var sha256Fingerprint: String { self.decoded.sha256Fingerprint }

    /// The serial number, which the issuer gives to one certificate only: a positive number, its most significant byte first.
    public var serialNumber: [UInt8] { self.decoded.serialNumber }

    /// The subject's distinguished name (RFC 2253), for example `CN=localhost`; may be empty.
    public var subject: String { self.decoded.subject }

    /// The issuer's distinguished name (RFC 2253).
    public var issuer: String { self.decoded.issuer }

    /// The first moment of the validity, in seconds since 1970-01-01 UTC; nil if the date cannot be decoded.
    public var notBefore: Int64? { self.decoded.notBefore }

    /// The last moment of the validity, in seconds since 1970-01-01 UTC; nil if the date cannot be decoded.
    public var notAfter: Int64? { self.decoded.notAfter }

    /// The kind and size of the public key.
    public var publicKey: PublicKeyKind { PublicKeyKind(self.decoded.publicKey) }

    /// The subject's alternative names (RFC 5280 §4.2.1.6), in the order of the certificate. Names of other kinds than those of
    /// ``AlternativeName/Kind`` are left out.
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

extension Certificate {
    /// An alternative name of a subject, and its kind.
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

        public var kind: Kind { Kind(kind: self.name.kind) }

        /// The name itself, for example `example.org`, `127.0.0.1`, `operator@example.org` or `spiffe://example.org/service`. It comes from
        /// the certificate as it is, and may contain any characters.
        public var value: String { self.name.value }
    }

    /// The kind and size of a public key.
    public struct PublicKeyKind: Sendable, Hashable {
        fileprivate let kind: DecodedCertificate.PublicKey

        fileprivate init(_ kind: DecodedCertificate.PublicKey) { self.kind = kind }

        /// RSA with a modulus of this many bits.
        public static func rsa(bits: Int) -> PublicKeyKind { PublicKeyKind(.rsa(bits: bits)) }
        public static let p256 = PublicKeyKind(.p256)
        public static let p384 = PublicKeyKind(.p384)
        public static let p521 = PublicKeyKind(.p521)
        public static let ed25519 = PublicKeyKind(.ed25519)
        /// A key of another kind, which is not supported.
        public static let other = PublicKeyKind(.other)
    }
}

extension Certificate.AlternativeName: CustomStringConvertible {
    /// The kind and the name, for example `DNS:example.org`, as OpenSSL writes them. Special characters are escaped.
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

extension Certificate.PublicKeyKind: CustomStringConvertible {
    /// For example `RSA 2048`, `P-256` or `Ed25519`.
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
