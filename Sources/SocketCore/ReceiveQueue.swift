package import NIOCore

/// Bytes that have arrived and not been received, and the limit on further ones.
package struct ReceiveQueue: Sendable {
    /// A request for bytes.
    package enum Request: Sendable, Hashable {
        /// Whatever is available: at least a byte of a plain stream, or one packet of a framed one.
        case next
        /// Exactly this many bytes of a plain stream.
        case exactly(Int)
        /// A line of a plain stream, without its terminator.
        case line(maximumLength: Int)
    }

    package enum Answer: Equatable {
        case bytes(ByteBuffer)
        /// Not enough has arrived.
        case wait
        /// The header announces more than a packet may have, or at least this many bytes have arrived without the packet's end.
        case oversized(Int)
        /// The requested line is longer than permitted. Its bytes are kept.
        case lineTooLong
    }

    package let framing: Framing
    /// Whether there is no framing: asked for every message, and cheaper than a comparison.
    private let isPlain: Bool
    /// The length of a packet's header; 0 if packets have none.
    private let headerLength: Int
    package let maximumPacketSize: Int
    /// The number of bytes that are read from the network before they are requested.
    package let readAhead: Int
    /// The bytes in order of arrival. The engine decrypts to the end of this buffer.
    package var bytes = ByteBuffer()
    /// The number of bytes at the front that are known not to contain the beginning of a terminator, so that none is searched twice.
    private var searched = 0

    package init(framing: Framing, maximumPacketSize: Int, readAhead: Int) {
        self.framing = framing
        self.isPlain = framing == .none
        self.headerLength = framing.headerLength
        self.maximumPacketSize = maximumPacketSize
        self.readAhead = readAhead
    }

    /// Returns the number of bytes that the queue may hold when `request` is the next to be served: the read-ahead, or as much as the
    /// request needs.
    ///
    /// A whole packet is gathered even if it is larger than the read-ahead. Memory grows with what has arrived, not with what is announced.
    package func limit(for request: Request?) -> Int {
        if self.isPlain, request == nil || request == .next { return self.readAhead }
        var needed = 0
        switch (self.framing, request) {
        case (.none, .line(let maximumLength)?): return self.limit(forTerminatedUpTo: maximumLength)
        case (.line, _), (.crlfLine, _), (.delimiter, _): return self.limit(forTerminatedUpTo: self.maximumPacketSize)
        case (_, .exactly(let count)?): needed = count
        case (_, _): break
        }
        if let announced = self.framing.announcedLength(in: self.bytes), announced <= self.maximumPacketSize {
            needed = max(needed, self.framing.headerLength + announced)
        }
        return max(self.readAhead, self.framing.headerLength, needed)
    }

    /// Returns a limit of another read-ahead beyond what has been searched without success, up to the longest permitted.
    private func limit(forTerminatedUpTo maximumLength: Int) -> Int {
        max(self.readAhead, min(self.searched + self.readAhead, maximumLength + 2 * Delimiter.longest))
    }

    /// Serves a request from what has arrived.
    package mutating func take(_ request: Request) -> Answer {
        if self.isPlain, case .next = request {
            guard self.bytes.readableBytes > 0 else { return .wait }
            return .bytes(self.takeAll())
        }
        if self.headerLength > 0 { return self.takePacketWithHeader() }
        switch (self.framing, request) {
        case (.none, .exactly(let count)):
            guard self.bytes.readableBytes >= count else { return .wait }
            return self.takeSlice(count).map { .bytes($0) } ?? .wait
        case (.none, .line(let maximumLength)):
            let answer = self.takeTerminated(by: .line, maximumLength: maximumLength)
            if case .oversized = answer { return .lineTooLong }
            return answer
        case (_, _):
            guard let terminator = self.framing.terminator else { return .wait }
            return self.takeTerminated(by: terminator, maximumLength: self.maximumPacketSize)
        }
    }

    private mutating func takePacketWithHeader() -> Answer {
        guard let announced = self.framing.announcedLength(in: self.bytes) else { return .wait }
        guard announced <= self.maximumPacketSize else { return .oversized(announced) }
        guard self.bytes.readableBytes >= self.headerLength + announced else { return .wait }
        self.bytes.moveReaderIndex(forwardBy: self.headerLength)
        return self.takeSlice(announced).map { .bytes($0) } ?? .wait
    }

    /// Removes the bytes before the terminator, and the terminator. Returns the bytes.
    private mutating func takeTerminated(by terminator: Terminator, maximumLength: Int) -> Answer {
        let found = self.bytes.withUnsafeReadableBytes { bytes -> (length: Int, skipped: Int)? in
            guard let position = terminator.position(in: bytes, from: min(self.searched, bytes.count)) else { return nil }
            if terminator == .line, position > 0, bytes[position - 1] == Terminator.carriageReturn { return (position - 1, 2) }
            return (position, terminator.count)
        }
        guard let found else {
            self.searched = max(self.bytes.readableBytes - (terminator.count - 1), 0)
            // The last bytes may be the beginning of the terminator, such as the CR of a line's.
            let shortest = self.bytes.readableBytes - (terminator == .line ? 1 : terminator.count - 1)
            return shortest > maximumLength ? .oversized(shortest) : .wait
        }
        guard found.length <= maximumLength else { return .oversized(found.length) }
        guard let payload = self.takeSlice(found.length) else { return .wait }
        self.bytes.moveReaderIndex(forwardBy: found.skipped)
        return .bytes(payload)
    }

    /// Removes and returns the rest of a plain stream that has ended: its last line, which has no terminator.
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
        // A few bytes must not keep a large buffer for as long as the caller keeps them. The queue's own buffer is not a slice of another,
        // so its capacity is all the memory that it keeps, and is cheaper to query.
        return all.readableBytes < all.capacity / 2 && all.isSparse ? all.copied() : all
    }

    private mutating func takeSlice(_ count: Int) -> ByteBuffer? {
        if count == self.bytes.readableBytes { return self.takeAll() }
        guard let slice = self.bytes.readSlice(length: count) else { return nil }
        self.searched = 0
        // The shorter of the two parts is copied, so neither keeps the other's memory and no byte is copied often. The memory of what has
        // been taken is released: otherwise a stream whose packets and records never end together would grow the buffer forever.
        guard count > self.bytes.readableBytes else {
            let copy = slice.copied()
            if self.bytes.readerIndex > self.bytes.readableBytes { self.bytes = self.bytes.copied() }
            return copy
        }
        self.bytes = self.bytes.copied()
        return slice.isSparse ? slice.copied() : slice
    }
}
