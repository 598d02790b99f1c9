import DequeModule
public import NIOCore
import NIOPosix
import SocketCore
import Synchronization

/// Where sockets deliver by message: what arrives from any number of them, in one place and in the order of its arrival.
///
/// ```swift
/// let mailbox = Mailbox()
/// try await socket.deliver(to: mailbox)
/// while true {
///     switch try await mailbox.next() {
///     case .received(let socket, let bytes): try await socket.send(bytes)
///     case .failed(let socket, let error): print(error)
///     case .ended(let socket): socket.close()
///     }
/// }
/// ```
///
/// A mailbox owns the sockets that deliver to it: it keeps them alive, and when it is closed or nobody refers to it any more, they
/// are closed. A socket of which more than `mailboxHighWaterMark` bytes wait in its mailbox reads no further until half of them
/// have been taken; others are not held up. (Classic: the owner's message queue, specification §7.)
public final class Mailbox: Sendable {
    /// What a socket has to say.
    public enum Message: Sendable {
        /// Bytes have arrived: a chunk of a plain stream, never empty, or a packet of a framed one.
        case received(SecureSocket, ByteBuffer)
        /// The stream has ended otherwise than by the peer's word; `ended` follows.
        case failed(SecureSocket, SecureSocketError)
        /// The peer's stream has ended. The last message of a socket; after one's own `close` there is none.
        case ended(SecureSocket)

        /// Whose message it is.
        public var socket: SecureSocket {
            switch self {
            case .received(let socket, _), .failed(let socket, _), .ended(let socket): socket
            }
        }

        var size: Int {
            if case .received(_, let bytes) = self { bytes.readableBytes } else { 0 }
        }
    }

    private struct Waiting {
        let id: UInt64
        let accepts: (@Sendable (Message) -> Bool)?
        let continuation: UnsafeContinuation<Result<Message, SecureSocketError>, Never>
    }

    private struct State {
        var messages = Deque<Message>()
        var waiting = Deque<Waiting>()
        /// Calls that were cancelled or timed out before they began to wait.
        var cancelled: [UInt64: SecureSocketError] = [:]
        var sockets: [ObjectIdentifier: SecureSocket] = [:]
        var ledger = MailboxLedger<ObjectIdentifier>()
        var lastID: UInt64 = 0
        var isClosed = false
    }

    private let state = Mutex(State())

    /// Makes an empty mailbox without sockets.
    public init() {}

    deinit {
        for socket in self.state.withLock({ $0.sockets.values.map { $0 } }) { socket.close() }
    }

    /// The number of messages that wait.
    public var count: Int { self.state.withLock { $0.messages.count } }

    // MARK: Taking

