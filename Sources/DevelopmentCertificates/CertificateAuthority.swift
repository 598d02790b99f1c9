package import X509

/// An authority made in code: a certificate that signs others, and its key.
///
/// A chain grows from a root: `root().intermediate().issue(…)`. Nothing here checks that a chain makes sense, because
/// tests need chains that do not: an intermediate below a path length of 0, a leaf that outlives its issuer.
package struct CertificateAuthority: Sendable {
    let signed: SignedCertificate
    let key: GeneratedKey
    /// What a leaf of this authority has to send along: this authority and those above, without the root.
    let chain: [SignedCertificate]

    /// Makes an authority that signs itself: what a peer is told to trust.
    package static func root(
        commonName: String = "Development authority",
        pathLength: Int? = nil,
        key kind: KeyKind = .p256,
        validity: Validity = .authority
    ) throws(DevelopmentCertificateError) -> CertificateAuthority {
        let key = try GeneratedKey(kind)
        let template = CertificateTemplate(
            commonName: commonName, role: .authority(pathLength: pathLength), validity: validity)
        return CertificateAuthority(signed: try template.signed(for: key, by: nil), key: key, chain: [])
    }

    /// Makes an authority that this one vouches for.
    package func intermediate(
        commonName: String = "Development intermediate",
        pathLength: Int? = nil,
        key kind: KeyKind = .p256,
        validity: Validity = .authority
    ) throws(DevelopmentCertificateError) -> CertificateAuthority {
        let key = try GeneratedKey(kind)
        let template = CertificateTemplate(
            commonName: commonName, role: .authority(pathLength: pathLength), validity: validity)
        let signed = try template.signed(for: key, by: self)
        return CertificateAuthority(signed: signed, key: key, chain: [signed] + self.chain)
    }

    /// Makes a certificate for a server or a client, with its key.
    ///
    /// - Parameters:
    ///   - names: Host names, wildcards included, and IP addresses; none leaves the extension out.
    ///   - purposes: What peers may accept the certificate for; none leaves the extension out, which allows everything.
    package func issue(
        commonName: String,
        names: [String] = [],
        purposes: Set<CertifiedKey.Purpose> = [.server],
        key kind: KeyKind = .p256,
        validity: Validity = .leaf
    ) throws(DevelopmentCertificateError) -> CertifiedKey {
        let key = try GeneratedKey(kind)
        let template = CertificateTemplate(
            commonName: commonName, role: .leaf(names: try names.subjectNames(), purposes), validity: validity)
        return CertifiedKey(signed: try template.signed(for: key, by: self), key: key, chain: self.chain)
    }

    /// This authority's own certificate.
    package var certificate: Certificate { self.signed.certificate }

    /// This authority's own certificate, the file to trust when it is a root.
    package var certificatePEM: String { self.signed.pem }

    /// This authority's key, PKCS#8.
    package var privateKeyPEM: String { self.key.pkcs8PEM }
}
