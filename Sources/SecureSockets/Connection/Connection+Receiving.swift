import NIOCore
import SocketCore
import TLSEngine

extension Connection {
    // MARK: Calls

    /// Receives what is available, a packet, or an exact number of bytes; nil at the end of the stream.
    ///
    /// - Parameter untilShutdown: Whether a call that waits ends with nil when a graceful shutdown begins.
    @inline(__always) func receive(
        _ request: ReceiveQueue.Request, timeout: Duration?, untilShutdown: Bool = false
    ) async throws(SecureSocketError) -> ByteBuffer? {
        let isOnLoop = self.executor.isOnLoop
        let atOnce = isOnLoop ? self.receiveAtOnce(request) : nil
        if let atOnce, !self.executor.countItem() { return try atOnce.get() }
        guard isOnLoop, case .none = atOnce, let waiter = self.loopTaskWaiter() else {
            return try await self.receiveWaiting(request, timeout, untilShutdown, atOnce)
        }
        let outcome = await withUnsafeContinuation { (continuation: UnsafeContinuation<Waiter<ByteBuffer?>.Outcome, Never>) in
            self.executor.runBeforeTick {
                waiter.waitAgain(continuation)
                self.waitForBytes(waiter, request, timeout, untilShutdown)
            }
        }
        return try outcome.get()
    }

    /// The calling task, if it needs no cancellation handler here.
    private var callingLoopTask: LoopTask? {
        if let handler, handler.isCalling { return handler }
        return self.executor.callingTask
    }

    /// Returns a waiter for the calling task, if it needs no cancellation handler and may begin to wait here.
    private func loopTaskWaiter() -> Waiter<ByteBuffer?>? {
        guard let task = self.callingLoopTask, task.registerWait(at: self) == .registered else { return nil }
        guard let spareWaiter, spareWaiter.task === task else { return Waiter<ByteBuffer?>(of: task) }
        self.spareWaiter = nil
        return spareWaiter
    }

    private func keep(_ waiter: Waiter<ByteBuffer?>, of task: LoopTask) {
        if let former = self.spareWaiter?.task, former !== task { former.unregisterWait(at: self) }
        self.spareWaiter = waiter
    }

    func handlerHasEnded() {
        self.handler = nil
        self.forgetSpareWaiter()
    }

    /// Releases the task that has waited here, and its reference to this connection.
    func forgetSpareWaiter() {
        self.spareWaiter?.task?.unregisterWait(at: self)
        self.spareWaiter = nil
    }

    /// Receives with a cancellation handler: for tasks that are not registered, and off the loop.
    ///
    /// Never inlined: the caller's frame would take 320 bytes more in every wait, and a handler's frames would not fit into one block of
    /// task memory (`HandlerTasks.add`).
    ///
    /// - Parameter atOnce: The outcome of a call that need not wait, which returns in the loop's next round; nil for one that has to wait.
    @inline(never) private func receiveWaiting(
        _ request: ReceiveQueue.Request, _ timeout: Duration?, _ untilShutdown: Bool,
        _ atOnce: consuming Result<ByteBuffer?, SecureSocketError>?
    ) async throws(SecureSocketError) -> ByteBuffer? {
        if let atOnce {
            // The task has used up its share.
            await withUnsafeContinuation { continuation in self.executor.inNextRound { continuation.resume() } }
            return try atOnce.get()
        }
        return try await self.wait(.receiving) { waiter in
            if let outcome = self.receiveAtOnce(request) { return waiter.resume(outcome) }
            self.waitForBytes(waiter, request, timeout, untilShutdown)
        } forget: { (waiter: Waiter<ByteBuffer?>) in
            self.giveUpReceiving(waiter, .failure(.cancelled(.receiving)))
            return nil
        }
    }

    /// Returns nil if the call has to wait.
    private func receiveAtOnce(_ request: ReceiveQueue.Request) -> Result<ByteBuffer?, SecureSocketError>? {
        switch self.machine.receive(request, isBehindOthers: !self.receivers.isEmpty) {
        case .bytes(let bytes):
            self.resumeDecrypting()
            return .success(bytes)
        case .end(let end): return self.report(end)
        case .refuse(let refusal): return .failure(self.error(for: refusal, .receiving))
        case .wait: return nil
        }
    }

