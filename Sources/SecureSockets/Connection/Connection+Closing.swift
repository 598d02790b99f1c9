import NIOCore
import SocketCore
import TLSEngine

/// Closing: calls end at once, delivery goes on.
///
/// The order is: what `send` accepted, then `close_notify`, then the end of our side of the transport, then the peer's end. Only
/// then is the descriptor freed, because to close a socket with unread bytes resets the connection, and a reset destroys what is
/// still under way. The wait is bounded: `lingerTimeout` without progress, and the connection is dropped.
extension Connection {
    /// Closes this side. What had arrived is discarded; calls that wait end with `closed`.
    ///
    /// - Parameter saysSo: Whether the peer is told that the stream is complete (`close_notify`).
    func close(saysSo: Bool = true) {
        switch self.phase {
        case .handshaking: self.abandonHandshake(.closed(.handshake))
        case .open:
            if !saysSo { self.endsWithoutNotify = true }
            self.beginClosing()
        case .closing, .closed: break
        }
    }

    /// Ends everything at once, and lets the peer see that.
    func abort() {
        self.endsWithoutNotify = true
        switch self.phase {
        case .handshaking: self.abandonHandshake(.closed(.handshake))
        case .open:
            self.beginClosing()
            self.drop()
        case .closing: self.drop()
        case .closed: break
        }
    }

    func beginClosing() {
        self.phase = .closing
        self.refuseReceivers(self.machine.close(), .closed(.receiving))
        self.endSenders()
        self.leaveOwner()
        self.forgetSpareWaiter()
        if self.isTransportGone {
            self.phase = .closed
            return
        }
        self.updateReading()
        self.pump()
        // Writing may have been finished before.
        self.closeTransportIfDone()
        guard self.phase == .closing, !self.isTransportGone else { return }
        let undelivered = self.undelivered
        self.turn.beginLingering(self, bytes: undelivered)
        self.linger(since: self.delivery(asksThePeer: undelivered > 0))
    }

    /// Ends the calls that wait to send. One that has begun goes on without its caller, so that the peer gets the whole unit; it is as
    /// if it had been accepted just before. With `closingFailsSends` its call ends with `closed` all the same.
    private func endSenders() {
        let dropped = Set(self.sendQueue.dropUnbegun())
        let waiting = self.senders
        let finishing = self.finishers
        self.senders.removeAll()
        self.finishers.removeAll()
        for sender in waiting {
            let isAccepted = !self.options.streamRules.contains(.closingFailsSends) && !dropped.contains(sender.id)
            sender.resume(isAccepted ? .success(()) : .failure(.closed(.sending)))
        }
        for finisher in finishing { finisher.resume(.failure(.closed(.sending))) }
    }

    /// Everything that was accepted has been encrypted: says `close_notify` and ends our side of the transport.
    func endOutput() {
        guard !self.isOutputEnding else { return }
        self.isOutputEnding = true
        if !self.machine.isWritingBroken, !self.endsWithoutNotify { self.engine.writeCloseNotify() }
        self.transport.finishWriting(with: self.engine.takeOutput()) {
            self.isOutputDelivered = true
            self.closeTransportIfDone()
        }
    }

    /// Both sides have ended.
    func closeTransportIfDone() {
        if self.phase == .closing, self.isOutputDelivered, self.transportEnd != nil { self.transport.close() }
    }

    /// How far what was accepted has got.
    private struct Delivery {
        var when: NIODeadline
        let undelivered: Int
        /// What the peer has acknowledged; nil: not asked for, which saves most connections a system call.
        let acknowledged: UInt64?
    }

    /// Bytes that the operating system has not taken yet.
    var undelivered: Int { self.transport.unsentBytes + self.engine.pendingOutput + self.sendQueue.byteCount }

    private func delivery(asksThePeer: Bool = true) -> Delivery {
        Delivery(
            when: self.loop.now, undelivered: self.undelivered,
            acknowledged: asksThePeer ? self.transport.acknowledgedBytes : nil)
    }

    /// A peer that takes a little now and then must not hold a connection, and whoever waits for its end, for ever.
    private static let longestLingerInTimeouts = 12
    /// Longer than any connection, and short enough to be reckoned with.
    private static let longestTimeout = TimeAmount.hours(24 * 365 * 8)

    /// Looks several times within the timeout, so that the last progress is known to a fraction of it.
    private static let looksInATimeout: Int64 = 4

    /// Waits for the end, as long as something is added to the delivery.
    private func linger(since last: Delivery) {
        let timeout = min(TimeAmount(self.lingerTimeout), Self.longestTimeout)
        let deadline = self.lingerDeadline ?? self.loop.now + timeout * Self.longestLingerInTimeouts
        self.lingerDeadline = deadline
        let pause = TimeAmount.nanoseconds(max(timeout.nanoseconds / Self.looksInATimeout, 1))
        self.lingerTimer = self.turn.after(min(pause, last.when + timeout - self.loop.now)) {
            guard self.phase == .closing else { return }
            let now = self.delivery()
            // The first answer of the peer's is compared with nothing: it is no progress.
            let hasAcknowledged = last.acknowledged.map { now.acknowledged ?? 0 > $0 } ?? false
            let hasProgressed = now.undelivered < last.undelivered || hasAcknowledged
            let standsStill = !hasProgressed && now.when - last.when >= timeout
            if standsStill || now.when >= deadline { return self.drop() }
            var next = now
            if !hasProgressed { next.when = last.when }
            self.linger(since: next)
        }
    }

    /// How long closing may still take when the program is about to stop.
    private static let hastyTimeout = Duration.milliseconds(500)

    /// The program is about to stop: what has been handed to the operating system is left to it, and the rest has a second.
    func hasten() {
        guard self.phase == .closing, !self.isTransportGone else { return }
        if self.isOutputDelivered { return self.drop() }
        self.lingerTimeout = min(self.lingerTimeout, Self.hastyTimeout)
        let deadline = self.loop.now + TimeAmount(self.lingerTimeout) * 2
        self.lingerDeadline = min(self.lingerDeadline ?? deadline, deadline)
        self.lingerTimer?.cancel()
        self.linger(since: self.delivery())
    }

    /// After closing, what a peer goes on sending is read and discarded, so that the end of the stream reaches it; a peer that sends more than
    /// this has had many round trips to notice, and the connection is dropped, which resets it.
    private static let mostDiscarded = 16 << 20

    func discard(_ count: Int) {
        self.discardedBytes += count
        if self.discardedBytes > Self.mostDiscarded, self.phase == .closing { self.drop() }
    }

    /// Ends everything at once.
    func drop() {
        if self.phase == .handshaking { self.phase = .closing }
        self.refuseReceivers(self.machine.close(), .closed(.receiving))
        self.transport.close()
    }

    /// Waits until the connection has gone and its descriptor is free.
    nonisolated(nonsending) func waitUntilClosed() async throws(SecureSocketError) {
        try await self.wait(.closing) { (waiter: Waiter<Void>) in
            if self.isTransportGone { return waiter.resume(.success(())) }
            self.closers.append(waiter)
        } forget: { waiter in
            self.closers.removeAll { $0 === waiter }
            return .failure(.cancelled(.closing))
        }
    }
}
