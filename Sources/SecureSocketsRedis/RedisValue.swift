internal import TLSEngine

/// A value that a Redis server sends: the types of RESP2 and RESP3.
///
/// The same command may have replies of different types in the two versions. The accessors hide most of the differences.
///
/// Descriptions contain the type and the size of a value, not its bytes, because these may be secret.
public enum RedisValue: Sendable, Hashable {
    /// A short text, for example `OK`.
    case simpleString(String)
    /// An error, for example `WRONGTYPE Operation against …`. As the whole reply to a command it is thrown; it appears here only inside
    /// other values, such as the reply to EXEC.
    case error(String)
    case integer(Int)
    /// A string of any bytes.
    case bulkString([UInt8])
    case array([RedisValue])
    /// The absence of a value, for example of a key.
    case null
    case double(Double)
    case boolean(Bool)
    /// An integer of any length, in decimal digits.
    case bigNumber(String)
    /// A text with the name of its format, `txt` or `mkd`.
    case verbatimString(format: String, [UInt8])
    /// Pairs in the order in which they arrived. In RESP2, they are an array of keys and values by turns.
    case map([Pair])
    /// Values in the order in which they arrived. In RESP2, they are an array.
    case set([RedisValue])
    /// A message that is not a reply, for example of a subscription.
    case push([RedisValue])

    /// A key of a map, and its value.
    public struct Pair: Sendable, Hashable {
        public let key: RedisValue
        public let value: RedisValue

        /// Creates a pair.
        public init(_ key: RedisValue, _ value: RedisValue) {
            self.key = key
            self.value = value
        }
    }
}

extension RedisValue {
    /// The bytes of a string of any kind; nil for other values.
    public var bytes: [UInt8]? {
        switch self {
        case .bulkString(let bytes), .verbatimString(_, let bytes): bytes
        case .simpleString(let text): Array(text.utf8)
        default: nil
        }
    }

    /// The text of a string of any kind; nil for other values. Invalid UTF-8 is replaced with U+FFFD.
    public var string: String? {
        switch self {
        case .simpleString(let text), .bigNumber(let text): text
        case .bulkString(let bytes), .verbatimString(_, let bytes): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }

    /// The value as an integer, also of a Boolean or of a string of decimal digits; nil for other values.
    public var integer: Int? {
        switch self {
        case .integer(let value): value
        case .boolean(let value): value ? 1 : 0
        case .simpleString, .bulkString: self.string.flatMap { Int($0) }
        default: nil
        }
    }

    /// The elements of an array, a set or a push, and the keys and values of a map by turns; nil for other values.
    public var array: [RedisValue]? {
        switch self {
        case .array(let values), .set(let values), .push(let values): values
        case .map(let pairs): pairs.flatMap { [$0.key, $0.value] }
        default: nil
        }
    }

    /// Whether the value is ``null``.
    public var isNull: Bool { self == .null }
}

extension RedisValue: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The type and the size, for example `bulk string of 5 bytes`. Simple strings, errors and numbers are shown.
    public var description: String {
        switch self {
        case .simpleString(let text): text.escapedForDisplay
        case .error(let text): "error \(ErrorReply(text).text)"
        case .integer(let value): "\(value)"
        case .bulkString(let bytes): "bulk string of \(bytes.count) bytes"
        case .array(let values): "array of \(values.count)"
        case .null: "null"
        case .double(let value): "\(value)"
        case .boolean(let value): "\(value)"
        case .bigNumber(let text): text
        case .verbatimString(_, let bytes): "verbatim string of \(bytes.count) bytes"
        case .map(let pairs): "map of \(pairs.count)"
        case .set(let values): "set of \(values.count)"
        case .push(let values): "push of \(values.count)"
        }
    }

    public var debugDescription: String { self.description }

    public var customMirror: Mirror { Mirror(self, children: []) }
}
