package import Foundation

/// An authority made in code: a certificate that signs others, and its key.
///
/// A chain starts at a root: `root().intermediate().issue(…)`. Chains are not validated here, because tests need invalid ones: an
/// intermediate below a path length of 0, a leaf that outlives its issuer.
package struct CertificateAuthority: Sendable {
    /// The certificate and the key, for a draft that this authority signs.
    package let issued: IssuedCertificate
    /// This authority's own certificate.
    package let certificate: DevelopmentCertificate
    /// The chain that a leaf of this authority has to send: this authority and those above, without the root.
    let chain: [DevelopmentCertificate]

    /// Creates a self-signed authority, to be trusted by peers.
    package static func root(
        commonName: String = "Development authority",
        pathLength: Int? = nil,
        key kind: KeyKind = .p256,
        validity: Validity = .authority
    ) throws(DevelopmentCertificateError) -> CertificateAuthority {
        let template = CertificateTemplate(
            commonName: commonName, role: .authority(pathLength: pathLength), validity: validity)
        let issued = try template.signed(for: kind.generate(), by: nil)
        return CertificateAuthority(issued: issued, certificate: DevelopmentCertificate(issued, template), chain: [])
    }

    /// Creates an authority that is signed by this one.
    package func intermediate(
        commonName: String = "Development intermediate",
        pathLength: Int? = nil,
        key kind: KeyKind = .p256,
        validity: Validity = .authority
    ) throws(DevelopmentCertificateError) -> CertificateAuthority {
        let template = CertificateTemplate(
            commonName: commonName, role: .authority(pathLength: pathLength), validity: validity)
        let issued = try template.signed(for: kind.generate(), by: self.issued)
        let certificate = DevelopmentCertificate(issued, template)
        return CertificateAuthority(issued: issued, certificate: certificate, chain: [certificate] + self.chain)
    }

    /// Creates a certificate for a server or a client, with its key.
    ///
    /// - Parameters:
    ///   - names: Host names, wildcards included, and IP addresses. Without any name of any kind the extension is left out.
    ///   - uris: For example SPIFFE IDs.
    ///   - emailAddresses: For example of a person who connects.
    ///   - purposes: The permitted purposes. If empty, the extension is omitted, which permits everything.
    package func issue(
        commonName: String,
        names: [String] = [],
        uris: [String] = [],
        emailAddresses: [String] = [],
        purposes: Set<CertifiedKey.Purpose> = [.server],
        key kind: KeyKind = .p256,
        validity: Validity = .leaf
    ) throws(DevelopmentCertificateError) -> CertifiedKey {
        let template = CertificateTemplate(
            commonName: commonName,
            role: .leaf(names: try names.subjectNames() + uris.subjectURIs() + emailAddresses.subjectEmailAddresses(), purposes),
            validity: validity)
        let issued = try template.signed(for: kind.generate(), by: self.issued)
        let certificate = DevelopmentCertificate(issued, template)
        return CertifiedKey(issued: issued, keyKind: kind, certificate: certificate, chain: self.chain)
    }

    /// Creates a list of certificates of this authority that it has revoked.
    ///
    /// - Parameters:
    ///   - nextUpdate: The end of the list's validity. Default: thirty days after `thisUpdate`.
    ///   - number: The list's number, which increases from list to list (RFC 5280 §5.2.3).
    package func revocationList(
        revoking entries: [RevocationListDraft.Entry] = [],
        thisUpdate: Date = Date(),
        nextUpdate: Date? = nil,
        number: Int = 1
    ) throws(DevelopmentCertificateError) -> SignedRevocationList {
        let draft = RevocationListDraft(
            thisUpdate: thisUpdate, nextUpdate: nextUpdate ?? thisUpdate.addingTimeInterval(30 * 86_400), number: number,
            entries: entries)
        do {
            return try draft.signed(by: self.issued)
        } catch {
            throw .cannotSignRevocationList(authority: self.certificate.commonName, reason: String(describing: error))
        }
    }

    /// This authority's own certificate. For a root, the file to trust.
    package var certificatePEM: String { self.certificate.pem }

    /// This authority's key, PKCS#8.
    package var privateKeyPEM: String { self.issued.key.pem }
}
