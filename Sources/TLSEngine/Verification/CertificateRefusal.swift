internal import CNIOBoringSSL

/// The reason for which a peer's certificate chain was refused: a code, the certificate at fault, and its depth.
package struct CertificateRefusal: Sendable, Hashable {
    /// A finding of this engine's own checks, or one that explains a refusal by BoringSSL.
    package enum Detail: Sendable, Hashable {
        /// The certificate issued another one but is not an authority according to its basic constraints or key usage.
        case notAuthority
        /// A certificate with the issuer's name has another key.
        case issuerHasOtherKey(isTrusted: Bool)
        /// The issuer's certificate was sent, but its extensions cannot be parsed.
        case issuerUnreadable
        case weak(CertificateWeakness)
        /// The algorithm of the certificate's signature is not supported.
        case unsupportedSignature(OID)
        /// The key usage does not permit the signature that the handshake needs.
        case lacksDigitalSignature
        /// A client sent the certificate, which is for server authentication only.
        case forServersOnly
        /// An extension occurs twice (RFC 5280 §4.2).
        case duplicateExtension(OID)
        /// A revocation list has the certificate.
        case revoked(Revocation)
        /// No valid revocation list covers the certificate.
        case revocationUnknown(RevocationGap)
        /// The OCSP response that the server has stapled does not show that its certificate is good.
        case badStatusResponse(OCSPResponseFault)
        /// The certificate requires a stapled OCSP response, and the server has sent none, or its responder's error (`OCSPResponseStatus`).
        case statusResponseMissing(responderError: Int?)
        /// Deciding whether the chain is good takes more work than a peer may cause.
        case tooMuchWork
    }

    /// BoringSSL's `X509_V_ERR_*`, also for refusals by this engine.
    package let code: Int32
    package var detail: Detail? = nil
    /// The depth of the certificate at fault: 0 is the peer's own certificate, 1 its issuer, and so on.
    package let depth: Int
    /// The certificate at that depth, if there is one.
    package let certificate: DecodedCertificate?
    /// The expected name or address, for a check of names.
    package var expectedName: String? = nil
    /// For a chain that is too long: the greatest permitted depth of its trusted end.
    package var depthLimit: Int? = nil

    /// BoringSSL's text for the code.
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
    package static let unknownCriticalExtension = X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION
    package static let notPermitted = X509_V_ERR_PERMITTED_VIOLATION
    package static let excluded = X509_V_ERR_EXCLUDED_VIOLATION
    package static let unsupportedConstraint = X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE
    package static let unsupportedConstraintSyntax = X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX
    package static let constraintWithoutAlternativeNames = X509_V_ERR_NAME_CONSTRAINTS_WITHOUT_SANS
    package static let invalidExtension = X509_V_ERR_INVALID_EXTENSION
    package static let ofThisEngine = X509_V_ERR_APPLICATION_VERIFICATION
    package static let revoked = X509_V_ERR_CERT_REVOKED
    package static let revocationListMissing = X509_V_ERR_UNABLE_TO_GET_CRL
    package static let revocationListOutdated = X509_V_ERR_CRL_HAS_EXPIRED
    package static let outOfMemory = X509_V_ERR_OUT_OF_MEM
}

extension CertificateRefusal {
    /// The code from which BoringSSL derives the alert that the peer receives.
    ///
    /// For the codes of missing and outdated revocation lists, BoringSSL sends `unknown_ca` and `certificate_expired`, which the peer would
    /// misunderstand: its certificate and its authority are not at fault. It sends `certificate_unknown` for this one.
    var codeForAlert: Int32 {
        if case .revocationUnknown = self.detail { X509_V_ERR_DIFFERENT_CRL_SCOPE } else { self.code }
    }

    init(_ code: Int32, _ detail: Detail? = nil, depth: Int, of certificate: OpaquePointer?) {
        self.init(code: code, detail: detail, depth: depth, certificate: certificate.map { DecodedCertificate(borrowing: $0) })
    }
}

extension CertificateRefusal {
    /// The alert that tells the peer the reason.
    package var alert: AlertDescription {
        switch self.detail {
        case .badStatusResponse, .statusResponseMissing:
            // RFC 8446 §6.2.
            return AlertDescription(code: UInt8(SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE))
        default: break
        }
        return AlertDescription(code: UInt8(truncatingIfNeeded: SSL_alert_from_verify_result(Int(self.codeForAlert))))
    }
}
