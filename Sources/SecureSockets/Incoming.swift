public import NIOCore

/// What arrives at a socket, as a sequence; see ``SecureSocket/incoming``.
public struct Incoming: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer
    public typealias Failure = SecureSocketError

    let socket: SecureSocket

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
}
