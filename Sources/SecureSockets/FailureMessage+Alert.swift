import TLSEngine

extension FailureMessage {
    /// The meaning of a fatal alert, which the peer sent to end the connection (RFC 8446 §6.2).
    init(_ alert: TLSAlert, receivedBy role: TLSSettings.Role) {
        let mine = role == .client ? "this client's" : "this server's"
        let text =
            switch alert.description {
            case "unknown_ca": "it does not trust the authority of \(mine) certificate (unknown_ca)"
            case "bad_certificate": "it does not accept \(mine) certificate (bad_certificate)"
            case "certificate_expired": "\(mine) certificate has expired (certificate_expired)"
            case "certificate_revoked": "\(mine) certificate has been revoked (certificate_revoked)"
            case "certificate_unknown": "it could not verify \(mine) certificate (certificate_unknown)"
            case "certificate_required": "it wants a client certificate and got none (certificate_required)"
            case "handshake_failure": "it found nothing in common with what was offered (handshake_failure)"
            case "protocol_version": "it speaks no version of TLS that was offered (protocol_version)"
            case "no_application_protocol": "it speaks none of the application protocols offered (no_application_protocol)"
            case "unrecognized_name": "it does not know the server name that was asked for (unrecognized_name)"
            case "no_renegotiation": "it refuses to renegotiate (no_renegotiation)"
            default: "alert \(alert)"
            }
        let advice: String? =
            switch (alert.description, role) {
            case ("unknown_ca", .server): "Have the client trust the authority of this server, and send the whole chain"
            case ("unknown_ca", .client): "Use a certificate of an authority that the server trusts"
            case ("certificate_required", .client), ("handshake_failure", .client):
                "If the server wants a client certificate, configure an identity"
            default: nil
            }
        self.init(text, advice)
    }
}
