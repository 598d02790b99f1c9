public import NIOCore

/// What arrives at a socket, as a sequence; see ``SecureSocket/incoming``.
public struct Incoming: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer
    public typealias Failure = SecureSocketError

    let socket: SecureSocket
    private(set) var endsAtShutdown = false

    init(socket: SecureSocket) {
        self.socket = socket
    }

    /// The same sequence, which also ends when the listener that accepted the socket begins a graceful shutdown
    /// (``SecureListener/shutDown(deadline:)``) and everything that had arrived by then has been returned.
    ///
    /// For protocols whose elements are whole requests: a handler that iterates this sequence completes the request that it works on, and
    /// then returns.
    public var untilShutdown: Incoming {
        var incoming = self
        incoming.endsAtShutdown = true
        return incoming
    }

    public func makeAsyncIterator() -> Iterator { Iterator(socket: self.socket, endsAtShutdown: self.endsAtShutdown) }

    public struct Iterator: AsyncIteratorProtocol {
        @usableFromInline let socket: SecureSocket
        @usableFromInline let endsAtShutdown: Bool

        /// The next chunk or packet; nil when the peer has finished. See ``SecureSocket/receive(timeout:)``.
        public mutating func next() async throws(SecureSocketError) -> ByteBuffer? {
            try await self.socket.receive(untilShutdown: self.endsAtShutdown)
        }

        // In the caller's module, because coming back from another function that might have changed the executor costs a lock.
        @inlinable public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(SecureSocketError) -> ByteBuffer? {
            try await self.socket.receive(untilShutdown: self.endsAtShutdown)
        }
    }
}
