public import NIOCore
import SecureSockets

/// Limits of a ``TLSHandler``.
public struct TLSHandlerOptions: Sendable, Hashable {
    /// The time limit for the handshake, from the moment at which the channel is active; nil means no limit. Default: 10 seconds.
    public var handshakeTimeout: TimeAmount? = .seconds(10)

    /// The time that a closed channel waits for the peer's `close_notify`, and a failed one for the peer to read the alert. Default:
    /// 5 seconds.
    public var shutdownTimeout: TimeAmount = .seconds(5)

    /// The maximum number of bytes that are written before the handshake is complete and held until then. Default: 1 MiB.
    ///
    /// The channel's writability does not count them, because the channel has not seen them. A program that writes more fails the
    /// connection: it should wait for `TLSUserEvent.handshakeCompleted`.
    public var maximumHeldBytes: Int = 1 << 20

    /// Creates the default options.
    public init() {}
}
