internal import NIOCore

/// Parses the values of RESP2 and RESP3 from a stream of bytes.
///
/// A value may arrive in any number of pieces: the parser keeps what it has read of it, and looks at each byte once. Everything that the
/// server announces is checked against a limit before memory is reserved for it:
///
/// - a line has at most 64 KiB;
/// - arrays, maps and the like are nested at most 32 deep;
/// - a value counts at most `maximumSize` bytes: 32 for each element, when their number is announced, and for each string its length and
///   another 32. Attributes count, although they are not returned.
///
/// Streamed types (`$?`, `*?`) are refused; no server sends them.
struct RESPParser {
    struct Violation: Error, Equatable {
        /// What arrived, as the object of "the server sent".
        let message: String
    }

    static let maximumLineLength = 64 << 10
    static let maximumDepth = 32
    static let elementCost = 32

    private enum Aggregate { case array, set, push, map, attribute }
    private enum Blob { case bulkString, error, verbatimString }

    private struct Frame {
        let aggregate: Aggregate
        /// The number of elements that are still to be read.
        var remaining: Int
        var values: [RedisValue] = []
    }

    private let maximumSize: Int
    /// Unparsed bytes. Bounded: the rest of a blob is limited by `maximumSize`, the rest of a line by `maximumLineLength`.
    private var buffer = ByteBuffer()
    /// The number of the buffer's bytes in which there is no line feed.
    private var searched = 0
    /// The blob whose length has been read.
    private var blob: (kind: Blob, length: Int)?
    /// The aggregates that are being read, the innermost last. Bounded by `maximumDepth`.
    private var frames: [Frame] = []
    /// What the present value counts so far.
    private var size = 0
    private var violation: Violation?

    /// - Parameter maximumSize: The largest size of a value in bytes.
    init(maximumSize: Int) { self.maximumSize = maximumSize }

    mutating func append(_ bytes: ByteBuffer) {
        if self.buffer.readableBytes == 0 {
            self.buffer = bytes
        } else {
            // Moves each byte once on average, because there are at least as many unused bytes as bytes to be moved.
            if self.buffer.readerIndex >= self.buffer.readableBytes { self.buffer.discardReadBytes() }
            self.buffer.writeImmutableBuffer(bytes)
        }
    }

    /// Returns the next value that has arrived completely; nil if there is none.
    ///
    /// - Throws: `Violation`, also from every later call.
    mutating func next() throws(Violation) -> RedisValue? {
        if let violation { throw violation }
        do throws(Violation) {
            return try self.parseNext()
        } catch {
            self.violation = error
            self.buffer = ByteBuffer()
            self.frames = []
            throw error
        }
    }

    /// Whether the bytes up to here end between two values.
    var isBetweenValues: Bool { self.buffer.readableBytes == 0 && self.frames.isEmpty && self.blob == nil }

    private mutating func parseNext() throws(Violation) -> RedisValue? {
        while true {
            let value: RedisValue?
            if let blob = self.blob {
                guard self.buffer.readableBytes >= blob.length + 2 else { return nil }
                self.blob = nil
                value = try self.readBlob(blob.kind, blob.length)
            } else {
                guard let line = try self.readLine() else { return nil }
                value = try self.parse(line)
            }
            if let value, let complete = try self.add(value) { return complete }
        }
    }

    /// Reads a line, without its line break.
    private mutating func readLine() throws(Violation) -> ByteBufferView? {
        let view = self.buffer.readableBytesView
        guard let end = view[(view.startIndex + self.searched)...].firstIndex(of: UInt8(ascii: "\n")) else {
            self.searched = view.count
            if view.count > Self.maximumLineLength + 1 { throw Self.lineTooLong }
            return nil
        }
        let length = end - view.startIndex
        self.searched = 0
        self.buffer.moveReaderIndex(forwardBy: length + 1)
        guard length <= Self.maximumLineLength + 1 else { throw Self.lineTooLong }
        guard length > 0, view[end - 1] == UInt8(ascii: "\r") else {
            throw Violation(message: "a line that does not end with CRLF")
        }
        guard length > 1 else { throw Violation(message: "an empty line") }
        return view[view.startIndex..<(end - 1)]
    }

