/// An error with which a ``PeerRule`` or the selection of an identity ends a handshake.
///
/// The peer receives the alert. The reason appears in this side's error and log only.
public struct TLSRejection: Error, Sendable, Hashable {
    /// The alert that the peer receives. In place of an alert that is not an error, such as `close_notify` (0) or `user_canceled` (90), it
    /// receives `access_denied`.
    public var alert: TLSAlert
    /// The reason, for this side's error.
    public var reason: String

    /// - Parameters:
    ///   - reason: The reason, for this side's error.
    ///   - alert: The alert that the peer receives. Default: `access_denied` (RFC 8446 §6.2).
    public init(_ reason: String, alert: TLSAlert = .accessDenied) {
        self.reason = reason
        self.alert = alert
    }
}
