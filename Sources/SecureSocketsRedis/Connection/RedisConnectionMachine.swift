/// The life of a client's connection: when it is made, and what becomes of a command.
///
/// Events arrive as method calls and decisions are returned as values; `ClientCore` performs them.
///
///     event ↓          state →   idle        connecting        ready            backing off    reconnecting      closed
///     send                       connect     wait              write            refuse         refuse            refuse
///     connected                              ready             –                –              ready             discard
///     ended                                  backing off       backing off      –              backing off       stop
///     backoff ended              –           –                 –                reconnecting   –                 stop
///     close                      closed      closed            closed           closed         closed            –
///
/// Only commands of the first attempt wait for it, because no failure is known yet that would answer them. Later ones are refused with the
/// last failure until there is a connection: a caller in the middle of a handshake must not wait for a server that does not answer.
///
/// A connection that was ready for at least the maximum delay ends the series of failures. One that is lost sooner does not, so that a
/// server that accepts connections and closes them is not contacted ever more often.
struct RedisConnectionMachine: Sendable {
    private enum State {
        case idle
        case connecting
        case ready(since: ContinuousClock.Instant)
        case backingOff(refusal: RedisError)
        case reconnecting(refusal: RedisError)
        case closed
    }

    enum SendDecision: Equatable {
        /// Begin to connect. The command waits for the connection.
        case connect
        /// The command waits for the connection.
        case wait
        /// The command is written.
        case write
        case refuse(RedisError)
    }

    enum EndDecision: Equatable {
        /// Call `backoffEnded` after this time.
        case retry(after: Duration)
        /// The client is closed.
        case stop
    }

    private var state = State.idle
    private var backoff: Backoff
    private let server: String

    /// - Parameter server: The name of the server, for messages.
    init(backoff: Backoff, server: String) {
        self.backoff = backoff
        self.server = server
    }

    mutating func send() -> SendDecision {
        switch self.state {
        case .idle:
            self.state = .connecting
            return .connect
        case .connecting: return .wait
        case .ready: return .write
        case .backingOff(let refusal), .reconnecting(let refusal): return .refuse(refusal)
        case .closed: return .refuse(.closed)
        }
    }

    /// Records that an attempt has succeeded. Returns whether the connection is used; otherwise it is closed.
    mutating func connected(at now: ContinuousClock.Instant) -> Bool {
        switch self.state {
        case .connecting, .reconnecting:
            self.state = .ready(since: now)
            return true
        case .idle, .ready, .backingOff, .closed: return false
        }
    }

    /// Records that an attempt has failed, or that the connection was lost. All commands under way fail.
    ///
    /// - Parameter jitter: A random number from 0 to 1.
    mutating func ended(_ reason: RedisError, at now: ContinuousClock.Instant, jitter: Double) -> EndDecision {
        if case .closed = self.state { return .stop }
        if case .ready(let since) = self.state, since.duration(to: now) >= self.backoff.maximum { self.backoff.reset() }
        self.state = .backingOff(refusal: reason.asRefusal(server: self.server))
        return .retry(after: self.backoff.next(jitter: jitter))
    }

    /// Records that the delay is over. Returns whether to connect.
    mutating func backoffEnded() -> Bool {
        guard case .backingOff(let refusal) = self.state else { return false }
        self.state = .reconnecting(refusal: refusal)
        return true
    }

    /// Closes the client. Returns false if it was closed already.
    mutating func close() -> Bool {
        if case .closed = self.state { return false }
        self.state = .closed
        return true
    }

    var isClosed: Bool {
        if case .closed = self.state { true } else { false }
    }
}
