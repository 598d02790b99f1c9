/// The identity of one side of a connection: a private key, its certificate, and the chain above it.
package struct CertifiedKey: Sendable {
    /// A purpose for which peers accept a certificate.
    package enum Purpose: Sendable, Hashable, CaseIterable {
        /// The server side of TLS.
        case server
        /// The client side of TLS.
        case client
    }

    private let key: CertificateKey
    /// The kind of the private key.
    package let keyKind: KeyKind
    /// The leaf's certificate.
    package let certificate: DevelopmentCertificate
    private let chain: [DevelopmentCertificate]

    init(issued: IssuedCertificate, keyKind: KeyKind, certificate: DevelopmentCertificate, chain: [DevelopmentCertificate]) {
        self.key = issued.key
        self.keyKind = keyKind
        self.certificate = certificate
        self.chain = chain
    }

    /// Creates a self-signed certificate. A peer accepts it only if this very certificate is trusted.
    package static func selfSigned(
        commonName: String = "localhost",
        names: [String] = ["localhost", "127.0.0.1", "::1"],
        purposes: Set<Purpose> = [.server, .client],
        key kind: KeyKind = .p256,
        validity: Validity = .leaf
    ) throws(DevelopmentCertificateError) -> CertifiedKey {
        let template = CertificateTemplate(
            commonName: commonName, role: .leaf(names: try names.subjectNames(), purposes), validity: validity)
        let issued = try template.signed(for: kind.generate(), by: nil)
        return CertifiedKey(issued: issued, keyKind: kind, certificate: DevelopmentCertificate(issued, template), chain: [])
    }

    /// The leaf's certificate alone.
    package var certificatePEM: String { self.certificate.pem }

    /// The leaf's certificate, then each authority above it except the root, which the peer already has.
    package var certificateChainPEM: String { ([self.certificate] + self.chain).map(\.pem).joined() }

    /// The key, PKCS#8 (`PRIVATE KEY`).
    package var privateKeyPEM: String { self.key.pem }

    /// The key in the format of older tools, SEC 1 or PKCS#1; nil for Ed25519, for which there is none.
    package var traditionalPrivateKeyPEM: String? { self.key.traditionalPEM }
}
