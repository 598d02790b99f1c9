public import NIOCore

/// What arrives at a socket, as a sequence; see ``SecureSocket/incoming``.
public struct Incoming: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer
    public typealias Failure = SecureSocketError

    let socket: SecureSocket

    /// The same sequence, which also ends when the listener that serves the socket begins a graceful shutdown
    /// (``SecureListener/shutDown(deadline:)``) and everything that had arrived by then has been returned.
    ///
    /// For protocols whose elements are whole requests: a handler that iterates this sequence completes the request that it works on, and
    /// then returns. A packet that has arrived in part is still waited for.
    public var untilShutdown: UntilShutdown { UntilShutdown(socket: self.socket) }

    public func makeAsyncIterator() -> Iterator { Iterator(socket: self.socket) }

    public struct Iterator: AsyncIteratorProtocol {
        @usableFromInline let socket: SecureSocket

        /// The next chunk or packet; nil when the peer has finished. See ``SecureSocket/receive(timeout:)``.
        public mutating func next() async throws(SecureSocketError) -> ByteBuffer? {
            try await self.socket.receive()
        }

        // In the caller's module, because coming back from another function that might have changed the executor costs a lock.
        @inlinable public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(SecureSocketError) -> ByteBuffer? {
            try await self.socket.receive()
        }
    }

    /// What arrives at a socket until the peer finishes or a graceful shutdown begins; see ``Incoming/untilShutdown``.
    ///
    /// A type of its own, so that the usual iteration costs no more.
    public struct UntilShutdown: AsyncSequence, Sendable {
        public typealias Element = ByteBuffer
        public typealias Failure = SecureSocketError

        let socket: SecureSocket

        public func makeAsyncIterator() -> Iterator { Iterator(socket: self.socket) }

        public struct Iterator: AsyncIteratorProtocol {
            let socket: SecureSocket

            /// The next chunk or packet; nil when the peer has finished or a graceful shutdown has begun.
            public mutating func next() async throws(SecureSocketError) -> ByteBuffer? {
                try await self.socket.receive(untilShutdown: true)
            }

            public mutating func next(isolation actor: isolated (any Actor)?) async throws(SecureSocketError) -> ByteBuffer? {
                try await self.socket.receive(untilShutdown: true)
            }
        }
    }
}
