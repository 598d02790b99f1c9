import TLSEngine

extension FailureMessage {
    /// Describes a fatal alert, with which the peer ended the connection (RFC 8446 §6.2).
    init(_ alert: AlertDescription, receivedBy role: TLSSettings.Role, _ explanation: TLSFailure.Explanation?) {
        switch explanation {
        case .certificateRequest(let request):
            guard let subject = request.shownSubject else {
                self.init(
                    "it asked for a client certificate\(request.issuedBy) and got none (\(alert))",
                    "Give the configuration an identity that the server accepts")
                return
            }
            if alert.isHandshakeFailure {
                self.init(
                    "it asked for a client certificate, got \(subject.quotedSubject), and does not say why it refuses it (\(alert))",
                    "The server's log may say more. Was the certificate issued by an authority that it accepts\(request.listed)?")
            } else {
                self.init(aboutCertificate: alert, "this client's certificate \(subject.quotedSubject)", role, request)
            }
        case .shownCertificate(let subject):
            self.init(aboutCertificate: alert, "this server's certificate \(subject.quotedSubject)", role, nil)
        case .negotiation(let negotiation):
            self.init(negotiation, alert.description, role)
        case .plaintext, .messageTooLong, nil:
            self.init(alert, role)
        }
    }

    /// - Parameter mine: The certificate that the peer has rejected.
    private init(
        aboutCertificate alert: AlertDescription, _ mine: String, _ role: TLSSettings.Role, _ request: CertificateRequest?
    ) {
        let text =
            switch alert.description {
            case "unknown_ca": "it does not trust the authority of \(mine)"
            case "unsupported_certificate": "\(mine) is of a kind that it does not support, or not for this purpose"
            case "certificate_expired": "\(mine) has expired, or is not valid yet, by its clock"
            case "certificate_revoked": "\(mine) has been revoked"
            case "certificate_unknown": "it refused \(mine) without saying why"
            case "access_denied": "it does not grant access with \(mine)"
            case "certificate_required": "it requires another certificate than \(mine)"
            default: "it does not accept \(mine)"
            }
        let advice: String? =
            switch (alert.description, role) {
            case ("unknown_ca", .server): "Have the client trust the authority of this server, and send the whole chain"
            case ("unknown_ca", .client):
                "Use a certificate of an authority that the server trusts\(request?.listed ?? ""), and send the whole chain"
            case ("certificate_expired", _): "Renew the certificate, and check the clocks of both sides"
            case ("certificate_revoked", _): "Have a new certificate issued"
            case ("bad_certificate", .client), ("certificate_unknown", .client), ("unsupported_certificate", .client):
                "The server's log may say why: it may be of another authority, expired, or not for clients"
            case ("bad_certificate", .server), ("certificate_unknown", .server), ("unsupported_certificate", .server):
                "The client may say why: the certificate may be for another name, of an authority it does not trust, or expired"
            // RFC 8446 §6.2 defines this for a valid certificate. GnuTLS's server also sends it for one that it does not trust.
            case ("access_denied", .client):
                "Use a certificate of an authority that the server trusts\(request?.listed ?? ""), and have it grant access to this subject"
            default: nil
            }
        self.init("\(text) (\(alert))", advice)
    }

    private init(_ alert: AlertDescription, _ role: TLSSettings.Role) {
        let me = role == .client ? "this client" : "this server"
        let (text, advice): (String, String?) =
            switch alert.description {
            case "handshake_failure":
                (
                    role == .client
                        ? "it does not say why"
                        : "it accepts nothing of what this server chose, or refuses for another reason", nil
                )
            case "protocol_version": ("it does not accept the version of TLS that was chosen", nil)
            case "insufficient_security": ("it requires stronger cryptography than was chosen", nil)
            case "no_application_protocol": ("it does not accept the application protocol that was chosen", nil)
            case "unrecognized_name":
                ("it does not know the server name that was asked for", "Check the name, or ask for one that the server has")
            case "no_renegotiation": ("it refuses to renegotiate", nil)
            case "bad_record_mac", "decryption_failed":
                (
                    "a record that \(me) sent arrived changed, or was encrypted with another key",
                    "Look for a proxy or another device in between that changes bytes"
                )
            case "decrypt_error":
                ("it could not verify a signature or the end of the handshake: this may have been changed on its way", nil)
            case "unexpected_message": ("it received an unexpected message", nil)
            case "record_overflow": ("it received a record that is too long", nil)
            case "decode_error": ("it could not read a message of \(me)", nil)
            case "illegal_parameter": ("it found a value in a message of \(me) that is not allowed", nil)
            case "unsupported_extension": ("it received an extension that it had not offered", nil)
            case "missing_extension": ("it requires an extension that \(me) does not send", nil)
            case "inappropriate_fallback":
                ("it has a newer version of TLS than the one offered in a second attempt", "Offer all versions from the start")
            case "internal_error": ("it failed for an internal reason", "Its log may say more")
            case "user_canceled": ("its user canceled the handshake", nil)
            case "unknown_psk_identity": ("it does not know the session or key that was offered", nil)
            default:
                (
                    alert.isAboutCertificate
                        ? "it refused the certificate of \(me), or that there is none" : "it sent a fatal alert", nil
                )
            }
        self.init("\(text) (\(alert))", advice)
    }
}

extension TLSFailure.Explanation {
    /// The authorities of a certificate request, to follow a word for them; empty if none are named.
    var listedAuthorities: String {
        if case .certificateRequest(let request) = self { request.listed } else { "" }
    }
}

extension CertificateRequest {
    /// The authorities in parentheses, after a space; empty if none are named.
    fileprivate var listed: String { self.authorities.isEmpty ? "" : " (\(self.names))" }

    /// The authorities that may have issued the certificate, after a space; empty if none are named.
    fileprivate var issuedBy: String { self.authorities.isEmpty ? "" : " issued by \(self.names)" }

    private var names: String {
        let shown = self.authorities.map(\.abbreviatedForDisplay)
        let rest = self.authorityCount - shown.count
        if rest > 0 { return "\(shown.joined(separator: ", ")) or one of \(rest) more" }
        guard shown.count > 1, let last = shown.last else { return shown.joined() }
        return "\(shown.dropLast().joined(separator: ", ")) or \(last)"
    }
}

extension String {
    /// A distinguished name for a message. The parentheses delimit it, because it contains commas.
    fileprivate var quotedSubject: String { self.isEmpty ? "(without a subject)" : "(\(self.abbreviatedForDisplay))" }
}