    private func waitForBytes(
        _ waiter: Waiter<ByteBuffer?>, _ request: ReceiveQueue.Request, _ timeout: Duration?, _ untilShutdown: Bool
    ) {
        self.assignID(to: waiter)
        waiter.endsAtShutdown = untilShutdown
        self.receivers.append(Receiver(waiter: waiter, request: request))
        // A request for more than the read-ahead allows reading to continue.
        self.resumeDecrypting()
        if untilShutdown, self.endsReceivingNow, waiter.isWaiting { return self.giveUpReceiving(waiter, .success(nil)) }
        guard waiter.isWaiting, let timeout else { return }
        if timeout <= .zero { return self.receivingTimedOut(waiter, timeout) }
        let id = waiter.id
        waiter.limit(to: timeout, on: self.executor) {
            // A loop of NIO may run a timer that has just been cancelled. By then the waiter may be waiting for another call.
            if waiter.id == id { self.receivingTimedOut(waiter, timeout) }
        }
    }

    private func receivingTimedOut(_ waiter: Waiter<ByteBuffer?>, _ timeout: Duration) {
        guard waiter.isWaiting else { return }
        self.giveUpReceiving(waiter, .failure(.timedOut(.receiving, "nothing came from \(self.peerText) within \(timeout)")))
    }

    fileprivate func giveUpReceiving(_ waiter: Waiter<ByteBuffer?>, _ outcome: Waiter<ByteBuffer?>.Outcome) {
        _ = self.receivers.remove { $0.waiter === waiter }
        waiter.resume(outcome)
        waiter.task?.unregisterWait(at: self)
        // The next call may request less.
        self.deliverWhatIsDue()
    }

    /// Ends the calls that wait and have asked to be ended by a graceful shutdown, now and from now on.
    func beginShutdown() {
        self.isShuttingDown = true
        self.endCallsForShutdown()
    }

    /// Ends the waiting calls that have asked for it, if the listener shuts down or the connection is about to end.
    func endCallsForShutdown() {
        while self.endsReceivingNow, let receiver = self.receivers.first(where: { $0.waiter.endsAtShutdown }) {
            self.giveUpReceiving(receiver.waiter, .success(nil))
        }
    }

    /// Whether a graceful shutdown ends calls that wait: not in the middle of a packet or a line, whose rest is still waited for.
    private var endsReceivingNow: Bool {
        (self.isShuttingDown || self.isEndingForPeer) && self.machine.queue.bytes.readableBytes == 0
    }

    /// Ends the waiting calls if the machine refuses them.
    func perform(_ decision: ConnectionMachine.WaitingCalls) {
        guard case .refuse(let refusal) = decision, !self.receivers.isEmpty else { return }
        let error = self.error(for: refusal, .receiving)
        for receiver in self.receivers.removeAll() {
            receiver.waiter.resume(.failure(error))
            receiver.waiter.task?.unregisterWait(at: self)
        }
    }

    // MARK: Input

    /// The number of records that are decrypted between readings of the clock. Small ones take as long as one large one.
    private static let recordsPerClockCheck = 64
    /// The number of messages that are put into a mailbox between readings of the clock.
    private static let messagesPerClockCheck = 32

    /// Decrypts and hands out what has arrived, as far as it is wanted, for no longer than this connection's share of the loop's round.
    func decrypt() {
        guard !self.isPausedUntilNextRound else { return }
        var slice = TimeSlice()
        while self.machine.wantsToRead(self.firstRequest) {
            let limit = self.machine.readLimit(self.firstRequest)
            let progress = self.engine.read(into: &self.machine.queue.bytes, limit: limit, records: Self.recordsPerClockCheck)
            switch progress {
            case .limitReached, .paused:
                guard self.settle(&slice), !slice.checkClock() else { return self.pauseUntilNextRound() }
                continue
            case .waiting: break
            case .closed: self.machine.streamEnded(.finished)
            case .truncated: self.machine.streamEnded(self.closing.peerEnd ?? .truncated)
            case .failed(let failure):
                let role = self.role
                self.readFailure = SecureSocketError(failure, role: role, step: .receiving, peer: self.peerText)
                self.machine.streamEnded(.failed)
                // After a fatal alert in either direction, nothing more is sent (RFC 8446 §6.2).
                self.writeFailure =
                    self.writeFailure ?? SecureSocketError(failure, role: role, step: .sending, peer: self.peerText)
                self.breakWriting()
            }
            break
        }
        guard self.settle(&slice) else { return self.pauseUntilNextRound() }
        // Reading may have produced output: an alert, or the answer to a key update.
        self.noteOutput()
        self.updateReading()
    }

    /// Resumes decrypting after room has been made.
    func resumeDecrypting() {
        switch self.closing.state {
        case .open, .lost:
            let isEndUnread = self.closing.peerEnd != nil && !self.machine.peerHasEnded
            if self.engine.unreadInput > 0 || isEndUnread { return self.decrypt() }
        case .handshaking, .closing, .released, .closed: break
        }
        self.updateReading()
    }

