public import NIOCore

/// Where sockets deliver by message: what arrives from any number of them, in one place and in the order of its arrival.
///
/// ```swift
/// let mailbox = Mailbox()
/// try await socket.deliver(to: mailbox)
/// for try await message in mailbox {
///     switch message {
///     case .received(let socket, let bytes): try await socket.send(bytes)
///     case .failed(_, let error): print(error)
///     case .ended(let socket): socket.close()
///     case .posted(let value): print(value)
///     }
/// }
/// ```
///
/// A mailbox owns the sockets that deliver to it: it keeps them alive, and when it is closed or nobody refers to it any more, they
/// are closed. A socket of which more than `mailboxHighWaterMark` bytes wait in its mailbox reads no further until half of them
/// have been taken; others are not held up.
public final class Mailbox: Sendable {
    /// What a socket has to say.
    public enum Message: Sendable {
        /// Bytes have arrived: a chunk of a plain stream, never empty, or a packet of a framed one.
        case received(SecureSocket, ByteBuffer)
        /// The stream has ended otherwise than by the peer's word; `ended` follows.
        case failed(SecureSocket, SecureSocketError)
        /// The peer's stream has ended. The last message of a socket; after one's own `close` there is none.
        case ended(SecureSocket)
        /// Something of the program's own, put in by ``Mailbox/post(_:)``.
        case posted(any Sendable)

        /// Whose message it is; nil for the program's own.
        public var socket: SecureSocket? {
            switch self {
            case .received(let socket, _), .failed(let socket, _), .ended(let socket): socket
            case .posted: nil
            }
        }

        /// The memory that its bytes keep.
        var size: Int {
            if case .received(_, let bytes) = self { bytes.storageCapacity } else { 0 }
        }
    }

    /// What sockets deliver to. They keep it and not the mailbox, so that the mailbox ends when nobody refers to it.
    let storage: MailboxStorage

    /// Makes an empty mailbox without sockets.
    public convenience init() {
        self.init(released: nil)
    }

    /// - Parameter released: Told of a socket or listener that belonged to this mailbox and was closed otherwise than by the mailbox itself.
    package init(released: (@Sendable (any MailboxOwned) -> Void)?) {
        self.storage = MailboxStorage(released: released)
    }

    deinit { self.storage.abandon() }

    /// The number of messages that wait.
    public var count: Int { self.storage.count }

    // MARK: Taking

    /// Takes the first message, or the first that matches; waits if there is none. Calls are served in their order.
    ///
    /// - Parameters:
    ///   - timeout: How long to wait; nil: for ever, zero: not at all.
    ///   - accepts: Which messages to look for; nil: any. Called with the mailbox locked: it must not use the mailbox.
    /// - Throws: ``SecureSocketError`` with the code `timedOut`, `cancelled` or `closed`. Cancelling the task ends the wait; no
    ///   message is lost by that.
    public func next(
        timeout: Duration? = nil,
        where accepts: (@Sendable (Message) -> Bool)? = nil
    ) async throws(SecureSocketError) -> Message {
        try await self.storage.next(timeout: timeout, where: accepts)
    }

    // MARK: Putting in

    /// Puts something of the program's own in, behind what waits: so one place serves for sockets and for everything else. A mailbox
    /// that is closed drops it.
    public func post(_ value: some Sendable) {
        _ = self.storage.put(.posted(value))
    }

    // MARK: Owning

    /// Whether it owns a socket, not counting listeners.
    package var ownsSockets: Bool { self.storage.ownsSockets }

    /// Closes the mailbox and the sockets that deliver to it. Calls that wait end with `closed`; messages that wait can still be
    /// taken.
    public func close() { self.storage.close() }
}

/// What can belong to a mailbox, and ends with it.
package protocol MailboxOwned: AnyObject, Sendable {
    func close()
}

extension SecureSocket: MailboxOwned {}
extension SecureListener: MailboxOwned {}

extension Mailbox: AsyncSequence {
    public typealias Element = Message
    public typealias Failure = SecureSocketError

    /// An iterator that takes messages as ``Mailbox/next(timeout:where:)`` does, and ends when the mailbox is closed and empty.
    public func makeAsyncIterator() -> Iterator { Iterator(mailbox: self) }

    public struct Iterator: AsyncIteratorProtocol {
        let mailbox: Mailbox

        /// The next message; nil when the mailbox is closed and empty.
        ///
        /// - Throws: ``SecureSocketError`` with the code `cancelled`.
        public mutating func next() async throws(SecureSocketError) -> Message? {
            do {
                return try await self.mailbox.next()
            } catch  where error.code == .closed {
                return nil
            }
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(SecureSocketError) -> Message? {
            do {
                return try await self.mailbox.next()
            } catch  where error.code == .closed {
                return nil
            }
        }
    }
}
