public import NIOCore

extension StreamSocket {
    /// An asynchronous sequence of the chunks or packets that a socket receives. See ``StreamSocket/incoming``.
    public struct Incoming: AsyncSequence, Sendable {
        public typealias Element = ByteBuffer
        public typealias Failure = SecureSocketError

        let socket: StreamSocket

        /// A sequence of the same elements that also ends at a graceful shutdown of the listener that serves the socket
        /// (``SecureListener/shutDown(deadline:)``), once everything that arrived before has been returned.
        ///
        /// Use it for protocols in which each element is a complete request: a handler that iterates this sequence completes its current
        /// request and then returns. The rest of a packet of which a part has arrived is still awaited.
        public var untilShutdown: UntilShutdown { UntilShutdown(socket: self.socket) }

        public func makeAsyncIterator() -> Iterator { Iterator(socket: self.socket) }

        /// The iterator of the sequence.
        public struct Iterator: AsyncIteratorProtocol {
            @usableFromInline let socket: StreamSocket

            /// Returns the next chunk or packet, or nil after the end of the stream. See ``StreamSocket/receive(timeout:)``.
            public mutating func next() async throws(SecureSocketError) -> ByteBuffer? {
                try await self.socket.receive()
            }

            // Inlined into the caller's module: returning from a function that may have changed the executor takes a lock.
            @inlinable public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(SecureSocketError) -> ByteBuffer? {
                try await self.socket.receive()
            }
        }

        /// What arrives at a socket until the peer finishes or a graceful shutdown begins; see ``StreamSocket/Incoming/untilShutdown``.
        ///
        /// A type of its own, so that the usual iteration costs no more.
        public struct UntilShutdown: AsyncSequence, Sendable {
            public typealias Element = ByteBuffer
            public typealias Failure = SecureSocketError

            let socket: StreamSocket

            public func makeAsyncIterator() -> Iterator { Iterator(socket: self.socket) }

            public struct Iterator: AsyncIteratorProtocol {
                let socket: StreamSocket

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
}
