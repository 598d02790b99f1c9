internal import CNIOBoringSSL

/// Why a peer's certificate chain was refused: the library's code, the certificate it concerns, and where that stands.
package struct CertificateRefusal: Sendable, Hashable {
    /// BoringSSL's `X509_V_ERR_*`; `chainTooLong` is ours, for the library never reports it.
    package let code: Int32
    /// 0 is the peer's own certificate, 1 its issuer, and so on.
    package let position: Int
    /// The certificate at that position, where there is one.
    package let certificate: Certificate?
    /// The name or address that was asked for, where the check is about names.
    package let expectedName: String?
    /// For a chain that is too long: the highest position at which its trusted end was allowed to stand.
    package let depthLimit: Int?

    /// The library's words for the code.
    package var text: String {
        X509_verify_cert_error_string(Int(self.code)).map { String(cString: $0) } ?? "error \(self.code)"
    }

    package static let expired = X509_V_ERR_CERT_HAS_EXPIRED
    package static let notYetValid = X509_V_ERR_CERT_NOT_YET_VALID
    package static let badNotBefore = X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD
    package static let badNotAfter = X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD
    package static let selfSigned = X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    package static let selfSignedInChain = X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    package static let issuerMissing = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
    package static let issuerMissingLocally = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    package static let leafUnverifiable = X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
    package static let chainTooLong = X509_V_ERR_CERT_CHAIN_TOO_LONG
    package static let wrongPurpose = X509_V_ERR_INVALID_PURPOSE
    package static let invalidCA = X509_V_ERR_INVALID_CA
    package static let pathLengthExceeded = X509_V_ERR_PATH_LENGTH_EXCEEDED
    package static let badSignature = X509_V_ERR_CERT_SIGNATURE_FAILURE
    package static let nameMismatch = X509_V_ERR_HOSTNAME_MISMATCH
    package static let addressMismatch = X509_V_ERR_IP_ADDRESS_MISMATCH
    package static let revoked = X509_V_ERR_CERT_REVOKED
    package static let outOfMemory = X509_V_ERR_OUT_OF_MEM
}
