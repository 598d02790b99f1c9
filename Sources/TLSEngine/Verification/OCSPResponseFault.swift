/// The reason for which a stapled OCSP response does not show that a certificate is good.
package enum OCSPResponseFault: Error, Sendable, Hashable {
    // MARK: Encoding
    case tooLong(limit: Int)
    case malformed
    /// The responder's error in place of a status: `OCSPResponseStatus` (RFC 6960 §4.2.1). Such a response is not signed.
    case unsuccessful(status: Int)
    /// The response is not a basic one, which is the only type that RFC 6960 defines.
    case otherType(OID)
    /// An extension that is not supported is critical.
    case criticalExtension(OID)

    // MARK: The responder and its signature
    /// The response names neither the issuer nor a certificate that it contains and the issuer has signed.
    case responderUnknown
    /// The responder's certificate is not for signing OCSP responses.
    case responderNotAuthorized
    /// The responder's certificate has an extension that cannot be decoded, or a critical one that is not supported.
    case responderMalformed
    /// The responder's certificate has expired or is not valid yet.
    case responderNotValid
    case responderWeak(CertificateWeakness)
    case badSignature
    /// The response is signed with SHA-1.
    case weakSignature
    case unsupportedSignature(OID)
    /// Verifying the signatures takes more work than a peer may cause.
    case tooMuchWork

    // MARK: The status
    /// The response has no status of this certificate.
    case otherCertificate
    /// The responder does not know the certificate.
    case unknownCertificate
    /// The certificate is revoked. For a server's own certificate only; a peer's is refused as revoked.
    case revoked(Revocation)
    /// The response is from the future. The time is in seconds since 1970-01-01 UTC.
    case notYetValid(thisUpdate: Int64)
    /// A newer response is due. The time is in seconds since 1970-01-01 UTC.
    case outdated(nextUpdate: Int64)
    /// The response does not say until when it is valid.
    case noNextUpdate
}
