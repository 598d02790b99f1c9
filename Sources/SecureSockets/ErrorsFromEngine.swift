package import TLSEngine

extension SecureSocketError {
    package init(_ error: TLSSettingsError) {
        func make(_ code: Code, _ text: String, _ classic: String, reason: LibraryReason?) -> SecureSocketError {
            SecureSocketError(
                code, blame: .configuration, step: .configuring, text, libraryReason: reason?.name, classicReason: classic)
        }
        switch error {
        case .credential(let error): self.init(error)
        case .ciphers(let list, let reason):
            self = make(
                .ciphersUnusable, "the cipher list \"\(list.escapedForDisplay)\" is empty or names an unknown cipher", "ecipher",
                reason: reason)
        case .groups(let reason):
            self = make(.invalidConfiguration, "the list of groups is empty or names one twice", "eoptions", reason: reason)
        case .applicationProtocol(let name):
            self = make(
                .invalidConfiguration,
                name.utf8.contains(0)
                    ? "the application protocol \"\(name.escapedForDisplay)\" must not contain a NUL character"
                    : "the application protocol \"\(name.abbreviatedForDisplay)\" must be 1 to 255 bytes long",
                "eoptions", reason: nil)
        case .library(let reason):
            self = make(.invalidConfiguration, "the TLS library refused the configuration", "enomem", reason: reason)
        }
    }

    /// Tells why a connection's TLS cannot go on.
    ///
    /// - Parameter peer: Whom this is about, for example `example.org:443`.
    init(_ failure: TLSFailure, role: TLSSettings.Role, step: Step, peer: String) {
        let reason = failure.reason?.name
        let peer = peer.escapedForDisplay
        switch failure.kind {
        case .certificateRefused(let refusal):
            let problem = CertificateProblem(refusal)
            self.init(
                .certificateRefused, blame: .peer, step: step, "\(peer): \(problem)", advice: problem.advice,
                certificateProblem: problem, libraryReason: reason, classicReason: problem.classicReason)
        case .alertReceived(let alert):
            self.init(
                .refusedByPeer, blame: .peer, step: step, "\(peer) refused the connection: \(Self.text(of: alert, role))",
                advice: Self.advice(for: alert, role), alert: alert.description, libraryReason: reason,
                classicReason: "esslerrssl")
        case .endedInHandshake:
            self.init(
                .endedInHandshake, blame: .peer, step: step, "\(peer) ended the connection in mid-handshake",
                advice: role == .client ? "Does this port speak TLS? Its log may say why it hung up" : nil,
                classicReason: role == .client ? "esslconnect" : "esslaccept")
        case .peerUnacceptable:
            let (text, advice) = Self.text(ofLibraryReason: reason, role)
            self.init(
                .protocolError, blame: .peer, step: step, "\(peer): \(text)", advice: advice, libraryReason: reason,
                classicReason: "esslerrssl")
        case .unexpectedWait(let code):
            self.init(
                .protocolError, blame: .system, step: step, "\(peer): the TLS library waits for something unexpected (\(code))",
                libraryReason: reason, classicReason: "esslerrssl")
        case .setup:
            self.init(
                .invalidConfiguration, blame: .configuration, step: .configuring,
                "\(peer): the TLS library refused the connection's settings (is the name a valid host name?)",
                libraryReason: reason, classicReason: "einval")
        }
    }

    private static func text(of alert: TLSAlert, _ role: TLSSettings.Role) -> String {
        let mine = role == .client ? "this client's" : "this server's"
        return switch alert.description {
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
        default: "alert \(alert)"
        }
    }

    private static func advice(for alert: TLSAlert, _ role: TLSSettings.Role) -> String? {
        switch (alert.description, role) {
        case ("unknown_ca", .server): "Have the client trust the authority of this server, and send the whole chain"
        case ("unknown_ca", .client): "Use a certificate of an authority that the server trusts"
        case ("certificate_required", .client), ("handshake_failure", .client):
            "If the server wants a client certificate, configure an identity"
        default: nil
        }
    }

    private static func text(ofLibraryReason reason: String?, _ role: TLSSettings.Role) -> (String, String?) {
        switch reason {
        case "HTTP_REQUEST", "HTTPS_PROXY_REQUEST":
            ("it speaks plain HTTP on a TLS port", "Use https:// there")
        case "WRONG_VERSION_NUMBER", "BAD_PACKET_LENGTH", "INVALID_SSL_RECORD", "EXCESSIVE_RECORD_SIZE":
            (
                "it does not speak TLS on this port (\(reason ?? ""))",
                role == .client ? "Check the port: 443 is TLS, 80 is not" : nil
            )
        case "UNSUPPORTED_PROTOCOL", "UNKNOWN_PROTOCOL", "NO_SUPPORTED_VERSIONS_ENABLED":
            ("it offers no version of TLS that is allowed here", "Both sides must have TLS 1.2 or 1.3")
        case "NO_SHARED_CIPHER", "NO_SHARED_GROUP", "NO_COMMON_SIGNATURE_ALGORITHMS", "UNKNOWN_CIPHER_RETURNED",
            "WRONG_CIPHER_RETURNED", "WRONG_CURVE":
            (
                "there is nothing in common with what it offers (\(reason ?? ""))",
                "Compare ciphers, groups and key types of both sides"
            )
        case "PEER_DID_NOT_RETURN_A_CERTIFICATE":
            ("it showed no certificate, and one is required", "Give the client a certificate of a trusted authority")
        case "NO_APPLICATION_PROTOCOL":
            ("it offers none of the application protocols that are spoken here", "Compare the lists of both sides")
        case "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "BAD_DECRYPT":
            ("a record was changed on its way, or its key is another (\(reason ?? ""))", nil)
        case let reason?: ("it broke the rules of TLS (\(reason))", nil)
        case nil: ("it broke the rules of TLS", nil)
        }
    }
}
