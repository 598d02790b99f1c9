internal import NIOCore
internal import SecureSockets
internal import Synchronization

/// The implementation of ``RedisClient``: performs what `RedisConnectionMachine` and `CommandQueue` decide.
///
/// Three kinds of tasks use it, besides those of the callers: the supervisor, which connects, reads, and waits between attempts, from the
/// first command to `close`; the writer, a child of the supervisor for each connection; and the watchdog, which sleeps until the earliest
/// deadline while commands wait. The lock is held for the time of a decision only, and continuations are resumed outside of it.
final class ClientCore: Sendable {
    enum Outcome: Sendable {
        case reply(RedisValue)
        case timedOut
        case cancelled
        case failed(RedisError)
    }

    typealias Caller = UnsafeContinuation<Outcome, Never>

    private struct State {
        var machine: RedisConnectionMachine
        var queue: CommandQueue<Caller>
        /// The connection that is ready.
        var socket: StreamSocket?
        /// The reason for which this side ended the connection.
        var abortReason: RedisError?
        /// The writer, while it waits for commands.
        var idleWriter: UnsafeContinuation<Void, Never>?
        var supervisor: Task<Void, Never>?
        var watchdog: Watchdog?
        var lastWatchdog = 0
        /// The subscriptions that are being iterated. Their number is the program's.
        var feeds: [ObjectIdentifier: SubscriptionFeed] = [:]
    }

    private struct Watchdog {
        let id: Int
        let task: Task<Void, Never>
        var wakesAt: ContinuousClock.Instant
    }

    let configuration: RedisConfiguration
    let group: any EventLoopGroup
    let server: String
    private let state: Mutex<State>
    private let lastID = Atomic<UInt64>(0)

    init(_ configuration: RedisConfiguration, on group: any EventLoopGroup) {
        self.configuration = configuration
        self.group = group
        self.server = configuration.server
        let backoff = Backoff(minimum: configuration.minimumBackoff, maximum: configuration.maximumBackoff)
        self.state = Mutex(
            State(
                machine: RedisConnectionMachine(backoff: backoff, server: configuration.server),
                queue: CommandQueue(
                    maximumCount: configuration.maximumQueuedCommands, grace: configuration.commandTimeout)))
    }

    // MARK: Calls

