import TLSEngine

/// The message for a failed connection: the cause, as the end of a sentence about the peer, and the next step.
struct FailureMessage: Equatable {
    let text: String
    let advice: String?

    init(_ text: String, _ advice: String? = nil) {
        self.text = text
        self.advice = advice
    }
}

extension FailureMessage {
    /// Describes a connection that the peer has ended without an alert.
    init(endedInHandshake role: TLSSettings.Role, _ explanation: TLSFailure.Explanation?) {
        guard case .certificateRequest(let request) = explanation else {
            self.init(
                "ended the connection in mid-handshake",
                role == .client ? "Does this port speak TLS? Its log may say why it hung up" : nil)
            return
        }
        // Some servers close the connection when they reject a certificate or receive none; not all send the alert that TLS 1.2 requires.
        if request.shownSubject == nil {
            self.init(
                "ended the connection in mid-handshake, after it had asked for a client certificate and got none",
                "If the server requires one, give the configuration an identity that it accepts")
        } else {
            self.init(
                "ended the connection in mid-handshake, after it had asked for a client certificate and got one",
                "Its log may say whether it refuses the certificate")
        }
    }
}
