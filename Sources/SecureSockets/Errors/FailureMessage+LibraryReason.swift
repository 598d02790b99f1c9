import TLSEngine

extension FailureMessage {
    /// Describes BoringSSL's reason for ending a connection.
    ///
    /// - Parameter isOpen: Whether the handshake had been completed.
    init(libraryReason reason: String?, _ role: TLSSettings.Role, isOpen: Bool, _ explanation: TLSFailure.Explanation?) {
        switch explanation {
        case .plaintext(let bytes):
            self.init(plaintext: bytes, role)
            return
        case .negotiation(let negotiation):
            self.init(negotiation, reason ?? "", role)
            return
        case .messageTooLong(let message):
            self.init(message, reason ?? "", role)
            return
        default: break
        }
        if let reason, let message = FailureMessage(protocolError: reason, role, isOpen: isOpen) {
            self = message
            return
        }
        let (text, advice): (String, String?) =
            switch reason {
            case "UNSUPPORTED_PROTOCOL", "NO_SUPPORTED_VERSIONS_ENABLED":
                ("it offers no version of TLS that is allowed here (\(reason ?? ""))", "Both sides must have TLS 1.2 or 1.3")
            case "NO_SHARED_CIPHER", "NO_SHARED_GROUP":
                (
                    "there is nothing in common with what it offers (\(reason ?? ""))",
                    "Compare ciphers, groups and key types of both sides"
                )
            case "PEER_DID_NOT_RETURN_A_CERTIFICATE":
                (
                    "it showed no certificate, and one is required",
                    "Give the client a certificate of an authority that this server trusts\(explanation?.listedAuthorities ?? "")"
                )
            case "NO_APPLICATION_PROTOCOL":
                ("it offers none of the application protocols that are spoken here", "Compare the lists of both sides")
            case "NO_RENEGOTIATION":
                // A second handshake on the same connection (RFC 5246 §7.4.1.1), which TLS 1.3 no longer has.
                (
                    "it asked to renegotiate, which is refused here",
                    role == .client
                        ? "If the server does this to ask for a client certificate, have it ask in the first handshake"
                        : "Turn off renegotiation in the client; TLS 1.3 does not have it"
                )
            case let reason?: ("it broke the rules of TLS (\(reason))", nil)
            case nil: ("it broke the rules of TLS", nil)
            }
        self.init(text, advice)
    }

    private init(_ message: TLSFailure.MessageTooLong, _ reason: String, _ role: TLSSettings.Role) {
        let (what, advice): (String, String?) =
            switch message.kind {
            case .certificates:
                (
                    "its certificate message",
                    "Have the \(role == .client ? "server" : "client") send its own certificate and the intermediates, and not all "
                        + "authorities that it trusts"
                )
            case .hello: ("its ClientHello", nil)
            case .other: ("a message of its handshake", nil)
            }
        let length = message.length.map { "\(what) is \($0) bytes long, and at most \(message.limit) are accepted" }
        self.init("\(length ?? "\(what) is longer than the \(message.limit) bytes that are accepted") (\(reason))", advice)
    }
}
