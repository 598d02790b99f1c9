package import NIOCore

/// The states of one connection up to its end: how its end is announced to the peer, how long closing waits for the peer, and when the
/// descriptor is closed.
///
/// Events arrive as method calls and decisions are returned as values; the connection that owns the machine performs them. The time and the
/// progress of the delivery are arguments. Closing has an order: what `send` accepted, `close_notify`, the end of this side's stream, the
/// peer's end. Only then is the descriptor closed, because closing a socket with unread bytes resets the connection, and a reset destroys
/// data in flight.
///
///     event ↓     state →   handshaking       open                       closing                          lost ¹
///     handshakeCompleted    open
///     handshakeFailed       closing
///     close                 abandon           closing, or released ²     nothing                          closed
///     abort                 abandon           closing, then released     released                         closed
///     peerRefused ⁶                           closing, or released ²     nothing                          nothing
///     closeWriting                            with `close_notify`        with it, or without ³            without
///     writingDelivered                        noted                      released, if the peer has ended
///     peerEnded             noted             noted                      released, if all is delivered
///     writingBroke                                                       released
///     discard                                                            released above 16 MiB
///     checkProgress                                                      check again, or released ⁴
///     hasten                                                             released if all is delivered, otherwise less time ⁵
///     drop                  released          released                   released                         closed
///     transportGone         closed            lost                       closed
///     handedOver                              closed
///
/// In `released` the descriptor is being closed and only the transport's last report is awaited, which leads to `closed`. Neither state
/// changes in any other way.
///
/// ¹ The transport has gone, and this side has not closed the connection: data that had arrived can still be received.
/// ² Released at once if both sides have already ended.
/// ³ Without if writing is broken, or if the connection ends because of an error: the peer must not take a truncated stream for a complete one.
/// ⁴ After the timeout without progress, or after twelve timeouts in all. Progress means that fewer bytes are undelivered, or that the peer
///   has acknowledged more.
/// ⁵ Half a second without progress, and a second in all.
/// ⁶ The calls end with the reason. The connection's owner ends them for good when it calls `close` or `abort` as well.
package struct ClosingMachine: Sendable {
    package typealias StreamEnd = ConnectionMachine.StreamEnd

    package enum State: Sendable {
        case handshaking
        case open
        case lost
        case closing(Closing)
        case released
        case closed
    }

    package struct Closing: Sendable {
        fileprivate let sendsCloseNotify: Bool
        fileprivate var timeout: TimeAmount
        fileprivate var waiting = Waiting.notBegun
        /// The number of bytes read since closing began.
        fileprivate var discarded = 0

        fileprivate enum Waiting {
            /// Accepted data has not yet been handed over as far as that is possible at once.
            case notBegun
            /// `latest.when` is the time of the last progress.
            case since(latest: Progress, deadline: NIODeadline)
        }
    }

    /// The progress in delivering what was accepted.
    package struct Progress: Sendable, Equatable {
        package var when: NIODeadline
        /// The number of bytes that the operating system has not taken.
        package let undelivered: Int
        /// The number of bytes that the peer has acknowledged; nil if not queried, which saves most connections a system call.
        package let acknowledged: UInt64?

        package init(when: NIODeadline, undelivered: Int, acknowledged: UInt64?) {
            self.when = when
            self.undelivered = undelivered
            self.acknowledged = acknowledged
        }
    }

    /// The consequence of `close` or `abort`.
    package enum CloseDecision: Equatable {
        case nothing
        /// Fail the handshake and drop its connection.
        case abandonHandshake
        case closeTransport
        /// End the waiting calls first.
        case endCalls(then: Delivery)
    }

    package enum Delivery: Equatable {
        /// There is no transport.
        case nothing
        /// Close the transport: there is nothing to deliver, and the peer has ended.
        case closeTransport
        /// Deliver what was accepted and wait for the peer's end.
        case deliver
        /// Deliver what the operating system takes at once, then drop the connection.
        case deliverAndDrop
    }

    package enum Decision: Equatable {
        case nothing
        /// Close the descriptor, whatever is undelivered.
        case closeTransport
        /// Call `checkProgress` after this time, and not before.
        case checkProgress(after: TimeAmount)
    }

    package enum WritingEnd: Equatable {
        /// Writing has already ended, or there is nothing that could end.
        case nothing
        case withCloseNotify
        case withoutCloseNotify
    }

    private enum Output {
        case open
        /// The end follows everything that was accepted.
        case ending
        /// Everything has been handed to the operating system.
        case delivered
    }

    /// The limit of closing, in timeouts. Without it, a peer that takes a little now and then could hold a connection, and the calls that
    /// wait for its end, forever.
    private static var longestInTimeouts: Int { 12 }
    /// Longer than any connection, and short enough to be multiplied and added to a point in time.
    private static let longestTimeout = TimeAmount.hours(24 * 365 * 8)
    /// The number of checks per timeout. Several, so that the time of the last progress is known to a fraction of the timeout.
    private static var checksPerTimeout: Int64 { 4 }
    /// The limit after an alert to a peer that is not accepted: enough for the peer to read it.
    private static let longestTimeoutForAlert = TimeAmount.seconds(1)
    /// The limit when the program is about to exit.
    private static let hastyTimeout = TimeAmount.milliseconds(500)
    /// The limit of bytes that are read and discarded after closing, so that the end of the stream reaches the peer. A peer that sends more
    /// has had many round trips to notice the end; its connection is dropped, which resets it.
    private static var mostDiscarded: Int { 16 << 20 }

    package private(set) var state = State.handshaking
    private var output = Output.open
    /// How the peer's side of the transport has ended; nil if it has not.
    package private(set) var peerEnd: StreamEnd?

    package init() {}

    // MARK: State

    /// Whether this side's end, and everything before it, has been handed to the operating system.
    package var isWritingDelivered: Bool { self.output == .delivered }

    package var isTransportGone: Bool {
        switch self.state {
        case .lost, .closed: true
        case .handshaking, .open, .closing, .released: false
        }
    }

    // MARK: The handshake

    package mutating func handshakeCompleted() {
        if case .handshaking = self.state { self.state = .open }
    }

    /// Closes after a failed handshake. The peer is not authenticated, so it gets only a moment to read the alert.
    package mutating func handshakeFailed(timeout: TimeAmount) -> CloseDecision {
        guard case .handshaking = self.state else { return .nothing }
        self.begin(sendsCloseNotify: true, timeout: min(timeout, Self.longestTimeoutForAlert))
        return .endCalls(then: .deliver)
    }

    // MARK: Closing

    /// Closes this side.
    ///
    /// - Parameters:
    ///   - sendsCloseNotify: Whether to send `close_notify`, which tells the peer that the stream is complete.
    ///   - timeout: The time without progress after which the connection is dropped.
    package mutating func close(sendsCloseNotify: Bool, timeout: TimeAmount) -> CloseDecision {
        switch self.state {
        case .handshaking: return .abandonHandshake
        case .open where self.haveBothEnded:
            self.state = .released
            return .endCalls(then: .closeTransport)
        case .open:
            self.begin(sendsCloseNotify: sendsCloseNotify, timeout: timeout)
            return .endCalls(then: .deliver)
        case .lost:
            self.state = .closed
            return .endCalls(then: .nothing)
        case .closing, .released, .closed: return .nothing
        }
    }

    /// Ends everything at once, without `close_notify`. After `deliverAndDrop` the caller drops the connection.
    package mutating func abort() -> CloseDecision {
        if case .closing = self.state {
            self.state = .released
            return .closeTransport
        }
        let decision = self.close(sendsCloseNotify: false, timeout: .nanoseconds(0))
        return decision == .endCalls(then: .deliver) ? .endCalls(then: .deliverAndDrop) : decision
    }

    /// Closes because this side no longer accepts the peer, which gets only a moment to read the alert. Calls have ended with the reason.
    ///
    /// - Parameter timeout: The time without progress after which the connection is dropped.
    package mutating func peerRefused(timeout: TimeAmount) -> Delivery {
        guard case .open = self.state else { return .nothing }
        if self.haveBothEnded {
            self.state = .released
            return .closeTransport
        }
        self.begin(sendsCloseNotify: false, timeout: min(timeout, Self.longestTimeoutForAlert))
        return .deliver
    }

    private mutating func begin(sendsCloseNotify: Bool, timeout: TimeAmount) {
        self.state = .closing(Closing(sendsCloseNotify: sendsCloseNotify, timeout: min(timeout, Self.longestTimeout)))
    }

    /// Ends this side's stream. Everything that was accepted has been encrypted, and nothing more is accepted.
    package mutating func closeWriting(isBroken: Bool) -> WritingEnd {
        guard self.output == .open else { return .nothing }
        let sendsCloseNotify: Bool
        switch self.state {
        case .handshaking, .released, .closed: return .nothing
        case .open, .lost: sendsCloseNotify = !isBroken
        case .closing(let closing): sendsCloseNotify = !isBroken && closing.sendsCloseNotify
        }
        self.output = .ending
        return sendsCloseNotify ? .withCloseNotify : .withoutCloseNotify
    }

    /// Records that the operating system has this side's end and everything before it, or will never have it.
    package mutating func writingDelivered() -> Decision {
        self.output = .delivered
        return self.releaseIfBothHaveEnded()
    }

    /// Records that the peer's side of the transport has ended. Only the first end counts.
    package mutating func peerEnded(_ end: StreamEnd) -> Decision {
        guard self.peerEnd == nil else { return .nothing }
        self.peerEnd = end
        return self.releaseIfBothHaveEnded()
    }

    private var haveBothEnded: Bool { self.output == .delivered && self.peerEnd != nil }

    private mutating func releaseIfBothHaveEnded() -> Decision {
        self.haveBothEnded ? self.releaseIfClosing() : .nothing
    }

    private mutating func releaseIfClosing() -> Decision {
        guard case .closing = self.state else { return .nothing }
        self.state = .released
        return .closeTransport
    }

    /// Records that nothing can be written any more although this side's end has not been sent.
    package mutating func writingBroke() -> Decision { self.releaseIfClosing() }

    /// Counts bytes that have arrived after closing.
    package mutating func discard(_ count: Int) -> Decision {
        guard case .closing(var closing) = self.state else { return .nothing }
        closing.discarded += count
        if closing.discarded > Self.mostDiscarded { return self.releaseIfClosing() }
        self.state = .closing(closing)
        return .nothing
    }

    // MARK: Waiting for the peer

    /// Compares the delivery with its last progress. The wait begins with the first call, when what was accepted has been handed over as
    /// far as that is possible at once.
    package mutating func checkProgress(_ progress: Progress) -> Decision {
        guard case .closing(var closing) = self.state else { return .nothing }
        switch closing.waiting {
        case .notBegun:
            let deadline = progress.when + closing.timeout * Self.longestInTimeouts
            closing.waiting = .since(latest: progress, deadline: deadline)
        case .since(let latest, let deadline):
            // The first acknowledged count has nothing to be compared with and is not progress.
            let hasAcknowledged = latest.acknowledged.map { progress.acknowledged ?? 0 > $0 } ?? false
            let hasProgressed = progress.undelivered < latest.undelivered || hasAcknowledged
            let hasTimedOut = !hasProgressed && progress.when - latest.when >= closing.timeout
            if hasTimedOut || progress.when >= deadline { return self.releaseIfClosing() }
            var next = progress
            if !hasProgressed { next.when = latest.when }
            closing.waiting = .since(latest: next, deadline: deadline)
        }
        self.state = .closing(closing)
        return Self.nextCheck(of: closing, now: progress.when)
    }

    private static func nextCheck(of closing: Closing, now: NIODeadline) -> Decision {
        guard case .since(let latest, _) = closing.waiting else { return .nothing }
        let pause = TimeAmount.nanoseconds(max(closing.timeout.nanoseconds / Self.checksPerTimeout, 1))
        return .checkProgress(after: min(pause, latest.when + closing.timeout - now))
    }

    /// Shortens the wait because the program is about to exit: data that the operating system has taken is left to it, and the rest has a
    /// second.
    package mutating func hasten(_ progress: Progress) -> Decision {
        guard case .closing(var closing) = self.state else { return .nothing }
        if self.output == .delivered { return self.releaseIfClosing() }
        closing.timeout = min(closing.timeout, Self.hastyTimeout)
        var deadline = progress.when + closing.timeout * 2
        if case .since(_, let former) = closing.waiting { deadline = min(former, deadline) }
        closing.waiting = .since(latest: progress, deadline: deadline)
        self.state = .closing(closing)
        return Self.nextCheck(of: closing, now: progress.when)
    }

    // MARK: The end

    /// Releases the connection: the caller closes the transport, whatever is undelivered.
    package mutating func drop() {
        switch self.state {
        case .handshaking, .open, .closing: self.state = .released
        case .lost: self.state = .closed
        case .released, .closed: break
        }
    }

    /// Records that another connection has the transport now.
    package mutating func handedOver() {
        if case .open = self.state { self.state = .closed }
    }

    /// Records the transport's last report: the descriptor is closed.
    package mutating func transportGone() {
        switch self.state {
        case .handshaking, .closing, .released: self.state = .closed
        case .open: self.state = .lost
        case .lost, .closed: break
        }
    }
}
