extension SecureListener {
    /// An asynchronous sequence of the connections that a listener accepts. See ``SecureListener/connections``.
    public struct Connections: AsyncSequence, Sendable {
        public typealias Element = SecureSocket
        public typealias Failure = SecureSocketError

        let listener: SecureListener

        public func makeAsyncIterator() -> Iterator { Iterator(listener: self.listener) }

        /// The iterator of the sequence.
        public struct Iterator: AsyncIteratorProtocol {
            let listener: SecureListener

            /// Returns the next connection, with its handshake complete, or nil when the listener is closed and all connections have been
            /// returned.
            ///
            /// - Throws: ``SecureSocketError``: `cancelled`; `wrongMode` while `serve` runs.
            public mutating func next() async throws(SecureSocketError) -> SecureSocket? {
                try await self.listener.acceptor.nextConnection()?.secure()
            }

            public mutating func next(isolation actor: isolated (any Actor)?) async throws(SecureSocketError) -> SecureSocket? {
                try await self.listener.acceptor.nextConnection()?.secure()
            }
        }
    }
}
