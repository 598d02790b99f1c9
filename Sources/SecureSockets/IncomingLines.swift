import NIOCore

/// The lines that arrive at a socket, as a sequence; see ``SecureSocket/lines(maximumLength:)``.
public struct IncomingLines: AsyncSequence, Sendable {
    public typealias Element = String
    public typealias Failure = SecureSocketError

    let socket: SecureSocket
    let maximumLength: Int

    public func makeAsyncIterator() -> Iterator { Iterator(lines: self) }

    public struct Iterator: AsyncIteratorProtocol {
        let lines: IncomingLines

        /// The next line; nil when the peer has finished. See ``SecureSocket/receiveLine(maximumLength:timeout:)``.
        public mutating func next() async throws(SecureSocketError) -> String? {
            try await self.lines.socket.receiveLine(maximumLength: self.lines.maximumLength).map { String(buffer: $0) }
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(SecureSocketError) -> String? {
            try await self.lines.socket.receiveLine(maximumLength: self.lines.maximumLength).map { String(buffer: $0) }
        }
    }
}
