/// The connections that a listener accepts, as a sequence; see ``SecureListener/connections``.
public struct IncomingConnections: AsyncSequence, Sendable {
    public typealias Element = SecureSocket
    public typealias Failure = SecureSocketError

    let listener: SecureListener

    public func makeAsyncIterator() -> Iterator { Iterator(listener: self.listener) }

    public struct Iterator: AsyncIteratorProtocol {
        let listener: SecureListener

        /// The next connection, with its handshake complete; nil when the listener is closed and all connections have been returned.
        ///
        /// - Throws: ``SecureSocketError``: `cancelled`, `wrongMode` while the listener is being served.
        public mutating func next() async throws(SecureSocketError) -> SecureSocket? {
            try await self.listener.acceptor.nextConnection()
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(SecureSocketError) -> SecureSocket? {
            try await self.listener.acceptor.nextConnection()
        }
    }
}
