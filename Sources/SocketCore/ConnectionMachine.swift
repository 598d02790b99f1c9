package import NIOCore

/// The state of one connection after its handshake: what may be called, what it answers, and who gets what has arrived.
///
/// Events come in as method calls, decisions go out as values; the connection that owns the machine performs them. Two sides,
/// each with an end of its own that stays: reading (open, then ended in one of four ways, then reported) and writing (open, then
/// closing, closed or broken).
///
/// The calls of `receive` that wait are the connection's, in a queue of its own: first come, first served. The machine is told what the
/// first of them asks for, because only that one can be served.
///
///     call ↓   state →   open, passive        open, active     peer's side ended           writing broken   closed here
///     receive            bytes, or waits      refused          what is left, then the end  as the reading   refused
///     messages           none                 bytes            what is left, then the end  as the reading   none
///     send               accepted             accepted         accepted ¹                  refused          refused
///     closeWriting       once                 once             once                        refused          refused
///     close              what was accepted still goes out; waiting calls are refused                        nothing to do
///
/// ¹ refused after the end has been reported, if the socket was opened so (`endsWritingWithReading`).
package struct ConnectionMachine: ~Copyable {
    /// How the peer's side of the stream came to its end.
    package enum StreamEnd: Sendable, Hashable {
        /// The peer said that it has finished.
        case finished
        /// The peer said that it has finished, in the middle of a packet.
        case finishedInMidPacket
        /// The transport ended without a word.
        case truncated
        /// The peer or the network reset the connection.
        case reset
        /// Anything else; whoever runs the machine knows what.
        case failed
        /// A packet has at least this many bytes, more than allowed.
        case oversized(Int)
    }

    package enum Delivery: Sendable, Hashable {
        case passive
        /// By message, as many as `credit` says; nil: without end. With no credit left the socket is passive again.
        case active(credit: Int?)
    }

    package enum Refusal: Sendable, Hashable {
        /// Closed on this side.
        case closed
        /// Bytes are delivered by message.
        case active
        /// A number of bytes or a line cannot be asked of a framed stream.
        case framed
        /// The line is longer than the call allows; its bytes stay.
        case lineTooLong
        /// No more can be sent.
        case writingEnded
    }

    package enum ReceiveDecision: Equatable {
        case bytes(ByteBuffer)
        case end(StreamEnd)
        /// Nothing yet, or others wait already: the call is to be queued behind them.
        case wait
        case refuse(Refusal)
    }

    /// What is owed to somebody now.
    package enum Due: Equatable {
        /// To the first call that waits, which leaves the queue.
        case bytes(ByteBuffer)
        case end(StreamEnd)
        case refusal(Refusal)
        /// To the owner's mailbox.
        case message(ByteBuffer)
        case lastMessage(StreamEnd)
    }

    /// What becomes of the calls that wait.
    package enum WaitingCalls: Equatable {
        case stay
        /// They end with this reason.
        case refuse(Refusal)
    }

    private enum Reading: Equatable {
        case open
        case ended(StreamEnd)
        /// A call of `receive` has returned the end. A mailbox that becomes the owner later still gets it, once.
        case reported(StreamEnd)
        /// The owner's mailbox has got the end: the last message.
        case posted(StreamEnd)
    }

    package enum CloseWritingDecision: Equatable {
        /// The end of the stream follows everything that was accepted.
        case wait
        /// It has been sent before.
        case alreadyClosed
        case refuse(Refusal)
    }

    private enum Writing: Equatable { case open, closing, closed, broken }

    package var queue: ReceiveQueue
    private var delivery = Delivery.passive
    private var isMailboxFull = false
    private var reading = Reading.open
    private var writing = Writing.open
    private var isClosed = false
    private let endsWritingWithReading: Bool

    package init(queue: ReceiveQueue, endsWritingWithReading: Bool = false) {
        self.queue = queue
        self.endsWritingWithReading = endsWritingWithReading
    }

    // MARK: Receiving

    /// Answers a request at once or says that it has to wait, which changes nothing.
    ///
    /// - Parameter isBehindOthers: Whether other calls wait.
    package mutating func receive(_ request: ReceiveQueue.Request, isBehindOthers: Bool) -> ReceiveDecision {
        if self.isClosed { return .refuse(.closed) }
        if case .active = self.delivery { return .refuse(.active) }
        if request != .next, self.queue.framing != .none { return .refuse(.framed) }
        if isBehindOthers { return .wait }
        switch self.serve(request) {
        case .bytes(let bytes): return .bytes(bytes)
        case .end(let end): return .end(end)
        case .lineTooLong: return .refuse(.lineTooLong)
        case nil: return .wait
        }
    }

    /// What is owed next, if anything. To be called after every event, until it answers nil.
    ///
    /// - Parameter first: What the first call asks for; nil: none waits.
    package mutating func nextDue(_ first: ReceiveQueue.Request?) -> Due? {
        guard !self.isClosed else { return nil }
        switch self.delivery {
        case .passive:
            guard let first, let served = self.serve(first) else { return nil }
            switch served {
            case .bytes(let bytes): return .bytes(bytes)
            case .end(let end): return .end(end)
            case .lineTooLong: return .refusal(.lineTooLong)
            }
        case .active(let credit):
            if case .posted = self.reading { return nil }
            guard !self.isMailboxFull, let served = self.serve(.next) else { return nil }
            switch served {
            case .bytes(let bytes):
                if let credit { self.delivery = credit > 1 ? .active(credit: credit - 1) : .passive }
                return .message(bytes)
            case .end(let end):
                self.reading = .posted(end)
                return .lastMessage(end)
            // No line is asked for here.
            case .lineTooLong: return nil
            }
        }
    }

    private enum Served { case bytes(ByteBuffer), end(StreamEnd), lineTooLong }

    private mutating func serve(_ request: ReceiveQueue.Request) -> Served? {
        switch self.queue.take(request) {
        case .bytes(let bytes): return .bytes(bytes)
        case .lineTooLong: return .lineTooLong
        case .oversized(let count):
            // Nothing after this can be made sense of.
            self.queue.removeAll()
            self.reading = .ended(.oversized(count))
        case .wait: break
        }
        switch self.reading {
        case .open: return nil
        case .posted(let end): return .end(end)
        case .ended(let end), .reported(let end):
            if case .line = request, end == .finished, let lastLine = self.queue.takeRest() { return .bytes(lastLine) }
            // Fewer bytes than asked for stay for a call that asks for less; an unfinished packet is of no use to anybody.
            let isInMidPacket = self.queue.framing != .none && self.queue.bytes.readableBytes > 0
            if isInMidPacket { self.queue.removeAll() }
            let reported = isInMidPacket && end == .finished ? .finishedInMidPacket : end
            self.reading = .reported(reported)
            return .end(reported)
        }
    }

    /// Chooses who gets what arrives from now on.
    package mutating func deliver(_ delivery: Delivery) -> WaitingCalls {
        self.delivery = delivery
        return self.isActive ? .refuse(.active) : .stay
    }

    package var isActive: Bool {
        if case .active = self.delivery { true } else { false }
    }

    /// The owner's mailbox holds more of this socket's bytes than the high-water mark allows, or does no longer.
    package mutating func mailboxIsFull(_ isFull: Bool) {
        self.isMailboxFull = isFull
    }

    // MARK: What the network does

    /// The peer's side has ended. Only the first end counts.
    package mutating func streamEnded(_ end: StreamEnd) {
        guard self.reading == .open else { return }
        self.reading = .ended(end)
    }

    /// How many bytes the queue may hold now; the connection decrypts and reads no further.
    ///
    /// - Parameter first: What the first call that waits asks for; nil: none waits.
    package func readLimit(_ first: ReceiveQueue.Request?) -> Int {
        guard self.mayRead else { return 0 }
        return self.queue.limit(for: self.isActive ? nil : first)
    }

    package func wantsToRead(_ first: ReceiveQueue.Request?) -> Bool {
        let count = self.queue.bytes.readableBytes
        // The read-ahead is the least that the limit can be; to know more a packet's header has to be looked at.
        return self.mayRead && (count < self.queue.readAhead || count < self.readLimit(first))
    }

    private var mayRead: Bool {
        guard !self.isClosed, case .open = self.reading else { return false }
        return !self.isMailboxFull || !self.isActive
    }

    package var peerHasEnded: Bool { self.reading != .open }

    private var isEndReported: Bool {
        switch self.reading {
        case .open, .ended: false
        case .reported, .posted: true
        }
    }

    // MARK: Sending

    /// Why nothing can be sent; nil if something can.
    package var sendRefusal: Refusal? {
        if self.isClosed { return .closed }
        if self.endsWritingWithReading, self.isEndReported { return .writingEnded }
        return self.writing == .open ? nil : .writingEnded
    }

    /// Ends this side's stream after everything that was accepted.
    package mutating func closeWriting() -> CloseWritingDecision {
        switch self.writing {
        case .open:
            if self.isClosed { return .refuse(.closed) }
            self.writing = .closing
            return .wait
        case .closing: return .wait
        case .closed: return .alreadyClosed
        case .broken: return .refuse(self.isClosed ? .closed : .writingEnded)
        }
    }

    /// The end of the stream has been sent.
    package mutating func writingClosed() {
        if self.writing == .closing { self.writing = .closed }
    }

    /// A write has failed. Reading is another matter, and an end that was sent has been sent.
    package mutating func writingBroke() {
        if self.writing != .closed { self.writing = .broken }
    }

    package var isWritingBroken: Bool { self.writing == .broken }

    package var isWritingClosed: Bool { self.writing == .closed }

    package var isClosingWriting: Bool { self.writing == .closing }

    // MARK: Closing

    /// Closes this side. What had arrived is discarded.
    package mutating func close() -> WaitingCalls {
        self.isClosed = true
        self.queue.removeAll()
        return .refuse(.closed)
    }

    package var isClosedHere: Bool { self.isClosed }
}
