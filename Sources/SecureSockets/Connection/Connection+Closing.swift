import NIOCore
import SocketCore
import TLSEngine

/// Closing: waiting calls end at once and delivery continues in the background. Performs the decisions of `ClosingMachine`.
extension Connection {
    /// Closes this side. Data that has arrived is discarded, and waiting calls end with `closed`.
    ///
    /// - Parameter sendsCloseNotify: Whether to send `close_notify`, which tells the peer that the stream is complete.
    func close(sendsCloseNotify: Bool = true) {
        self.perform(self.closing.close(sendsCloseNotify: sendsCloseNotify, timeout: TimeAmount(self.options.lingerTimeout)))
        self.endCallsOfRefusedPeer()
    }

    /// Ends everything at once, without `close_notify`.
    func abort() {
        self.perform(self.closing.abort())
        self.endCallsOfRefusedPeer()
    }

    /// Ends the calls, and the ownership, of a connection that closes because its peer was refused. They remained until the program closes it
    /// too, so that they had the reason.
    private func endCallsOfRefusedPeer() {
        if !self.isHandshaking, !self.machine.isClosedHere { self.endCalls() }
    }

    /// Drops the connection at once.
    func drop() {
        self.closing.drop()
        self.perform(self.machine.close())
        self.transport.close()
    }

    /// Shortens closing because the program is about to exit.
    func hasten() {
        guard self.isClosing else { return }
        self.perform(self.closing.hasten(self.progress()))
    }

    // MARK: Effects

    func perform(_ decision: ClosingMachine.CloseDecision) {
        switch decision {
        case .nothing: break
        case .abandonHandshake: self.abandonHandshake(.closed(.handshake))
        case .closeTransport: self.transport.close()
        case .endCalls(let delivery):
            self.endCalls()
            self.perform(delivery)
        }
    }

    func perform(_ delivery: ClosingMachine.Delivery) {
        switch delivery {
        case .nothing: break
        case .closeTransport: self.transport.close()
        case .deliver:
            self.deliver()
            self.beginLingering()
        case .deliverAndDrop:
            // Without TLS, only a reset tells the peer that the stream is incomplete.
            if self.tls == nil {
                self.closing.drop()
                self.transport.reset()
            } else {
                self.deliver()
                self.drop()
            }
        }
    }

    func perform(_ decision: ClosingMachine.Decision) {
        switch decision {
        case .nothing: break
        case .closeTransport: self.transport.close()
        case .checkProgress(let delay):
            self.lingerTimer?.cancel()
            self.lingerTimer = self.executor.after(delay) {
                if self.isClosing { self.perform(self.closing.checkProgress(self.progress())) }
            }
        }
    }

    private func endCalls() {
        self.perform(self.machine.close())
        self.endSenders()
        self.leaveOwner()
        self.forgetSpareWaiter()
    }

    /// Ends the calls that wait to send. A unit that has been sent in part is completed without its caller, so that the peer receives it
    /// whole; its call succeeds, as if the unit had been accepted just before. With `closingFailsSends` the call still ends with `closed`.
    private func endSenders() {
        let dropped = Set(self.sendQueue.dropUnbegun())
        let waiting = self.senders
        let closers = self.writingClosers
        self.senders.removeAll()
        self.writingClosers.removeAll()
        for sender in waiting {
            let isAccepted = !self.options.streamRules.contains(.closingFailsSends) && !dropped.contains(sender.id)
            sender.resume(isAccepted ? .success(()) : .failure(.closed(.sending)))
        }
        for closer in closers { closer.resume(.failure(.closed(.sending))) }
    }

    /// Hands over as much of what was accepted as is possible at once.
    private func deliver() {
        self.updateReading()
        self.pump()
    }

    /// Waits for the end of the connection, unless it has already ended.
    private func beginLingering() {
        guard self.isClosing else { return }
        let undelivered = self.undelivered
        self.executor.beginLingering(self, bytes: undelivered)
        self.perform(self.closing.checkProgress(self.progress(asksThePeer: undelivered > 0)))
    }

    /// Ends this side of the transport. Everything that was accepted has been encrypted.
    func closeTransportWriting() {
        switch self.closing.closeWriting(isBroken: self.machine.isWritingBroken) {
        case .nothing: return
        case .withCloseNotify: self.engine.writeCloseNotify()
        case .withoutCloseNotify: break
        }
        self.transport.closeWriting(with: self.takeOutput()) {
            self.perform(self.closing.writingDelivered())
        }
    }

    // MARK: Progress

    /// The number of bytes that the operating system has not yet taken.
    var undelivered: Int { self.transport.unsentBytes + self.engine.pendingOutput + self.sendQueue.byteCount }

    private func progress(asksThePeer: Bool = true) -> ClosingMachine.Progress {
        ClosingMachine.Progress(
            when: self.loop.now, undelivered: self.undelivered,
            acknowledged: asksThePeer ? self.transport.acknowledgedBytes : nil)
    }

    /// Waits until the connection has gone and its descriptor is closed.
    func waitUntilClosed() async throws(SecureSocketError) {
        try await self.wait(.closing) { (waiter: Waiter<Void>) in
            let connection = self.successor ?? self
            if connection.isTransportGone { return waiter.resume(.success(())) }
            connection.closers.append(waiter)
        } forget: { waiter in
            (self.successor ?? self).closers.removeAll { $0 === waiter }
            return .failure(.cancelled(.closing))
        }
    }
}
