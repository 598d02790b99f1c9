package import X509

/// What one side of a connection shows to prove who it is: a private key, its certificate, and the chain above it.
package struct CertifiedKey: Sendable {
    /// What peers may accept a certificate for.
    package enum Purpose: Sendable, Hashable, CaseIterable {
        /// The server side of TLS.
        case server
        /// The client side of TLS.
        case client
    }

    let signed: SignedCertificate
    let key: GeneratedKey
    let chain: [SignedCertificate]

    /// Makes a certificate that vouches for itself. A peer accepts it only where it is told to trust exactly this one.
    package static func selfSigned(
        commonName: String = "localhost",
        names: [String] = ["localhost", "127.0.0.1", "::1"],
        purposes: Set<Purpose> = [.server, .client],
        key kind: KeyKind = .p256,
        validity: Validity = .leaf
    ) throws(DevelopmentCertificateError) -> CertifiedKey {
        let key = try GeneratedKey(kind)
        let template = CertificateTemplate(
            commonName: commonName, role: .leaf(names: try names.subjectNames(), purposes), validity: validity)
        return CertifiedKey(signed: try template.signed(for: key, by: nil), key: key, chain: [])
    }

    /// The leaf's certificate.
    package var certificate: Certificate { self.signed.certificate }

    /// The kind of the private key.
    package var keyKind: KeyKind { self.key.kind }

    /// The leaf's certificate alone.
    package var certificatePEM: String { self.signed.pem }

    /// The leaf's certificate, then each authority above it up to the root, which the peer has already.
    package var certificateChainPEM: String { ([self.signed] + self.chain).map(\.pem).joined() }

    /// The key, PKCS#8 (`PRIVATE KEY`).
    package var privateKeyPEM: String { self.key.pkcs8PEM }

    /// The key as older tools write it, SEC 1 or PKCS#1; nil for Ed25519, which has no such form.
    package var traditionalPrivateKeyPEM: String? { self.key.traditionalPEM }
}