    private static let lineTooLong = Violation(message: "a line of more than \(RESPParser.maximumLineLength) bytes")

    /// Parses a line that begins a value. Returns nil if more of the value follows.
    private mutating func parse(_ line: ByteBufferView) throws(Violation) -> RedisValue? {
        let content = line.dropFirst()
        if self.frames.isEmpty, self.size == 0 { try self.count(Self.elementCost) }
        switch line[line.startIndex] {
        case UInt8(ascii: "+"): return .simpleString(try self.text(content))
        case UInt8(ascii: "-"): return .error(try self.text(content))
        case UInt8(ascii: ":"): return .integer(try Self.integer(content))
        case UInt8(ascii: "$"): return try self.begin(.bulkString, content)
        case UInt8(ascii: "!"): return try self.begin(.error, content)
        case UInt8(ascii: "="): return try self.begin(.verbatimString, content)
        case UInt8(ascii: "*"): return try self.begin(.array, content)
        case UInt8(ascii: "~"): return try self.begin(.set, content)
        case UInt8(ascii: ">"): return try self.begin(.push, content)
        case UInt8(ascii: "%"): return try self.begin(.map, content)
        case UInt8(ascii: "|"): return try self.begin(.attribute, content)
        case UInt8(ascii: "_"):
            guard content.isEmpty else { throw Violation(message: "a null with content") }
            return .null
        case UInt8(ascii: "#"):
            if content.elementsEqual("t".utf8) { return .boolean(true) }
            if content.elementsEqual("f".utf8) { return .boolean(false) }
            throw Violation(message: "a Boolean that is neither t nor f")
        case UInt8(ascii: ","): return .double(try Self.double(content))
        case UInt8(ascii: "("): return .bigNumber(try self.digits(content))
        case let type: throw Violation(message: "a value of unknown type (first byte 0x\(String(type, radix: 16)))")
        }
    }

    // MARK: Strings

    private mutating func begin(_ blob: Blob, _ content: ByteBufferView) throws(Violation) -> RedisValue? {
        guard let length = try Self.length(content) else {
            guard blob == .bulkString else { throw Violation(message: "a negative length") }
            return .null
        }
        try self.count(length)
        try self.count(Self.elementCost)
        self.blob = (blob, length)
        return nil
    }

    private mutating func readBlob(_ kind: Blob, _ length: Int) throws(Violation) -> RedisValue {
        guard let bytes = self.buffer.readBytes(length: length), self.buffer.readBytes(length: 2) == [13, 10] else {
            throw Violation(message: "a string that is longer than its length")
        }
        switch kind {
        case .bulkString: return .bulkString(bytes)
        case .error: return .error(String(decoding: bytes, as: UTF8.self))
        case .verbatimString:
            guard bytes.count >= 4, bytes[3] == UInt8(ascii: ":") else {
                throw Violation(message: "a verbatim string without a format")
            }
            return .verbatimString(format: String(decoding: bytes[..<3], as: UTF8.self), Array(bytes[4...]))
        }
    }

    private mutating func text(_ content: ByteBufferView) throws(Violation) -> String {
        try self.count(content.count)
        return String(decoding: content, as: UTF8.self)
    }

    // MARK: Aggregates

