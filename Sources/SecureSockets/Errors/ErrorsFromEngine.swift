package import TLSEngine

extension SecureSocketError {
    package init(_ error: TLSSettingsError) {
        func make(_ code: Code, _ text: String, reason: LibraryReason?) -> SecureSocketError {
            SecureSocketError(
                code, blame: .configuration, step: .configuring, text, libraryReason: reason?.name)
        }
        switch error {
        case .credential(let error): self.init(error)
        case .ciphers(let list, let reason):
            self = make(
                .cipherSuitesUnusable, "the cipher list \"\(list.escapedForDisplay)\" is empty or names an unknown cipher",
                reason: reason)
        case .groups(let reason):
            self = make(.invalidConfiguration, "the list of groups is empty or names one twice", reason: reason)
        case .applicationProtocol(let name):
            self = make(
                .invalidConfiguration,
                name.utf8.contains(0)
                    ? "the application protocol \"\(name.escapedForDisplay)\" must not contain a NUL character"
                    : "the application protocol \"\(name.abbreviatedForDisplay)\" must be 1 to 255 bytes long", reason: nil)
        case .library(let reason):
            self = make(.invalidConfiguration, "the TLS library refused the configuration", reason: reason)
        }
    }

    /// Creates the error for a connection whose TLS cannot continue.
    ///
    /// - Parameter peer: The peer's name in the message, for example `example.org:443`.
    package init(_ failure: TLSFailure, role: TLSSettings.Role, step: Step, peer: String) {
        let reason = failure.reason?.name
        let peer = peer.escapedForDisplay
        switch failure.kind {
        case .certificateVerificationFailed(let refusal):
            let problem = CertificateProblem(refusal)
            self.init(
                .certificateVerificationFailed, blame: .peer, step: step, "\(peer): \(problem)", advice: problem.advice,
                certificateProblem: problem, libraryReason: reason)
        case .refusedByProgram(let refusal):
            let reason = "(\(refusal.alert)): \(refusal.reason.abbreviatedForDisplay)"
            if refusal.isFailureToDecide {
                self.init(.rejected, blame: .caller, step: step, "the program was unable to decide about \(peer) \(reason)")
            } else {
                self.init(.rejected, blame: .peer, step: step, "\(peer) was rejected \(reason)")
            }
        case .serverNameNotServed(let name):
            self.init(
                .unrecognizedName, blame: .peer, step: step,
                "\(peer) requests the server name \(name.escapedForDisplay), for which this server has no identity",
                advice: "Add a ServerIdentity for the name, or use the default identity for unknown names")
        case .alertReceived(let alert):
            let message = FailureMessage(alert, receivedBy: role, failure.explanation)
            self.init(
                .alertReceived, blame: .peer, step: step, "\(peer) refused the connection: \(message.text)",
                advice: message.advice, alert: TLSAlert(codePoint: alert.code),
                isClientCertificateMissing: failure.lacksClientCertificate,
                libraryReason: reason, negotiation: failure.negotiation)
        case .endedInHandshake:
            let message = FailureMessage(endedInHandshake: role, failure.explanation)
            self.init(
                .endedInHandshake, blame: .peer, step: step, "\(peer) \(message.text)", advice: message.advice)
        case .peerUnacceptable:
            let message = FailureMessage(libraryReason: reason, role, isOpen: step != .handshake, failure.explanation)
            self.init(
                .protocolError, blame: .peer, step: step, "\(peer): \(message.text)", advice: message.advice,
                isClientCertificateMissing: failure.lacksClientCertificate, libraryReason: reason,
                negotiation: failure.negotiation)
        case .unexpectedWait(let code):
            self.init(
                .protocolError, blame: .system, step: step, "\(peer): the TLS library waits for something unexpected (\(code))",
                libraryReason: reason)
        case .setup:
            self.init(
                .invalidConfiguration, blame: .configuration, step: .configuring,
                "\(peer): the TLS library refused the connection's settings (is the name a valid host name?)",
                libraryReason: reason)
        }
    }
}

extension SecureSocketError {
    /// Creates the error for a failed handshake.
    ///
    /// - Parameter hasSpoken: Whether the peer has sent anything.
    package init(handshake failure: TLSFailure, role: TLSSettings.Role, peer: String, hasSpoken: Bool) {
        if failure.kind == .endedInHandshake, !hasSpoken, role == .server {
            self = .endedBeforeHandshake(peer)
        } else {
            self.init(failure, role: role, step: .handshake, peer: peer)
        }
    }

    /// Creates the error for a handshake that has taken too long.
    ///
    /// - Parameter decision: The decision of the program that it waits for; nil if it waits for the peer.
    package static func handshakeTimedOut(
        _ peer: String, after timeout: Duration, waitingFor decision: PendingDecision?
    ) -> SecureSocketError {
        guard let decision else {
            return .timedOut(.handshake, "\(peer) did not complete the handshake within \(timeout)")
        }
        let (what, name) =
            switch decision.subject {
            case .identity: ("selected an identity for", "selectIdentity")
            case .peer, .session: ("decided about", "PeerRule")
            case .ticket: ("looked up the ticket of", "SessionStore")
            }
        return SecureSocketError(
            .timedOut, blame: .caller, step: .handshake, "the program has not \(what) \(peer) within \(timeout)",
            advice: "Have the \(name) decide sooner, or raise the time limit of handshakes")
    }

    /// Creates the error for a stream that ended without `close_notify` (RFC 8446 §6.1).
    package static func truncated(_ peer: String) -> SecureSocketError {
        SecureSocketError(
            .truncated, blame: .peer, step: .receiving,
            "\(peer) ended the connection without saying that it had finished; data may be missing",
            advice: "If the protocol has its own way to tell a complete message, this can be ignored")
    }
}

extension TLSEngine {
    /// Exports keying material (RFC 8446 §7.5, RFC 5705), with the errors of the public interface.
    package func keyingMaterial(
        label: String, context: [UInt8]?, length: Int, peer: String
    ) throws(SecureSocketError) -> [UInt8] {
        guard self.hasUniqueKeyingMaterial else {
            throw SecureSocketError(
                .invalidConfiguration, blame: .peer, step: .handshake,
                "keying material of this connection is not its own: \(peer) speaks TLS 1.2 without the extended master secret",
                advice: "Have the peer use TLS 1.3, or TLS 1.2 with the extended master secret (RFC 7627)")
        }
        guard length >= 0, length <= 1 << 16,
            let material = self.exportKeyingMaterial(label: label, context: context, length: length)
        else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .handshake, "\(length) bytes of keying material cannot be derived")
        }
        return material
    }
}

extension TLSFailure {
    fileprivate var negotiation: SecureSocketError.Negotiation? {
        if case .negotiation(let negotiation) = self.explanation { SecureSocketError.Negotiation(negotiation) } else { nil }
    }

    /// Whether the connection has failed because a client certificate was requested and none was sent.
    fileprivate var lacksClientCertificate: Bool {
        if case .certificateRequest(let request) = self.explanation { request.shownSubject == nil } else { false }
    }
}
