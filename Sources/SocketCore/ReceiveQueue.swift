package import NIOCore

/// What has arrived and nobody has taken yet, and how much more may arrive.
package struct ReceiveQueue: Sendable {
    /// What somebody asks of the queue.
    package enum Request: Sendable, Hashable {
        /// What there is: at least a byte of a plain stream, or one packet of a framed one.
        case next
        /// Exactly that many bytes, from a plain stream.
        case exactly(Int)
        /// A line without its end, from a plain stream.
        case line(maximumLength: Int)
    }

    package enum Answer: Equatable {
        case bytes(ByteBuffer)
        /// Not enough has arrived.
        case wait
        /// The header announces more than a packet may have, or at least so many bytes have come without the packet's end.
        case oversized(Int)
        /// The line that was asked for is longer than allowed; its bytes stay.
        case lineTooLong
    }

    package let framing: Framing
    package let maximumPacketSize: Int
    /// Bytes that are taken from the network before anybody asks for them.
    package let readAhead: Int
    /// The bytes in order of arrival. The engine decrypts into this buffer's end.
    package var bytes = ByteBuffer()
    /// How many bytes at the front are known not to contain the beginning of a terminator, so that none is looked at twice.
    private var searched = 0

    package init(framing: Framing, maximumPacketSize: Int, readAhead: Int) {
        self.framing = framing
        self.maximumPacketSize = maximumPacketSize
        self.readAhead = readAhead
    }

    /// How many bytes the queue may hold when `request` is the next to be served: read-ahead, or all that the request needs.
    ///
    /// A whole packet is gathered even if it is larger than the read-ahead; memory grows with what has
    /// come, not with what is announced.
    package func limit(for request: Request?) -> Int {
        var needed = 0
        switch (self.framing, request) {
        case (.none, nil), (.none, .next?): return self.readAhead
        case (.none, .line(let maximumLength)?): return self.limit(forTerminatedUpTo: maximumLength)
        case (.line, _), (.delimiter, _): return self.limit(forTerminatedUpTo: self.maximumPacketSize)
        case (_, .exactly(let count)?): needed = count
        case (_, _): break
        }
        if let announced = self.framing.announcedLength(in: self.bytes), announced <= self.maximumPacketSize {
            needed = max(needed, self.framing.headerLength + announced)
        }
        return max(self.readAhead, self.framing.headerLength, needed)
    }

    /// Another read-ahead beyond what has been searched in vain, up to the longest that may come.
    private func limit(forTerminatedUpTo maximumLength: Int) -> Int {
        max(self.readAhead, min(self.searched + self.readAhead, maximumLength + 2 * Delimiter.longest))
    }

    /// Serves a request from what has arrived.
    package mutating func take(_ request: Request) -> Answer {
        switch (self.framing, request) {
        case (.none, .next):
            guard self.bytes.readableBytes > 0 else { return .wait }
            return .bytes(self.takeAll())
        case (.none, .exactly(let count)):
            guard self.bytes.readableBytes >= count else { return .wait }
            return self.takeSlice(count).map { .bytes($0) } ?? .wait
        case (.none, .line(let maximumLength)):
            let answer = self.takeTerminated(by: .line, maximumLength: maximumLength)
            if case .oversized = answer { return .lineTooLong }
            return answer
        case (.line, _): return self.takeTerminated(by: .line, maximumLength: self.maximumPacketSize)
        case (.delimiter(let delimiter), _):
            return self.takeTerminated(by: .delimiter(delimiter), maximumLength: self.maximumPacketSize)
        case (_, _):
            guard let announced = self.framing.announcedLength(in: self.bytes) else { return .wait }
            guard announced <= self.maximumPacketSize else { return .oversized(announced) }
            guard self.bytes.readableBytes >= self.framing.headerLength + announced else { return .wait }
            self.bytes.moveReaderIndex(forwardBy: self.framing.headerLength)
            return self.takeSlice(announced).map { .bytes($0) } ?? .wait
        }
    }

    /// Takes what stands before the terminator, and the terminator away.
    private mutating func takeTerminated(by terminator: Terminator, maximumLength: Int) -> Answer {
        let found = self.bytes.withUnsafeReadableBytes { bytes -> (length: Int, skipped: Int)? in
            guard let position = terminator.position(in: bytes, from: min(self.searched, bytes.count)) else { return nil }
            if terminator == .line, position > 0, bytes[position - 1] == Terminator.carriageReturn { return (position - 1, 2) }
            return (position, terminator.count)
        }
        guard let found else {
            self.searched = max(self.bytes.readableBytes - (terminator.count - 1), 0)
            // The last bytes may be the beginning of the terminator: of a line's, the CR.
            let shortest = self.bytes.readableBytes - (terminator == .line ? 1 : terminator.count - 1)
            return shortest > maximumLength ? .oversized(shortest) : .wait
        }
        guard found.length <= maximumLength else { return .oversized(found.length) }
        guard let payload = self.takeSlice(found.length) else { return .wait }
        self.bytes.moveReaderIndex(forwardBy: found.skipped)
        return .bytes(payload)
    }

    /// Takes what is left of a plain stream that has ended: its last line, which has no end.
    package mutating func takeRest() -> ByteBuffer? {
        self.bytes.readableBytes > 0 ? self.takeAll() : nil
    }

    package mutating func removeAll() {
        self.bytes = ByteBuffer()
        self.searched = 0
    }

    private mutating func takeAll() -> ByteBuffer {
        let all = self.bytes
        self.bytes = ByteBuffer()
        self.searched = 0
        // A few bytes must not keep a large buffer for as long as the caller keeps them. The queue's own buffer is no slice of another, and
        // so its capacity is all the memory that it keeps, and cheaper to ask for.
        return all.readableBytes < all.capacity / 2 && all.isSparse ? all.copied() : all
    }

    private mutating func takeSlice(_ count: Int) -> ByteBuffer? {
        if count == self.bytes.readableBytes { return self.takeAll() }
        guard let slice = self.bytes.readSlice(length: count) else { return nil }
        self.searched = 0
        // Of the two parts the shorter is copied: neither keeps the other's memory, and no byte is copied often. What has been
        // taken is given back: a stream whose packets and records never end together would grow the buffer for ever.
        guard count > self.bytes.readableBytes else {
            let copy = slice.copied()
            if self.bytes.readerIndex > self.bytes.readableBytes { self.bytes = self.bytes.copied() }
            return copy
        }
        self.bytes = self.bytes.copied()
        return slice.isSparse ? slice.copied() : slice
    }
}
