/// One connection of a subscription, after its handshake: confirmations, messages, and whether the server still answers.
///
///     event ↓          state →   subscribing         quiet            awaiting a pong
///     last confirmation          quiet, subscribed   –                –
///     message                    message             message          message
///     pong                       –                   –                quiet
///     an error                   fails               fails            fails
///     deadline                   fails               ping             fails
///
/// A server that sends messages but no pong is given up too: replies are in order, so that the pong cannot be delayed by more messages than
/// were published before.
struct SubscriptionMachine {
    private enum State {
        case subscribing(remaining: Int)
        case quiet
        case awaitingPong
    }

    enum Decision: Equatable {
        case nothing
        /// The subscription is in effect.
        case subscribed
        case message(channel: String, [UInt8])
        case ping
        case fail(RedisError)
    }

    private var state: State
    /// The time at which to call `deadlinePassed`.
    private(set) var deadline: ContinuousClock.Instant
    private let pingInterval: Duration
    private let patience: Duration
    private let server: String

    /// - Parameter channels: The number of channels that were subscribed to.
    init(_ configuration: RedisConfiguration, channels: Int, at now: ContinuousClock.Instant) {
        self.state = .subscribing(remaining: channels)
        self.pingInterval = configuration.pingInterval
        self.patience = configuration.commandTimeout * 3
        self.server = configuration.server
        self.deadline = now + self.patience
    }

    mutating func received(_ value: RedisValue, at now: ContinuousClock.Instant) -> Decision {
        switch value {
        case .error(let text): return .fail(.commandFailed("SUBSCRIBE", reply: text, server: self.server))
        // PONG in RESP3; in RESP2 it is an array.
        case .simpleString: return self.pong(at: now)
        case .push(let values), .array(let values): return self.event(values, at: now)
        default: return .nothing
        }
    }

    private mutating func event(_ values: [RedisValue], at now: ContinuousClock.Instant) -> Decision {
        switch values.first?.string {
        case "message" where values.count == 3:
            guard let channel = values[1].string, let bytes = values[2].bytes else { return .nothing }
            return .message(channel: channel, bytes)
        case "subscribe":
            guard case .subscribing(let remaining) = self.state else { return .nothing }
            guard remaining == 1 else {
                self.state = .subscribing(remaining: remaining - 1)
                return .nothing
            }
            self.state = .quiet
            self.deadline = now + self.pingInterval
            return .subscribed
        case "pong": return self.pong(at: now)
        default: return .nothing
        }
    }

    private mutating func pong(at now: ContinuousClock.Instant) -> Decision {
        guard case .awaitingPong = self.state else { return .nothing }
        self.state = .quiet
        self.deadline = now + self.pingInterval
        return .nothing
    }

    mutating func deadlinePassed(at now: ContinuousClock.Instant) -> Decision {
        guard case .quiet = self.state else { return .fail(.noReply(for: self.patience, server: self.server)) }
        self.state = .awaitingPong
        self.deadline = now + self.patience
        return .ping
    }
}
