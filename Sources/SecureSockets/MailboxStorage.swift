import DequeModule
import NIOCore
import SocketCore
import Synchronization

/// The messages of a mailbox, the calls that wait for them, and the sockets and listeners that it owns.
final class MailboxStorage: Sendable {
    typealias Message = Mailbox.Message

    /// A waiting call.
    private struct Waiting {
        let caller: Caller
        let accepts: (@Sendable (Message) -> Bool)?
        let continuation: UnsafeContinuation<Message, any Error>
    }

    private enum Caller {
        /// A task that needs no cancellation handler.
        case loopTask(LoopTask)
        /// A call that can be cancelled or time out.
        case call(UInt64)

        func isCall(_ id: UInt64) -> Bool {
            switch self {
            case .loopTask: false
            case .call(let other): other == id
            }
        }

        func isTask(_ task: LoopTask) -> Bool {
            switch self {
            case .loopTask(let other): other === task
            case .call: false
            }
        }
    }

    /// A call that can be cancelled or time out, until it returns.
    private enum Call {
        /// The call waits, or is about to.
        case begun
        /// The call was cancelled or timed out before it began to wait.
        case ended(SecureSocketError)
    }

    private struct State {
        var messages = Deque<Message>()
        var waiting = Deque<Waiting>()
        var calls: [UInt64: Call] = [:]
        var owned: [ObjectIdentifier: any MailboxOwned] = [:]
        var ledger = MailboxLedger<ObjectIdentifier>()
        var lastID: UInt64 = 0
        /// The loop of the most recently adopted socket. The mailbox's reader usually runs there too.
        var executor: EventLoopExecutor?
        /// The task that waited last, if it needs no cancellation handler. It is usually the next to wait.
        var reader: LoopTask?
        var isClosed = false
        /// The number of messages that were taken without waiting since a reader last yielded.
        var takenWithoutWaiting = 0

        enum NextStep { case proceed, yield }

        /// Counts a message that was taken without waiting, and returns whether its reader proceeds or, after every 32nd, first yields its
        /// thread.
        mutating func countTakenWithoutWaiting() -> NextStep {
            self.takenWithoutWaiting += 1
            guard self.takenWithoutWaiting >= 32 else { return .proceed }
            self.takenWithoutWaiting = 0
            return .yield
        }

        /// Whether a call that accepts any message has to wait.
        var hasNothing: Bool { self.messages.isEmpty && !self.isClosed }

        /// Removes and returns the first call that waits for such a message.
        mutating func popWaiting(for message: Message) -> Waiting? {
            guard let first = self.waiting.first else { return nil }
            // Usually there is one reader, which takes any message.
            if first.accepts == nil { return self.waiting.removeFirst() }
            guard let index = self.waiting.firstIndex(where: { $0.accepts?(message) ?? true }) else { return nil }
            return self.waiting.remove(at: index)
        }

        typealias Taken = (outcome: Result<Message, SecureSocketError>, advice: MailboxLedger<ObjectIdentifier>.Advice)

        /// Removes the first message that matches. Returns it, or the error if there will be none; nil if there is none yet.
        mutating func takeFirst(_ accepts: (@Sendable (Message) -> Bool)?) -> Taken? {
            guard let index = accepts.map({ self.messages.firstIndex(where: $0) }) ?? self.messages.indices.first else {
                return self.isClosed ? (.failure(.closed(.receiving)), .none) : nil
            }
            let message = self.messages.remove(at: index)
            let advice = message.socket.map { self.ledger.taken(message.size, of: ObjectIdentifier($0)) }
            return (.success(message), advice ?? .none)
        }
    }

    private let state = Mutex(State())
    /// Called with an owned socket or listener that something other than the mailbox has closed.
    private let released: (@Sendable (any MailboxOwned) -> Void)?

    init(released: (@Sendable (any MailboxOwned) -> Void)?) {
        self.released = released
    }

    var count: Int { self.state.withLock { $0.messages.count } }

    // MARK: Taking

