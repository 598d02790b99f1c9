import NIOCore

extension StreamSocket {
    /// An asynchronous sequence of the lines that a socket receives. See ``StreamSocket/lines(maximumLength:)``.
    public struct Lines: AsyncSequence, Sendable {
        public typealias Element = String
        public typealias Failure = SecureSocketError

        let socket: StreamSocket
        let maximumLength: Int
        private var endsAtShutdown = false

        init(socket: StreamSocket, maximumLength: Int) {
            self.socket = socket
            self.maximumLength = maximumLength
        }

        /// A sequence of the same lines that also ends at a graceful shutdown of the listener that accepted the socket
        /// (``SecureListener/shutDown(deadline:)``), once every complete line that arrived before has been returned.
        public var untilShutdown: Lines {
            var lines = self
            lines.endsAtShutdown = true
            return lines
        }

        fileprivate func next() async throws(SecureSocketError) -> String? {
            let line = try await self.socket.receiveLine(
                maximumLength: self.maximumLength, timeout: nil, untilShutdown: self.endsAtShutdown)
            return line.map { String(buffer: $0) }
        }

        public func makeAsyncIterator() -> Iterator { Iterator(lines: self) }

        /// The iterator of the sequence.
        public struct Iterator: AsyncIteratorProtocol {
            let lines: Lines

            /// Returns the next line, or nil after the end of the stream. See ``StreamSocket/receiveLine(maximumLength:timeout:)``.
            public mutating func next() async throws(SecureSocketError) -> String? {
                try await self.lines.next()
            }

            public mutating func next(isolation actor: isolated (any Actor)?) async throws(SecureSocketError) -> String? {
                try await self.lines.next()
            }
        }
    }
}