    /// Takes the first message, or the first that matches; waits if there is none. Calls are served in their order.
    ///
    /// - Parameters:
    ///   - timeout: How long to wait; nil: for ever, zero: not at all.
    ///   - accepts: Which messages to look for; nil: any. Called with the mailbox locked: it must not use the mailbox.
    /// - Throws: ``SecureSocketError`` with the code `timedOut`, `cancelled` or `closed`. Cancelling the task ends the wait; no
    ///   message is lost by that.
    nonisolated(nonsending) public func next(
        timeout: Duration? = nil,
        where accepts: (@Sendable (Message) -> Bool)? = nil
    ) async throws(SecureSocketError) -> Message {
        if let message = try self.takeNow(accepts) { return message }
        if let timeout, timeout <= .zero { throw Self.timedOut(timeout) }
        let id = self.state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        let timer = timeout.map { timeout in
            MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: TimeAmount(timeout)) {
                self.endWait(id, Self.timedOut(timeout))
            }
        }
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                self.wait(Waiting(id: id, accepts: accepts, continuation: continuation))
            }
        } onCancel: {
            self.endWait(id, .cancelled(.receiving))
        }
        timer?.cancel()
        // The end may have been noted after the outcome had come.
        self.state.withLock { _ = $0.cancelled.removeValue(forKey: id) }
        return try outcome.get()
    }

    private static func timedOut(_ timeout: Duration) -> SecureSocketError {
        .timedOut(.receiving, "no message came within \(timeout)")
    }

    private func takeNow(_ accepts: (@Sendable (Message) -> Bool)?) throws(SecureSocketError) -> Message? {
        let (message, advice, isClosed) = self.state.withLock { state in
            guard let index = accepts.map({ state.messages.firstIndex(where: $0) }) ?? state.messages.indices.first else {
                return (Message?.none, MailboxLedger<ObjectIdentifier>.Advice.none, state.isClosed)
            }
            let message = state.messages.remove(at: index)
            return (message, state.ledger.taken(message.size, of: ObjectIdentifier(message.socket)), false)
        }
        if isClosed { throw .closed(.receiving) }
        if let message, advice == .resume { message.socket.connection.mailboxHasRoom() }
        return message
    }

    private func wait(_ waiting: Waiting) {
        // A message may have come since the caller looked.
        let outcome: Result<Message, SecureSocketError>?
        do {
            outcome = try self.takeNow(waiting.accepts).map { .success($0) }
        } catch {
            outcome = .failure(error)
        }
        if let outcome { return waiting.continuation.resume(returning: outcome) }
        let early: Result<Message, SecureSocketError>? = self.state.withLock { state in
            if let error = state.cancelled.removeValue(forKey: waiting.id) { return .failure(error) }
            if state.isClosed { return .failure(.closed(.receiving)) }
            state.waiting.append(waiting)
            return nil
        }
        if let early { waiting.continuation.resume(returning: early) }
    }

    private func endWait(_ id: UInt64, _ error: SecureSocketError) {
        let waiting: Waiting? = self.state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0.id == id }) else {
                state.cancelled[id] = error
                return nil
            }
            return state.waiting.remove(at: index)
        }
        waiting?.continuation.resume(returning: .failure(error))
    }

    // MARK: Putting in

    /// Puts a message in; true if its socket has to pause.
    func post(_ message: Message) -> Bool {
        let (taker, isFull): (Waiting?, Bool) = self.state.withLock { state in
            guard !state.isClosed else { return (nil, false) }
            if let index = state.waiting.firstIndex(where: { $0.accepts?(message) ?? true }) {
                return (state.waiting.remove(at: index), false)
            }
            state.messages.append(message)
            let mark = message.socket.connection.options.mailboxHighWaterMark
            let advice = state.ledger.posted(message.size, by: ObjectIdentifier(message.socket), highWater: mark)
            return (nil, advice == .pause)
        }
        taker?.continuation.resume(returning: .success(message))
        return isFull
    }

    func isFull(of socket: SecureSocket) -> Bool {
        self.state.withLock { $0.ledger.isPaused(ObjectIdentifier(socket)) }
    }

    // MARK: Owning

    /// Takes a socket over, with the messages of it that wait with its former owner; false if this mailbox is closed.
    func adopt(_ socket: SecureSocket, from former: Mailbox?) -> Bool {
        guard
            self.state.withLock({ state in
                if !state.isClosed { state.sockets[ObjectIdentifier(socket)] = socket }
                return !state.isClosed
            })
        else { return false }
        for message in former?.giveUp(socket) ?? [] { _ = self.post(message) }
        return true
    }

    private func giveUp(_ socket: SecureSocket) -> [Message] {
        self.state.withLock { state in
            let moved = Array(state.messages.filter { $0.socket == socket })
            state.messages.removeAll { $0.socket == socket }
            state.ledger.left(ObjectIdentifier(socket))
            state.sockets[ObjectIdentifier(socket)] = nil
            return moved
        }
    }

    /// Lets go of a socket that is closed; its messages stay.
    func release(_ socket: SecureSocket) {
        self.state.withLock { $0.sockets[ObjectIdentifier(socket)] = nil }
    }

    /// Closes the mailbox and the sockets that deliver to it. Calls that wait end with `closed`; messages that wait can still be
    /// taken.
    public func close() {
        let (sockets, waiting) = self.state.withLock { state in
            state.isClosed = true
            defer {
                state.sockets.removeAll()
                state.waiting.removeAll()
            }
            return (Array(state.sockets.values), state.waiting)
        }
        for socket in sockets { socket.close() }
        for call in waiting { call.continuation.resume(returning: .failure(.closed(.receiving))) }
    }
}