    /// Hands out what is due. Called after every change of owner, delivery, credit, high-water mark or waiting calls. Nothing may rely on
    /// more bytes arriving, because there may be no more.
    private func deliverWhatIsDue() {
        guard !self.isPausedUntilNextRound else { return }
        var slice = TimeSlice()
        if self.settle(&slice) { self.resumeDecrypting() } else { self.pauseUntilNextRound() }
    }

    /// Leaves the loop to its other connections until its next round. Until then nothing is decrypted or handed out.
    private func pauseUntilNextRound() {
        self.noteOutput()
        self.isPausedUntilNextRound = true
        self.updateReading()
        self.executor.inNextRound {
            self.isPausedUntilNextRound = false
            self.deliverWhatIsDue()
        }
    }

    /// Hands out what is due. Returns false if the slice is used up before everything has been handed out.
    private func settle(_ slice: inout TimeSlice) -> Bool {
        var messages = 0
        while let due = self.machine.nextDue(self.firstRequest) {
            switch due {
            case .bytes(let bytes):
                guard let waiter = self.receivers.popFirst()?.waiter else { break }
                waiter.resume(.success(bytes))
                if let task = waiter.task { self.keep(waiter, of: task) }
            case .end(let end):
                guard let waiter = self.receivers.popFirst()?.waiter else { break }
                waiter.resume(self.report(end))
                waiter.task?.unregisterWait(at: self)
            case .refusal(let refusal):
                guard let waiter = self.receivers.popFirst()?.waiter else { break }
                waiter.resume(.failure(self.error(for: refusal, .receiving)))
                waiter.task?.unregisterWait(at: self)
            case .message(let bytes):
                self.post(bytes)
                messages += 1
                if messages % Self.messagesPerClockCheck == 0, slice.checkClock() { return false }
            case .lastMessage(let end): self.postEnd(end)
            }
        }
        return true
    }

    func outcome(of end: ConnectionMachine.StreamEnd) -> Result<ByteBuffer?, SecureSocketError> {
        switch end {
        case .finished: .success(nil)
        case .finishedInMidPacket:
            .failure(
                SecureSocketError(
                    .truncated, blame: .peer, step: .receiving, "\(self.peerText) finished in the middle of a packet",
                    advice: "Do both sides use the same framing?"))
        case .truncated:
            .failure(.truncated(self.peerText))
        case .reset, .failed: .failure(self.readFailure ?? self.connectionLost(.receiving))
        case .oversized(let count):
            .failure(
                SecureSocketError(
                    .packetTooLarge, blame: .peer, step: .receiving,
                    self.options.framing.framing.terminator == nil
                        ? "\(self.peerText) announced a packet of \(count) bytes; \(self.options.maximumPacketSize) are allowed"
                        : "\(self.peerText) sent a packet of \(count) bytes or more; \(self.options.maximumPacketSize) are allowed",
                    advice: "Raise maximumPacketSize, or check that both sides use the same framing"))
        }
    }

    func error(for refusal: ConnectionMachine.Refusal, _ step: SecureSocketError.Step) -> SecureSocketError {
        switch refusal {
        case .closed: .closed(step)
        case .active:
            SecureSocketError(
                .wrongMode, blame: .caller, step: step, "this socket delivers to a mailbox; it cannot be received from",
                advice: "Take its messages from the mailbox")
        case .framed:
            SecureSocketError(
                .wrongMode, blame: .caller, step: step, "this socket receives whole packets, not a number of bytes or a line",
                advice: "Use receive()")
        case .lineTooLong:
            SecureSocketError(
                .packetTooLarge, blame: .peer, step: step, "\(self.peerText) sent a line that is longer than the call allows",
                advice: "Raise maximumLength, or close the connection; the bytes can still be received")
        case .writingEnded:
            self.writeFailure
                ?? (self.machine.isWritingBroken ? self.connectionLost(.sending) : nil)
                ?? SecureSocketError(
                    .writingEnded, blame: .caller, step: step, "nothing more can be sent: writing has ended")
        }
    }

    /// Returns the outcome of the stream's end for one more call.
    private func report(_ end: ConnectionMachine.StreamEnd) -> Result<ByteBuffer?, SecureSocketError> {
        let wasReported = self.hasReportedFailure && self.options.streamRules.contains(.failureIsReportedOnce)
        self.hasReportedFailure = true
        return wasReported || self.isOrdinary(end) ? .success(nil) : self.outcome(of: end)
    }

    // MARK: Messages

