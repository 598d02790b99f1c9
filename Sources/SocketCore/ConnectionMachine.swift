package import NIOCore

/// The state of one connection after its handshake: which calls are permitted, what they return, and where received bytes go.
/// `ClosingMachine` has its life from the handshake to the release of its descriptor.
///
/// Events arrive as method calls and decisions are returned as values; the connection that owns the machine performs them. The two sides
/// end independently and permanently: reading (open, then ended in one of four ways, then reported) and writing (open, then closing, closed
/// or broken).
///
/// Waiting calls of `receive` are queued by the connection and served in order of arrival. The machine is given the request of the first
/// one, because only that one can be served.
///
///     call ↓   state →   open, passive        open, active     peer's side ended           writing broken   closed here
///     receive            bytes, or waits      refused          what is left, then the end  as the reading   refused
///     messages           none                 bytes            what is left, then the end  as the reading   none
///     send               accepted             accepted         accepted ¹                  refused          refused
///     closeWriting       once                 once             once                        refused          refused
///     close              what was accepted still goes out; waiting calls are refused                        nothing to do
///
/// ¹ Refused after the end has been reported, if the socket was opened with `endsWritingWithReading`.
package struct ConnectionMachine: ~Copyable {
    /// How the peer's side of the stream has ended.
    package enum StreamEnd: Sendable, Hashable {
        /// The peer has sent `close_notify`.
        case finished
        /// The peer has sent `close_notify` in the middle of a packet.
        case finishedInMidPacket
        /// The transport ended without `close_notify`.
        case truncated
        /// The peer or the network reset the connection.
        case reset
        /// Any other failure, which the machine's owner knows.
        case failed
        /// A packet has at least this many bytes, which is more than permitted.
        case oversized(Int)
    }

    package enum Delivery: Sendable, Hashable {
        case passive
        /// By message, until `credit` messages have been delivered; nil means without limit. When the credit is used up, the socket is
        /// passive again.
        case active(credit: Int?)
    }

    package enum Refusal: Sendable, Hashable {
        /// The connection is closed on this side.
        case closed
        /// Bytes are delivered by message.
        case active
        /// A number of bytes or a line cannot be requested from a framed stream.
        case framed
        /// The line is longer than the call permits. Its bytes are kept.
        case lineTooLong
        /// Nothing more can be sent.
        case writingEnded
    }

    package enum ReceiveDecision: Equatable {
        case bytes(ByteBuffer)
        case end(StreamEnd)
        /// Not enough has arrived, or other calls are waiting. The call is queued behind them.
        case wait
        case refuse(Refusal)
    }

    /// A delivery that is due now.
    package enum Due: Equatable {
        /// For the first waiting call, which leaves the queue.
        case bytes(ByteBuffer)
        case end(StreamEnd)
        case refusal(Refusal)
        /// For the owner's mailbox.
        case message(ByteBuffer)
        case lastMessage(StreamEnd)
    }

    /// The consequence for waiting calls.
    package enum WaitingCalls: Equatable {
        case stay
        /// They fail with this reason.
        case refuse(Refusal)
    }

    private enum Reading: Equatable {
        case open
        case ended(StreamEnd)
        /// A call of `receive` has returned the end. A mailbox that becomes the owner later still receives it, once.
        case reported(StreamEnd)
        /// The owner's mailbox has received the end as its last message.
        case posted(StreamEnd)
    }

    package enum CloseWritingDecision: Equatable {
        /// The end of the stream follows everything that was accepted.
        case wait
        /// The end has already been sent.
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

    /// Serves a request at once, or returns that it has to wait, which changes no state.
    ///
    /// - Parameter isBehindOthers: Whether other calls are waiting.
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

    /// Returns the next delivery that is due, if any. Call it after every event until it returns nil.
    ///
    /// - Parameter first: The request of the first waiting call; nil if none waits.
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
            // This request is not for a line.
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
            // Nothing after this point can be interpreted.
            self.queue.removeAll()
            self.reading = .ended(.oversized(count))
        case .wait: break
        }
        switch self.reading {
        case .open: return nil
        case .posted(let end): return .end(end)
        case .ended(let end), .reported(let end):
            if case .line = request, end == .finished, let lastLine = self.queue.takeRest() { return .bytes(lastLine) }
            // Too few bytes for this request are kept for a call that requests fewer. An incomplete packet cannot be used.
            let isInMidPacket = self.queue.framing != .none && self.queue.bytes.readableBytes > 0
            if isInMidPacket { self.queue.removeAll() }
            let reported = isInMidPacket && end == .finished ? .finishedInMidPacket : end
            self.reading = .reported(reported)
            return .end(reported)
        }
    }

    /// Changes how bytes are delivered from now on.
    package mutating func deliver(_ delivery: Delivery) -> WaitingCalls {
        self.delivery = delivery
        return self.isActive ? .refuse(.active) : .stay
    }

    package var isActive: Bool {
        if case .active = self.delivery { true } else { false }
    }

    /// Records whether the owner's mailbox holds more of this socket's bytes than the high-water mark permits.
    package mutating func mailboxIsFull(_ isFull: Bool) {
        self.isMailboxFull = isFull
    }

    // MARK: Network events

    /// Records that the peer's side has ended. Only the first end counts.
    package mutating func streamEnded(_ end: StreamEnd) {
        guard self.reading == .open else { return }
        self.reading = .ended(end)
    }

    /// Returns the number of bytes that the queue may hold now. The connection decrypts and reads no further.
    ///
    /// - Parameter first: The request of the first waiting call; nil if none waits.
    package func readLimit(_ first: ReceiveQueue.Request?) -> Int {
        guard self.mayRead else { return 0 }
        return self.queue.limit(for: self.isActive ? nil : first)
    }

    package func wantsToRead(_ first: ReceiveQueue.Request?) -> Bool {
        let count = self.queue.bytes.readableBytes
        // The read-ahead is the smallest possible limit. Finding the exact one means reading a packet's header.
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

    /// The reason for which nothing can be sent; nil if sending is possible.
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

    /// Records that the end of the stream has been sent.
    package mutating func writingClosed() {
        if self.writing == .closing { self.writing = .closed }
    }

    /// Records that a write has failed. Reading is not affected, nor is an end that has already been sent.
    package mutating func writingBroke() {
        if self.writing != .closed { self.writing = .broken }
    }

    package var isWritingBroken: Bool { self.writing == .broken }

    package var isWritingClosed: Bool { self.writing == .closed }

    package var isClosingWriting: Bool { self.writing == .closing }

    // MARK: Closing

    /// Closes this side. Data that has arrived is discarded.
    package mutating func close() -> WaitingCalls {
        self.isClosed = true
        self.queue.removeAll()
        return .refuse(.closed)
    }

    package var isClosedHere: Bool { self.isClosed }
}