    func nextID() -> UInt64 { self.lastID.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Accepts a command, or resumes its caller with the reason for not doing so.
    func submit(_ command: RedisCommand, id: UInt64, timeout: Duration, _ caller: Caller) {
        if timeout <= .zero { return caller.resume(returning: .timedOut) }
        let deadline = ContinuousClock.now + timeout
        var writer: UnsafeContinuation<Void, Never>?
        let refusal = self.state.withLock { state -> RedisError? in
            // Before the machine, so that a command that is refused does not begin to connect.
            if !state.machine.isClosed, let refusal = state.queue.refusal(of: command.encoded) { return self.error(for: refusal) }
            switch state.machine.send() {
            case .refuse(let error): return error
            case .connect: state.supervisor = Task.detached { await self.supervise() }
            case .wait: break
            case .write: writer = state.idleWriter.take()
            }
            state.queue.append(command.encoded, id: id, deadline: deadline, caller)
            self.watch(until: deadline, &state)
            return nil
        }
        writer?.resume()
        if let refusal { caller.resume(returning: .failed(refusal)) }
    }

    private func error(for refusal: CommandQueue<Caller>.Refusal) -> RedisError {
        switch refusal {
        case .tooMany(let count): .queueFull(count, server: self.server)
        case .tooManyBytes(let count): .unsentBytesFull(count, server: self.server)
        }
    }

    func cancel(_ id: UInt64) {
        self.state.withLock { $0.queue.cancel(id) }?.resume(returning: .cancelled)
    }

    /// Closes the client. Returns the task whose end is the end of the connection; nil if there is none.
    @discardableResult func close() -> Task<Void, Never>? {
        let (callers, writer, socket, feeds, supervisor) = self.state.withLock { state in
            _ = state.machine.close()
            state.watchdog.take()?.task.cancel()
            let feeds = Array(state.feeds.values)
            state.feeds = [:]
            return (state.queue.removeAll(), state.idleWriter.take(), state.socket.take(), feeds, state.supervisor)
        }
        for caller in callers { caller.resume(returning: .failed(.closed)) }
        writer?.resume()
        socket?.close()
        supervisor?.cancel()
        for feed in feeds { feed.end() }
        return supervisor
    }

    // MARK: Subscriptions

    func begin(_ feed: SubscriptionFeed) -> Bool {
        self.state.withLock { state in
            if state.machine.isClosed { return false }
            state.feeds[ObjectIdentifier(feed)] = feed
            return true
        }
    }

    func end(_ feed: SubscriptionFeed) {
        _ = self.state.withLock { $0.feeds.removeValue(forKey: ObjectIdentifier(feed)) }
    }

    // MARK: The connection

    /// Connects and reads, again and again, until the client is closed.
    private func supervise() async {
        while true {
            let reason = await self.runConnection()
            let (decision, callers) = self.state.withLock { state in
                let decision = state.machine.ended(reason, at: .now, jitter: .random(in: 0...1))
                return (decision, state.queue.removeAll())
            }
            for caller in callers { caller.resume(returning: .failed(reason)) }
            guard case .retry(let delay) = decision else { return }
            // Cancelled by `close`, whereupon the machine stops.
            try? await Task.sleep(for: delay)
            guard self.state.withLock({ $0.machine.backoffEnded() }) else { return }
        }
    }

    /// Connects, and returns the reason for which that failed or the connection ended.
    private func runConnection() async -> RedisError {
        let connection: RedisConnection
        do {
            connection = try await .open(self.configuration, on: self.group)
        } catch {
            return error
        }
        let socket = connection.socket
        let isUsed = self.state.withLock { state in
            guard state.machine.connected(at: .now) else { return false }
            state.socket = socket
            state.abortReason = nil
            return true
        }
        guard isUsed else {
            socket.close()
            return .closed
        }
        // On the connection's loop, because each change of thread costs more than a command.
        return await withTaskExecutorPreference(socket.taskExecutor) { await self.serve(connection) }
    }

    /// Writes commands and reads replies until the connection has ended. Returns the reason.
    private func serve(_ connection: RedisConnection) async -> RedisError {
        let socket = connection.socket
        async let writing: Void = self.write(to: socket)
        let failure = await self.read(from: connection)
        let (writer, reason) = self.state.withLock { state in
            state.socket = nil
            return (state.idleWriter.take(), state.abortReason)
        }
        // After `close`, what was accepted is still delivered.
        if !socket.isClosed { socket.abort() }
        writer?.resume()
        await writing
        return reason ?? failure
    }

    /// Ends the connection. Commands that wait fail with the reason, when the reader has noticed.
    private func abort(_ socket: StreamSocket, _ reason: RedisError) {
        self.state.withLock { state in
            if state.socket === socket, state.abortReason == nil { state.abortReason = reason }
        }
        socket.abort()
    }

    // MARK: Reading

    private func read(from connection: RedisConnection) async -> RedisError {
        var parser = connection.parser
        var replies: [RedisValue] = []
        while true {
            var violation: RESPParser.Violation?
            do throws(RESPParser.Violation) {
                while let value = try parser.next() {
                    // Nothing is subscribed to on this connection.
                    if case .push = value { continue }
                    replies.append(value)
                }
            } catch {
                violation = error
            }
            // Replies before the violation are valid.
            if !self.deliver(replies), violation == nil { violation = .init(message: "a reply to no command") }
            if let violation { return .protocolViolation(violation, server: self.server) }
            replies.removeAll(keepingCapacity: true)
            do {
                guard let bytes = try await connection.socket.receive() else {
                    return parser.isBetweenValues
                        ? .endOfStream(server: self.server)
                        : RedisError(.connectionFailed, "\(self.server) closed the connection in the middle of a reply")
                }
                parser.append(bytes)
            } catch {
                return .connectionFailed(error, server: self.server)
            }
        }
    }

    /// Passes replies to the callers. Returns false if there is a reply to no command.
    private func deliver(_ replies: [RedisValue]) -> Bool {
        if replies.isEmpty { return true }
        let matches = self.state.withLock { state in replies.map { _ in state.queue.matchReply() } }
        for (match, reply) in zip(matches, replies) {
            switch match {
            case .caller(let caller): caller.resume(returning: .reply(reply))
            case .discard: break
            case .unexpected: return false
            }
        }
        return true
    }

    // MARK: Writing

    private func write(to socket: StreamSocket) async {
        while let batch = await self.nextBatch(for: socket) {
            do {
                try await socket.send(batch)
            } catch {
                return self.abort(socket, .connectionFailed(error, server: self.server))
            }
        }
    }

    /// Waits for commands. Returns nil when the connection has ended.
    private func nextBatch(for socket: StreamSocket) async -> ByteBuffer? {
        while true {
            let (isCurrent, batch) = self.state.withLock { state in
                state.socket === socket ? (true, state.queue.takeBatch()) : (false, nil)
            }
            if batch != nil || !isCurrent { return batch }
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                let waits = self.state.withLock { state in
                    guard state.socket === socket, !state.queue.hasUnsent else { return false }
                    state.idleWriter = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        }
    }

    // MARK: Deadlines

    /// The time between two turns of the watchdog, so that many deadlines at nearly the same time take one turn.
    private static let shortestSleep = Duration.milliseconds(1)

    /// Makes sure that the watchdog is awake at the deadline. Usually it is already, because most commands have the same time limit.
    private func watch(until deadline: ContinuousClock.Instant, _ state: inout State) {
        if let watchdog = state.watchdog {
            if watchdog.wakesAt <= deadline { return }
            watchdog.task.cancel()
        }
        state.lastWatchdog += 1
        let id = state.lastWatchdog
        state.watchdog = Watchdog(id: id, task: Task.detached { await self.watch(as: id, deadline) }, wakesAt: deadline)
    }

    private func watch(as id: Int, _ deadline: ContinuousClock.Instant) async {
        var deadline: ContinuousClock.Instant? = deadline
        while let next = deadline {
            try? await ContinuousClock().sleep(until: next)
            deadline = self.wake(id)
        }
    }

    /// Ends the waits whose deadline has passed. Returns the next deadline; nil if the watchdog is not needed.
    private func wake(_ id: Int) -> ContinuousClock.Instant? {
        let now = ContinuousClock.now
        let (next, expired, overdue) = self.state.withLock { state -> (ContinuousClock.Instant?, [Caller], StreamSocket?) in
            guard state.watchdog?.id == id else { return (nil, [], nil) }
            let expired = state.queue.expire(at: now)
            let overdue = state.queue.isOverdue(at: now) ? state.socket : nil
            // The queue is emptied when the reader has ended. Until then, the oldest deadline has passed already.
            let next = state.queue.nextDeadline.map { max($0, now + Self.shortestSleep) }
            if let next { state.watchdog?.wakesAt = next } else { state.watchdog = nil }
            return (next, expired, overdue)
        }
        for caller in expired { caller.resume(returning: .timedOut) }
        if let overdue { self.abort(overdue, .noReply(for: self.configuration.commandTimeout, server: self.server)) }
        return next
    }
}
