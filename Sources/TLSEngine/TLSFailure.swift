internal import CNIOBoringSSL

/// Why a connection's engine cannot go on.
package struct TLSFailure: Error, Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// The peer's certificate chain was refused by us.
        case certificateVerificationFailed(CertificateRefusal)
        /// The peer refused us, by a fatal alert (RFC 8446 §6.2).
        case alertReceived(AlertDescription)
        /// The peer ended the connection before the handshake was complete.
        case endedInHandshake
        /// What the peer sent is not TLS, or not as TLS has it, or has nothing in common with what we offer.
        case peerUnacceptable
        /// The library asked for something that this engine never offers.
        case unexpectedWait(code: Int32)
        /// The engine could not be set up: memory, or a setting that the library refuses.
        case setup
    }

    /// What the connection had seen that explains the failure.
    package indirect enum Explanation: Sendable, Equatable {
        /// A client certificate was asked for.
        case certificateRequest(CertificateRequest)
        /// The peer has seen the certificate with this subject.
        case shownCertificate(subject: String)
        /// The peer has sent these bytes, and perhaps more, in place of a TLS record; at most `longestPlaintext`.
        case plaintext([UInt8])
        /// The two sides have something not in common.
        case negotiation(FailedNegotiation)
        /// A handshake message is longer than is allowed.
        case messageTooLong(MessageTooLong)

        package static let longestPlaintext = 64
    }

    package struct MessageTooLong: Sendable, Hashable {
        package enum Kind: Sendable, Hashable { case hello, certificates, other }

        package let kind: Kind
        /// nil if the message came encrypted.
        package let length: Int?
        package let limit: Int
    }

    package let kind: Kind
    /// The library's own reason, where it gave one.
    package let reason: LibraryReason?
    package let explanation: Explanation?

    package init(_ kind: Kind, reason: LibraryReason? = nil, explanation: Explanation? = nil) {
        self.kind = kind
        self.reason = reason
        self.explanation = explanation
    }
}

/// A TLS alert description (RFC 8446 §6).
package struct AlertDescription: Sendable, Hashable, CustomStringConvertible {
    package let code: UInt8

    package init(code: UInt8) { self.code = code }

    /// Whether the alert is one about the receiver's certificate, or its absence: those of the certificate itself, `access_denied` and
    /// `certificate_required`.
    package var isAboutCertificate: Bool { [41, 42, 43, 44, 45, 46, 48, 49, 116].contains(self.code) }
    package var isHandshakeFailure: Bool { self.code == 40 }

    /// Whether a server that got no certificate sends this with TLS 1.2, which has no alert of its own for that: `handshake_failure`
    /// (RFC 5246 §7.4.6), an alert about certificates or, from GnuTLS, `decode_error`.
    var mayMeanMissingCertificate: Bool { self.isHandshakeFailure || self.isAboutCertificate || self.code == 50 }

    /// The name in RFC 8446 or, for alerts of TLS 1.2, RFC 5246, for example `unknown_ca`.
    package var description: String {
        switch self.code {
        case 0: "close_notify"
        case 10: "unexpected_message"
        case 20: "bad_record_mac"
        case 21: "decryption_failed"
        case 22: "record_overflow"
        case 40: "handshake_failure"
        case 41: "no_certificate"
        case 42: "bad_certificate"
        case 43: "unsupported_certificate"
        case 44: "certificate_revoked"
        case 45: "certificate_expired"
        case 46: "certificate_unknown"
        case 47: "illegal_parameter"
        case 48: "unknown_ca"
        case 49: "access_denied"
        case 50: "decode_error"
        case 51: "decrypt_error"
        case 70: "protocol_version"
        case 71: "insufficient_security"
        case 80: "internal_error"
        case 86: "inappropriate_fallback"
        case 90: "user_canceled"
        case 100: "no_renegotiation"
        case 109: "missing_extension"
        case 110: "unsupported_extension"
        case 112: "unrecognized_name"
        case 113: "bad_certificate_status_response"
        case 115: "unknown_psk_identity"
        case 116: "certificate_required"
        case 120: "no_application_protocol"
        default: "number \(self.code)"
        }
    }
}

extension TLSFailure {
    /// Sorts the library's reasons of a fatal error by whose fault it is.
    static func sorted(_ reasons: [LibraryReason]) -> TLSFailure {
        // An alert that was received is reported as a reason at this offset, and may come behind others.
        for reason in reasons where reason.library == Int32(ERR_LIB_SSL) {
            let alert = reason.code - SSL_AD_REASON_OFFSET
            if (0...255).contains(alert) {
                return TLSFailure(.alertReceived(AlertDescription(code: UInt8(alert))), reason: reason)
            }
        }
        // Below a reason of the protocol there may be one of a cipher, which tells less.
        return TLSFailure(
            .peerUnacceptable, reason: reasons.first { $0.library == Int32(ERR_LIB_SSL) } ?? reasons.first)
    }
}
