/// An element of a ``RedisSubscription``.
public enum RedisMessage: Sendable, Equatable {
    /// The subscription is in effect, for the first time or again. Messages that were published before are missing: read the present state.
    case subscribed
    /// This number of elements was dropped, because the iteration was too slow. Read the present state.
    case missed(Int)
    /// A message that was published to a channel.
    case message(channel: String, [UInt8])
    /// The connection could not be made, or was lost. It is made again after a delay, and `subscribed` follows.
    case disconnected(RedisError)
}
