/// Whether a client connects once more without ML-KEM groups, and when.
///
/// A ClientHello with a key share of X25519MLKEM768 has 1.4 KB or more and seldom fits into one TCP segment. Some devices on the path drop
/// such a hello, or reset its connection. The peer has then not sent a byte, and only that case is retried: once a byte has arrived, the hello has
/// been answered, and the outcome is final.
///
///     event ↓            state →   available            used
///     limitPassed, unanswered      retry → used         nothing
///     connectionLost, unanswered   retry → used         nothing
///     either, answered             nothing              nothing
///
/// `connectionLost` is a reset or an end in the handshake. No other failure is an event: refused certificates and alerts are answers.
package struct MLKEMRetry: Sendable {
    /// The longest time to wait for an answer to the first hello: enough for two retransmissions of a lost segment (RFC 6298 §2.1, §5.5).
    package static let longestWait = Duration.seconds(5)

    private var isAvailable: Bool

    /// - Parameters:
    ///   - isEnabled: Whether the caller allows a second attempt.
    ///   - isPossible: Whether the first hello has a key share of ML-KEM, and other groups besides.
    package init(isEnabled: Bool, isPossible: Bool) {
        self.isAvailable = isEnabled && isPossible
    }

    /// Returns the time to wait for the first byte of an answer, from the start of the handshake: a quarter of the time limit of the whole
    /// call, and at most `longestWait`; nil if there is no second attempt.
    package func wait(of timeout: Duration?) -> Duration? {
        guard self.isAvailable else { return nil }
        return timeout.map { min($0 / 4, Self.longestWait) } ?? Self.longestWait
    }

    /// Returns whether the second attempt begins, now that the time to wait has passed or the connection is lost. True at most once.
    ///
    /// - Parameter isAnswered: Whether the peer has sent a byte.
    package mutating func begins(isAnswered: Bool) -> Bool {
        guard self.isAvailable, !isAnswered else { return false }
        self.isAvailable = false
        return true
    }
}
