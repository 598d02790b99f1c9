package import NIOCore

/// How a stream of bytes is divided into packets: by a length header, by a terminator, or not at all.
///
/// The framing is inside TLS, independent of TLS records and of calls of `send`. Each end chooses its framing independently.
package enum Framing: Sendable, Hashable {
    /// A plain stream: no header, no boundaries.
    case none
    /// A header with the payload's length, an unsigned big-endian number of this many bytes.
    case oneByte
    case twoBytes
    case fourBytes
    /// Lines that end in LF when they are sent, and in LF or CRLF when they are received.
    case line
    /// Lines that end in CRLF, and only there.
    case crlfLine
    /// Packets followed by a delimiter.
    case delimiter(Delimiter)

    /// The terminator of each packet; nil if packets have a header or there are none.
    package var terminator: Terminator? {
        switch self {
        case .none, .oneByte, .twoBytes, .fourBytes: nil
        case .line: .line
        case .crlfLine: .delimiter(.crlf)
        case .delimiter(let delimiter): .delimiter(delimiter)
        }
    }
}

// MARK: Length headers

extension Framing {
    package var headerLength: Int {
        switch self {
        case .none, .line, .crlfLine, .delimiter: 0
        case .oneByte: 1
        case .twoBytes: 2
        case .fourBytes: 4
        }
    }

    /// The longest payload that the header can announce.
    package var largestPayload: Int {
        switch self {
        case .none, .line, .crlfLine, .delimiter: .max
        case .oneByte: Int(UInt8.max)
        case .twoBytes: Int(UInt16.max)
        case .fourBytes: Int(UInt32.max)
        }
    }

    /// Returns the length in the header at the start of `buffer`; nil while the header is incomplete.
    package func announcedLength(in buffer: ByteBuffer) -> Int? {
        let start = buffer.readerIndex
        switch self {
        case .none, .line, .crlfLine, .delimiter: return nil
        case .oneByte: return buffer.getInteger(at: start, as: UInt8.self).map(Int.init)
        case .twoBytes: return buffer.getInteger(at: start, as: UInt16.self).map(Int.init)
        case .fourBytes: return buffer.getInteger(at: start, as: UInt32.self).map(Int.init)
        }
    }
}

// MARK: Sending

extension Framing {
    /// The number of bytes that are sent in addition to a payload.
    package var overhead: Int {
        switch self {
        case .none: 0
        case .oneByte, .twoBytes, .fourBytes: self.headerLength
        case .line: 1
        case .crlfLine: 2
        case .delimiter(let delimiter): delimiter.count
        }
    }

    /// Returns whether the receiver would find a boundary in the payload other than its end.
    package func isBroken(by payload: ByteBuffer) -> Bool {
        switch self {
        case .none, .oneByte, .twoBytes, .fourBytes: return false
        // The CR would be taken for a part of the line's end.
        case .line:
            return payload.withUnsafeReadableBytes { $0.contains(Terminator.lineFeed) || $0.last == Terminator.carriageReturn }
        // Some receivers take a CR or an LF alone for the end of a line, and what follows for a command.
        case .crlfLine:
            return payload.withUnsafeReadableBytes { $0.contains(Terminator.lineFeed) || $0.contains(Terminator.carriageReturn) }
        case .delimiter(let delimiter):
            return payload.withUnsafeReadableBytes { delimiter.isFound(in: $0) || delimiter.isCompleted(behind: $0) }
        }
    }

    /// Writes a payload with its header or terminator. The payload must not be longer than `largestPayload`, nor break the framing.
    ///
    /// - Parameter packet: The target, as long as the payload plus `overhead`.
    package func write(_ payload: UnsafeRawBufferPointer, into packet: UnsafeMutableRawBufferPointer) {
        var rest = payload.count
        for index in (0..<self.headerLength).reversed() {
            packet[index] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
        }
        UnsafeMutableRawBufferPointer(rebasing: packet[self.headerLength...]).copyMemory(from: payload)
        let end = self.headerLength + payload.count
        switch self {
        case .none, .oneByte, .twoBytes, .fourBytes: break
        case .line: packet[end] = Terminator.lineFeed
        case .crlfLine:
            packet[end] = Terminator.carriageReturn
            packet[end + 1] = Terminator.lineFeed
        case .delimiter(let delimiter):
            for index in 0..<delimiter.count { packet[end + index] = delimiter[index] }
        }
    }

    /// Returns the payload with its header or terminator.
    package func packet(of payload: ByteBuffer) -> ByteBuffer {
        if self == .none { return payload }
        let length = self.overhead + payload.readableBytes
        var packet = ByteBuffer()
        packet.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
            payload.withUnsafeReadableBytes { self.write($0, into: UnsafeMutableRawBufferPointer(rebasing: target[..<length])) }
            return length
        }
        return packet
    }
}

// MARK: Terminators

/// 1 to 8 bytes that follow each packet.
package struct Delimiter: Sendable, Hashable {
    /// The bytes, the first in the lowest byte. Unlike an array, this is trivial to copy.
    private let packed: UInt64
    package let count: Int

    /// The largest number of bytes in a delimiter.
    package static let longest = 8

    /// Returns nil unless there are 1 to 8 bytes.
    package init?(_ bytes: [UInt8]) {
        guard (1...Self.longest).contains(bytes.count) else { return nil }
        self.packed = bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        self.count = bytes.count
    }

    fileprivate init(_ first: UInt8, _ second: UInt8) {
        self.packed = UInt64(second) << 8 | UInt64(first)
        self.count = 2
    }

    static let crlf = Delimiter(Terminator.carriageReturn, Terminator.lineFeed)

    package subscript(index: Int) -> UInt8 { UInt8(truncatingIfNeeded: self.packed >> (8 * UInt64(index))) }

    package var bytes: [UInt8] { (0..<self.count).map { self[$0] } }

    fileprivate func isFound(in bytes: UnsafeRawBufferPointer) -> Bool {
        Terminator.delimiter(self).position(in: bytes, from: 0) != nil
    }

    /// Returns whether the end of a payload, followed by the delimiter, contains another delimiter that ends too early.
    fileprivate func isCompleted(behind payload: UnsafeRawBufferPointer) -> Bool {
        (1..<self.count).contains { overlap in
            guard payload.count >= overlap else { return false }
            let end = payload[(payload.count - overlap)...]
            let isBeginning = (0..<overlap).allSatisfy { end[end.startIndex + $0] == self[$0] }
            return isBeginning && (overlap..<self.count).allSatisfy { self[$0] == self[$0 - overlap] }
        }
    }
}

/// The terminator of a received packet or line.
package enum Terminator: Sendable, Hashable {
    /// LF, or CR followed by LF.
    case line
    case delimiter(Delimiter)

    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")

    /// The number of bytes that are searched for.
    var count: Int {
        switch self {
        case .line: 1
        case .delimiter(let delimiter): delimiter.count
        }
    }

    private subscript(index: Int) -> UInt8 {
        switch self {
        case .line: Self.lineFeed
        case .delimiter(let delimiter): delimiter[index]
        }
    }

    /// Returns the index at which the terminator begins; for a line, the index of its LF. Returns nil if it is not found.
    func position(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var start = start
        while start + self.count <= bytes.count {
            guard let first = bytes[start...].firstIndex(of: self[0]), first + self.count <= bytes.count else { return nil }
            if (1..<self.count).allSatisfy({ bytes[first + $0] == self[$0] }) { return first }
            start = first + 1
        }
        return nil
    }
}