    private mutating func begin(_ aggregate: Aggregate, _ content: ByteBufferView) throws(Violation) -> RedisValue? {
        guard var count = try Self.length(content) else {
            guard aggregate == .array else { throw Violation(message: "a negative number of elements") }
            return .null
        }
        if aggregate == .push, !self.frames.isEmpty { throw Violation(message: "a push inside another value") }
        guard self.frames.count < Self.maximumDepth else {
            throw Violation(message: "values nested more than \(Self.maximumDepth) deep")
        }
        // The count is checked before it is multiplied.
        try self.count(count)
        self.size -= count
        if aggregate == .map || aggregate == .attribute { count *= 2 }
        // An attribute has no element of its own in the value that contains it.
        try self.count(count * Self.elementCost + (aggregate == .attribute ? Self.elementCost : 0))
        if count > 0 {
            self.frames.append(Frame(aggregate: aggregate, remaining: count))
            return nil
        }
        return Self.value(of: Frame(aggregate: aggregate, remaining: 0))
    }

    /// Adds a value to the aggregate that is being read. Returns the outermost value if it is complete.
    private mutating func add(_ value: RedisValue) throws(Violation) -> RedisValue? {
        var value = value
        while var frame = self.frames.popLast() {
            frame.values.append(value)
            frame.remaining -= 1
            guard frame.remaining == 0 else {
                self.frames.append(frame)
                return nil
            }
            guard let aggregate = Self.value(of: frame) else { return nil }
            value = aggregate
        }
        self.size = 0
        return value
    }

    /// Returns the value of an aggregate that was read; nil for an attribute, which the value that it describes follows.
    private static func value(of frame: Frame) -> RedisValue? {
        switch frame.aggregate {
        case .array: .array(frame.values)
        case .set: .set(frame.values)
        case .push: .push(frame.values)
        case .attribute: nil
        case .map:
            .map(
                stride(from: 0, to: frame.values.count - 1, by: 2).map { RedisValue.Pair(frame.values[$0], frame.values[$0 + 1]) }
            )
        }
    }

    // MARK: Limits and numbers

    private mutating func count(_ bytes: Int) throws(Violation) {
        guard bytes <= self.maximumSize - self.size else {
            throw Violation(message: "a reply of more than \(self.maximumSize) bytes")
        }
        self.size += bytes
    }

    /// Parses a length; nil for -1, which is the null of RESP2.
    private static func length(_ content: ByteBufferView) throws(Violation) -> Int? {
        let length = try self.integer(content)
        guard length >= -1 else { throw Violation(message: "a negative length") }
        return length == -1 ? nil : length
    }

    private static func integer(_ content: ByteBufferView) throws(Violation) -> Int {
        let isNegative = content.first == UInt8(ascii: "-")
        let digits = isNegative || content.first == UInt8(ascii: "+") ? content.dropFirst() : content
        guard !digits.isEmpty else { throw Violation(message: "an integer without digits") }
        var value = 0
        for byte in digits {
            guard (48...57).contains(byte) else { throw Violation(message: "an integer with a character that is no digit") }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            // Negative throughout, because the smallest integer has no positive counterpart.
            let (difference, underflow) = product.subtractingReportingOverflow(Int(byte - 48))
            guard !overflow, !underflow else { throw Violation(message: "an integer of more than 64 bits") }
            value = difference
        }
        if isNegative { return value }
        guard value != .min else { throw Violation(message: "an integer of more than 64 bits") }
        return -value
    }

    private mutating func digits(_ content: ByteBufferView) throws(Violation) -> String {
        let digits = content.first == UInt8(ascii: "-") || content.first == UInt8(ascii: "+") ? content.dropFirst() : content
        guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) else {
            throw Violation(message: "a big number with a character that is no digit")
        }
        return try self.text(content)
    }

    private static func double(_ content: ByteBufferView) throws(Violation) -> Double {
        // `Double` also accepts hexadecimal numbers, white space and other spellings.
        let text = String(decoding: content, as: UTF8.self)
        switch text {
        case "inf", "+inf": return .infinity
        case "-inf": return -.infinity
        case "nan", "-nan": return .nan
        default:
            let isDecimal = content.allSatisfy { (48...57).contains($0) || "+-.eE".utf8.contains($0) }
            guard isDecimal, content.count <= 1024, let value = Double(text) else {
                throw Violation(message: "an invalid double")
            }
            return value
        }
    }
}