    @inline(__always) func next(
        timeout: Duration?, where accepts: (@Sendable (Message) -> Bool)?
    ) async throws(SecureSocketError) -> Message {
        // The usual case: the mailbox is empty, and any message is accepted.
        let (hasNothing, reader) = self.state.withLock { ($0.hasNothing, $0.reader) }
        if accepts != nil || !hasNothing, let message = try self.takeNow(accepts) {
            if self.countTaken(by: reader) == .yield { await self.yieldThread(of: reader) }
            return message
        }
        do {
            if timeout == nil, let task = self.callingTask(reader), task.registerWait(at: self) == .registered {
                return try await withUnsafeThrowingContinuation { continuation in
                    self.wait(as: .loopTask(task), accepts, continuation)
                }
            }
            return try await self.wait(timeout, accepts)
        } catch {
            throw Self.ended(by: error)
        }
    }

    // Never inlined: the frame of `next` would be larger in every wait, and a handler's frames would not fit into one block of task memory
    // (`HandlerTasks.add`).

    /// Counts a message that was taken without waiting. A reader that never waits has to yield its thread now and then, which may be an
    /// event loop's.
    @inline(never) private func countTaken(by reader: LoopTask?) -> State.NextStep {
        if let executor = self.callingTask(reader)?.executor { return executor.countItem() ? .yield : .proceed }
        return self.state.withLock { $0.countTakenWithoutWaiting() }
    }

    @inline(never) private func yieldThread(of reader: LoopTask?) async {
        guard let executor = self.callingTask(reader)?.executor else { return await Task.yield() }
        await withUnsafeContinuation { next in executor.inNextRound { next.resume() } }
    }

    /// Waits end with a `SecureSocketError` only.
    @inline(never) private static func ended(by error: any Error) -> SecureSocketError {
        error as? SecureSocketError ?? .cancelled(.receiving)
    }

    /// Returns the calling task if it needs no cancellation handler.
    private func callingTask(_ reader: LoopTask?) -> LoopTask? {
        if let reader, reader.isCallingOnLoop { return reader }
        guard
            let executor = self.state.withLock({ $0.executor }), executor.isOnLoop, let task = executor.callingTask
        else { return nil }
        self.state.withLock { $0.reader = task }
        return task
    }

