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
    func close() {
        switch self.phase {
        case .handshaking: self.abandonHandshake(.closed(.handshake))
        case .open: self.beginClosing()
        case .closing, .closed: break
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
        self.linger(since: self.delivery(isFirst: true))
    }

    /// Ends the calls that wait to send. One that has begun goes on without its caller, so that the peer gets the whole unit; it is as
    /// if it had been accepted just before. In the classic interface every call in progress ends with `closed` (specification §2).
    private func endSenders() {
        let dropped = Set(self.sendQueue.dropUnbegun())
        let waiting = self.senders
        let finishing = self.finishers
        self.senders.removeAll()
        self.finishers.removeAll()
        for sender in waiting {
            let isAccepted = self.options.classic == nil && !dropped.contains(sender.id)
            sender.resume(isAccepted ? .success(()) : .failure(.closed(.sending)))
        }
        for finisher in finishing { finisher.resume(.failure(.closed(.sending))) }
    }

    /// Everything that was accepted has been encrypted: says `close_notify` and ends our side of the transport.
    func endOutput() {
        guard !self.isOutputEnding else { return }
        self.isOutputEnding = true
        if !self.machine.isWritingBroken { self.engine.writeCloseNotify() }
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
        let when: NIODeadline
        /// Bytes that the operating system has not taken yet.
        let undelivered: Int
        /// nil: not asked for. Most connections have gone before somebody has to ask the operating system.
        let acknowledged: UInt64?
    }

    private func delivery(isFirst: Bool) -> Delivery {
        let undelivered = self.transport.unsentBytes + self.engine.pendingOutput + self.sendQueue.byteCount
        let asks = !isFirst || undelivered > 0
        return Delivery(
            when: self.loop.now, undelivered: undelivered, acknowledged: asks ? self.transport.acknowledgedBytes : nil)
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
            let now = self.delivery(isFirst: false)
            let hasProgressed = now.undelivered < last.undelivered || now.acknowledged ?? 0 > last.acknowledged ?? 0
            let standsStill = !hasProgressed && now.when - last.when >= timeout
            if standsStill || now.when >= deadline { self.drop() } else { self.linger(since: hasProgressed ? now : last) }
        }
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
