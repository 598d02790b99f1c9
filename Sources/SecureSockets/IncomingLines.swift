import NIOCore

/// The lines that arrive at a socket, as a sequence; see ``SecureSocket/lines(maximumLength:)``.
public struct IncomingLines: AsyncSequence, Sendable {
    public typealias Element = String
    public typealias Failure = SecureSocketError

    let socket: SecureSocket
    let maximumLength: Int
    private var endsAtShutdown = false

    init(socket: SecureSocket, maximumLength: Int) {
        self.socket = socket
        self.maximumLength = maximumLength
    }

    /// The same sequence, which also ends when the listener that accepted the socket begins a graceful shutdown
    /// (``SecureListener/shutDown(deadline:)``) and no further line has arrived.
    public var untilShutdown: IncomingLines {
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

    public struct Iterator: AsyncIteratorProtocol {
        let lines: IncomingLines

        /// The next line; nil when the peer has finished. See ``SecureSocket/receiveLine(maximumLength:timeout:)``.
        public mutating func next() async throws(SecureSocketError) -> String? {
            try await self.lines.next()
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(SecureSocketError) -> String? {
            try await self.lines.next()
        }
    }
}
