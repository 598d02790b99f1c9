public import NIOCore

/// A queue to which sockets deliver what they receive, as messages in the order of arrival. Any number of sockets may share it.
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
/// A mailbox owns the sockets that deliver to it: it keeps them alive, and closes them when it is closed or deallocated. A socket that has
/// more than `mailboxHighWaterMark` bytes in its mailbox stops reading until half of them have been taken. Other sockets are not affected.
public final class Mailbox: Sendable {
    /// A message in a mailbox.
    public enum Message: Sendable {
        /// Received bytes: a chunk of a plain stream, which is never empty, or a packet of a framed one.
        case received(SecureSocket, ByteBuffer)
        /// The stream ended with an error. `ended` follows.
        case failed(SecureSocket, SecureSocketError)
        /// The peer's stream ended. This is a socket's last message. A socket that is closed on this side delivers none. Close the socket:
        /// until then, or until the mailbox is closed, the mailbox keeps it.
        case ended(SecureSocket)
        /// A value that the program added with ``Mailbox/post(_:)``.
        case posted(any Sendable)

        /// The socket that delivered the message; nil for a posted value.
        public var socket: SecureSocket? {
            switch self {
            case .received(let socket, _), .failed(let socket, _), .ended(let socket): socket
            case .posted: nil
            }
        }

        /// The memory that the message's bytes retain.
        var size: Int {
            if case .received(_, let bytes) = self { bytes.storageCapacity } else { 0 }
        }
    }

    /// The storage to which sockets deliver. They refer to it and not to the mailbox, so that the mailbox can be deallocated.
    let storage: MailboxStorage

    /// Creates an empty mailbox without sockets.
    public convenience init() {
        self.init(released: nil)
    }

    /// - Parameter released: The function to call with a socket or listener that this mailbox owns, when something other than the mailbox
    ///   closes it.
    package init(released: (@Sendable (any MailboxOwned) -> Void)?) {
        self.storage = MailboxStorage(released: released)
    }

    deinit { self.storage.abandon() }

    /// The number of messages in the mailbox.
    public var count: Int { self.storage.count }

    // MARK: Taking

    /// Removes and returns the first message, or the first that matches. Waits if there is none. Calls are served in order.
    ///
    /// Cancelling the task ends the wait without losing a message.
    ///
    /// - Parameters:
    ///   - timeout: The maximum time to wait; nil means no limit, and zero means not to wait.
    ///   - accepts: A function that returns whether to take a message; nil accepts any message. It is called with the mailbox locked and
    ///     must not use the mailbox.
    /// - Throws: ``SecureSocketError`` with the code `timedOut`, `cancelled` or `closed`.
    public func next(
        timeout: Duration? = nil,
        where accepts: (@Sendable (Message) -> Bool)? = nil
    ) async throws(SecureSocketError) -> Message {
        try await self.storage.next(timeout: timeout, where: accepts)
    }

    // MARK: Posting

    /// Adds a value of the program's own at the end of the queue, so that one loop can handle sockets and everything else. A closed mailbox
    /// discards the value.
    public func post(_ value: some Sendable) {
        _ = self.storage.put(.posted(value))
    }

    // MARK: Owning

    /// Whether the mailbox owns a socket, not counting listeners.
    package var ownsSockets: Bool { self.storage.ownsSockets }

    /// Closes the mailbox and the sockets that deliver to it. Waiting calls fail with `closed`. Messages in the queue can still be taken.
    public func close() { self.storage.close() }
}

/// An object that a mailbox can own, and that is closed with it.
package protocol MailboxOwned: AnyObject, Sendable {
    func close()
}

extension SecureSocket: MailboxOwned {}
extension SecureListener: MailboxOwned {}

extension Mailbox: AsyncSequence {
    public typealias Element = Message
    public typealias Failure = SecureSocketError

    /// Returns an iterator that takes messages as ``Mailbox/next(timeout:where:)`` does, and ends when the mailbox is closed and empty.
    public func makeAsyncIterator() -> Iterator { Iterator(mailbox: self) }

    /// The iterator of a mailbox.
    public struct Iterator: AsyncIteratorProtocol {
        let mailbox: Mailbox

        /// Returns the next message, or nil when the mailbox is closed and empty.
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