    /// Waits with a cancellation handler, and a timer if there is a timeout.
    private func wait(
        _ timeout: Duration?, _ accepts: (@Sendable (Message) -> Bool)?
    ) async throws -> Message {
        if let timeout, timeout <= .zero { throw Self.timedOut(timeout) }
        // Without loops there are no timers, and the call would never return.
        let loop = timeout == nil ? nil : try SocketEventLoopGroup.shared.started(for: .receiving).any()
        let id = self.state.withLock { state in
            state.lastID += 1
            state.calls[state.lastID] = .begun
            return state.lastID
        }
        let timer = timeout.flatMap { timeout in
            loop?.scheduleTask(in: TimeAmount(timeout)) { self.endWait(id, Self.timedOut(timeout)) }
        }
        defer {
            timer?.cancel()
            self.state.withLock { _ = $0.calls.removeValue(forKey: id) }
        }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                self.wait(as: .call(id), accepts, continuation)
            }
        } onCancel: {
            self.endWait(id, .cancelled(.receiving))
        }
    }

    private static func timedOut(_ timeout: Duration) -> SecureSocketError {
        .timedOut(.receiving, "no message came within \(timeout)")
    }

    private func takeNow(_ accepts: (@Sendable (Message) -> Bool)?) throws(SecureSocketError) -> Message? {
        guard let outcome = self.take({ $0.takeFirst(accepts) }) else { return nil }
        return try outcome.get()
    }

    /// Waits, unless a message has arrived since the caller checked.
    ///
    /// The second check and the start of the wait are one step under the lock. Otherwise a message that arrives between them would not end
    /// the wait, and the next message would overtake it.
    @inline(never) private func wait(
        as caller: Caller, _ accepts: (@Sendable (Message) -> Bool)?, _ continuation: UnsafeContinuation<Message, any Error>
    ) {
        let waiting = Waiting(caller: caller, accepts: accepts, continuation: continuation)
        let isWaiting = self.state.withLock { state in
            guard case .loopTask = waiting.caller, waiting.accepts == nil, state.hasNothing else { return false }
            state.waiting.append(waiting)
            return true
        }
        if isWaiting { return }
        let outcome = self.take { state in
            if let outcome = state.takeFirst(waiting.accepts) { return outcome }
            if case .call(let id) = waiting.caller, case .ended(let error)? = state.calls[id] { return (.failure(error), .none) }
            state.waiting.append(waiting)
            return nil
        }
        if let outcome { waiting.continuation.resume(with: outcome) }
    }

    private func take(_ body: (inout State) -> State.Taken?) -> Result<Message, SecureSocketError>? {
        guard let (outcome, advice) = self.state.withLock({ body(&$0) }) else { return nil }
        if advice == .resume, case .success(let message) = outcome { message.socket?.connection.mailboxHasRoom() }
        return outcome
    }

    private func endWait(_ id: UInt64, _ error: SecureSocketError) {
        let waiting: Waiting? = self.state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0.caller.isCall(id) }) else {
                // A timer may be late: its call has returned.
                if state.calls[id] != nil { state.calls[id] = .ended(error) }
                return nil
            }
            return state.waiting.remove(at: index)
        }
        waiting?.continuation.resume(throwing: error)
    }

    // MARK: Adding

    /// Adds a message. Returns whether its socket has to pause.
    ///
    /// A socket that is closed on this side delivers no new messages, even before its connection has processed the close. `isClosed` is
    /// read under the lock, so that a caller that closes the socket and then reads the mailbox sees all of its messages.
    ///
    /// - Parameter isMoved: Whether the message comes from another mailbox and is not new.
    func put(_ message: consuming Message, isMoved: Bool = false) -> Bool {
        let (taker, isFull): (Waiting?, Bool) = self.state.withLock { state in
            guard !state.isClosed, isMoved || message.socket?.isClosed != true else { return (nil, false) }
            if let waiting = state.popWaiting(for: message) { return (waiting, false) }
            state.messages.append(message)
            guard let socket = message.socket else { return (nil, false) }
            let mark = socket.connection.options.mailboxHighWaterMark
            let advice = state.ledger.posted(message.size, by: ObjectIdentifier(socket), highWater: mark)
            return (nil, advice == .pause)
        }
        taker?.continuation.resume(returning: message)
        return isFull
    }

    func isFull(of socket: SecureSocket) -> Bool {
        self.state.withLock { $0.ledger.isPaused(ObjectIdentifier(socket)) }
    }

    // MARK: Owning

    var ownsSockets: Bool { self.state.withLock { $0.owned.values.contains { $0 is SecureSocket } } }

    /// Becomes the owner of a socket or a listener. Returns false if this mailbox is closed.
    func adopt(_ owned: any MailboxOwned) -> Bool {
        self.state.withLock { state in
            guard !state.isClosed else { return false }
            state.owned[ObjectIdentifier(owned)] = owned
            if let socket = owned as? SecureSocket { state.executor = socket.connection.executor }
            return true
        }
    }

    /// Gives up a socket or a listener to a new owner. Removes its messages and returns them.
    func giveUp(_ owned: any MailboxOwned) -> [Message] {
        self.state.withLock { state in
            let id = ObjectIdentifier(owned)
            state.owned[id] = nil
            guard let socket = owned as? SecureSocket else { return [] }
            let moved = Array(state.messages.filter { $0.socket === socket })
            state.messages.removeAll { $0.socket === socket }
            state.ledger.left(id)
            return moved
        }
    }

    /// Releases a socket or a listener that is closed. Its messages stay in the queue.
    func release(_ owned: any MailboxOwned) {
        let wasOwned = self.state.withLock { $0.owned.removeValue(forKey: ObjectIdentifier(owned)) != nil }
        if wasOwned { self.released?(owned) }
    }

    /// Closes everything when the mailbox is deallocated.
    func abandon() {
        let former = self.state.withLock { state in
            let former = state
            state = State()
            state.isClosed = true
            return former
        }
        for owned in former.owned.values { owned.close() }
        for call in former.waiting { call.continuation.resume(throwing: SecureSocketError.closed(.receiving)) }
    }

    func close() {
        let (owned, waiting) = self.state.withLock { state in
            state.isClosed = true
            defer {
                state.owned.removeAll()
                state.waiting.removeAll()
            }
            return (Array(state.owned.values), state.waiting)
        }
        for owned in owned { owned.close() }
        for call in waiting { call.continuation.resume(throwing: SecureSocketError.closed(.receiving)) }
    }
}

extension MailboxStorage: WaitingPlace {
    func cancelWait(of task: LoopTask) {
        let waiting: Waiting? = self.state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0.caller.isTask(task) }) else { return nil }
            return state.waiting.remove(at: index)
        }
        waiting?.continuation.resume(throwing: SecureSocketError.cancelled(.receiving))
    }
}
