internal import CNIOBoringSSL

/// The reason for which a connection's engine cannot continue.
package struct TLSFailure: Error, Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// This side has refused the peer's certificate chain.
        case certificateVerificationFailed(CertificateRefusal)
        /// The program has refused the peer or its ClientHello.
        case refusedByProgram(ProgramRefusal)
        /// The client requests a server name that this server does not serve.
        case serverNameNotServed(String)
        /// The peer has ended the connection with a fatal alert (RFC 8446 §6.2).
        case alertReceived(AlertDescription)
        /// The peer ended the connection before the handshake was complete.
        case endedInHandshake
        /// The peer's input is not TLS, violates the protocol, or has nothing in common with this side's offer.
        case peerUnacceptable
        /// BoringSSL asked to wait for something that this engine does not provide.
        case unexpectedWait(code: Int32)
        /// The engine could not be set up: out of memory, or BoringSSL rejected a setting.
        case setup
    }

    /// An observation of the connection that explains the failure.
    package indirect enum Explanation: Sendable, Equatable {
        /// A client certificate was requested.
        case certificateRequest(CertificateRequest)
        /// The certificate with this subject was sent to the peer.
        case shownCertificate(subject: String)
        /// The peer has sent these bytes, and possibly more, in place of a TLS record. At most `longestPlaintext` are kept.
        case plaintext([UInt8])
        /// The two sides have no common value for a parameter.
        case negotiation(FailedNegotiation)
        /// A handshake message exceeds the permitted length.
        case messageTooLong(MessageTooLong)

        package static let longestPlaintext = 64
    }

    package struct MessageTooLong: Sendable, Hashable {
        package enum Kind: Sendable, Hashable { case hello, certificates, other }

        package let kind: Kind
        /// The length in bytes; nil if the message was encrypted.
        package let length: Int?
        package let limit: Int
    }

    package let kind: Kind
    /// BoringSSL's own reason, if it gave one.
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

    package static let unrecognizedName = AlertDescription(code: 112)
    static let noApplicationProtocol = AlertDescription(code: 120)

    /// Whether the alert is about the receiver's certificate or its absence: an alert about the certificate itself, `access_denied` or
    /// `certificate_required`.
    package var isAboutCertificate: Bool { [41, 42, 43, 44, 45, 46, 48, 49, 116].contains(self.code) }
    package var isHandshakeFailure: Bool { self.code == 40 }

    /// Whether a server that received no certificate sends this alert with TLS 1.2, which has no specific alert for that:
    /// `handshake_failure` (RFC 5246 §7.4.6), an alert about certificates or, from GnuTLS, `decode_error`.
    var mayMeanMissingCertificate: Bool { self.isHandshakeFailure || self.isAboutCertificate || self.code == 50 }

    /// The alert's name in RFC 8446 or, for alerts of TLS 1.2, in RFC 5246, for example `unknown_ca`.
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
    /// Classifies BoringSSL's reasons for a fatal error by cause.
    static func sorted(_ reasons: [LibraryReason]) -> TLSFailure {
        // A received alert is reported as a reason at this offset, possibly behind other reasons.
        for reason in reasons where reason.library == Int32(ERR_LIB_SSL) {
            let alert = reason.code - SSL_AD_REASON_OFFSET
            if (0...255).contains(alert) {
                return TLSFailure(.alertReceived(AlertDescription(code: UInt8(alert))), reason: reason)
            }
        }
        // A protocol reason may be followed by a cipher's reason, which is less informative.
        return TLSFailure(
            .peerUnacceptable, reason: reasons.first { $0.library == Int32(ERR_LIB_SSL) } ?? reasons.first)
    }
}