    /// Makes `mailbox` the owner, and moves the messages that wait in the former one.
    ///
    /// - Parameter former: The required present owner; nil accepts any.
    func setOwner(
        _ mailbox: MailboxStorage, of handle: SecureSocket, from former: MailboxStorage?
    ) -> Result<Void, SecureSocketError> {
        guard !self.machine.isClosedHere else { return .failure(.closed(.receiving)) }
        if let former, former !== self.owner { return .failure(.notOwner) }
        let current = self.owner
        guard current !== mailbox else { return .success(()) }
        guard mailbox.adopt(handle) else {
            // Same result as if the new owner had ended just after this: the former one is no longer responsible.
            _ = current?.giveUp(handle)
            self.owner = nil
            self.handle = nil
            handle.close()
            return .success(())
        }
        self.owner = mailbox
        self.handle = handle
        var isFull = false
        for message in current?.giveUp(handle) ?? [] where mailbox.put(message, isMoved: true) { isFull = true }
        self.machine.mailboxIsFull(isFull)
        self.deliverWhatIsDue()
        return .success(())
    }

    /// Makes `mailbox` the owner, and delivers to it from now on. See `SecureSocket.deliver(to:count:)`.
    @inline(__always) func deliver(
        to mailbox: MailboxStorage, of handle: SecureSocket, credit: Int?
    ) async throws(SecureSocketError) {
        guard self.executor.isOnLoop, !Task.isCancelled else { return try await self.deliverWaiting(mailbox, handle, credit) }
        var outcome = Result<Void, SecureSocketError>.success(())
        self.executor.runBeforeTick { outcome = self.deliverNow(mailbox, handle, credit) }
        try outcome.get()
    }

    /// Never inlined, as `receiveWaiting`.
    @inline(never) private func deliverWaiting(
        _ mailbox: MailboxStorage, _ handle: SecureSocket, _ credit: Int?
    ) async throws(SecureSocketError) {
        try await self.wait(.receiving) { (waiter: Waiter<Void>) in
            waiter.resume(self.deliverNow(mailbox, handle, credit))
        } forget: { _ in
            .failure(.cancelled(.receiving))
        }
    }

    /// Never inlined, as `receiveWaiting`.
    @inline(never) private func deliverNow(
        _ mailbox: MailboxStorage, _ handle: SecureSocket, _ credit: Int?
    ) -> Result<Void, SecureSocketError> {
        let outcome = self.setOwner(mailbox, of: handle, from: nil)
        if case .success = outcome { self.deliver(credit: credit) }
        return outcome
    }

    /// Leaves the owner when the socket is closed.
    func leaveOwner() {
        guard let owner, let handle else { return }
        self.owner = nil
        self.handle = nil
        owner.release(handle)
    }

    /// Delivers to the owner from now on; see `SecureSocket.deliver(to:)`.
    func deliver(credit: Int?) {
        guard !self.machine.isClosedHere else { return }
        self.perform(self.machine.deliver(.active(credit: credit)))
        self.deliverWhatIsDue()
    }

    private func isOrdinary(_ end: ConnectionMachine.StreamEnd) -> Bool {
        end.isPeers && self.options.streamRules.contains(.truncationIsAnEnd)
    }

    private func post(_ bytes: ByteBuffer) {
        guard let owner, let handle else { return }
        if owner.put(.received(handle, bytes)) { self.machine.mailboxIsFull(true) }
    }

    private func postEnd(_ end: ConnectionMachine.StreamEnd) {
        guard let owner, let handle else { return }
        if !self.isOrdinary(end), case .failure(let error) = self.outcome(of: end) { _ = owner.put(.failed(handle, error)) }
        _ = owner.put(.ended(handle))
    }

    /// Resumes delivery when the owner has taken enough out of its mailbox.
    func mailboxHasRoom() {
        self.onLoop {
            // The owner may have changed by now, to one whose mailbox is full.
            let isFull = self.handle.map { self.owner?.isFull(of: $0) ?? false } ?? false
            self.machine.mailboxIsFull(isFull)
            self.deliverWhatIsDue()
        }
    }
}

extension ConnectionMachine.StreamEnd {
    /// Whether the stream was ended by the peer or the network, with no fault in what arrived.
    fileprivate var isPeers: Bool {
        switch self {
        case .finished, .finishedInMidPacket, .truncated, .reset: true
        case .failed, .oversized: false
        }
    }
}

extension SecureSocketError {
    static let notOwner = SecureSocketError(
        .notOwner, blame: .caller, step: .receiving, "only the present owner can pass it on")
}

extension Connection: WaitingPlace {
    func cancelWait(of task: LoopTask) {
        guard let receiver = self.receivers.first(where: { $0.waiter.task === task }) else { return }
        self.giveUpReceiving(receiver.waiter, .failure(.cancelled(.receiving)))
    }
}
