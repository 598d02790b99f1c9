extension SSL {
    /// An Erlang value, as far as options and reasons need it, for those that have no typed form here.
    public indirect enum Term: Sendable, Hashable {
        case atom(String)
        case integer(Int)
        case string(String)
        case binary([UInt8])
        case list([Term])
        case tuple([Term])
    }

    /// The limit of a whole call in milliseconds: `10_000`, or `.milliseconds(limit)` for a variable (specification §1.9).
    public enum Timeout: Sendable, Hashable, ExpressibleByIntegerLiteral {
        case infinity
        /// 0 returns only what is available at once. For a negative number the call throws `einval`.
        case milliseconds(Int)

        public init(integerLiteral value: Int) { self = .milliseconds(value) }

        /// The duration; nil for infinity.
        func duration() throws(Reason) -> Duration? {
            switch self {
            case .infinity: return nil
            case .milliseconds(let count):
                guard count >= 0 else { throw .einval }
                return .milliseconds(count)
            }
        }
    }

    /// A host: a name, a dotted address, or its four numbers. `"localhost"`, or `.host(name)` for a variable (specification §1.10).
    public enum Address: Sendable, Hashable, ExpressibleByStringLiteral {
        case host(String)
        case ipv4(Int, Int, Int, Int)

        public init(stringLiteral value: String) { self = .host(value) }

        /// The dotted form of four bytes or of a dotted string; nil for anything else.
        var dotted: String? {
            switch self {
            case .ipv4(let a, let b, let c, let d):
                let numbers = [a, b, c, d]
                return numbers.allSatisfy((0...255).contains) ? numbers.map(String.init).joined(separator: ".") : nil
            case .host(let text):
                let parts = text.split(separator: ".", omittingEmptySubsequences: false)
                let bytes = parts.compactMap { part in
                    part.count <= 3 && part.allSatisfy({ $0.isASCII && $0.isNumber }) ? UInt8(part) : nil
                }
                return parts.count == 4 && bytes.count == 4 ? bytes.map { String($0) }.joined(separator: ".") : nil
            }
        }
    }

    /// One end of a connection: `{Address, Port}`.
    public struct Endpoint: Sendable, Hashable {
        /// The address as four bytes.
        public let address: [UInt8]
        public let port: Int
    }
}

extension SSL.Term: CustomStringConvertible {
    /// The term as Erlang writes it.
    public var description: String {
        func inner(_ terms: [SSL.Term]) -> String { terms.map(\.description).joined(separator: ",") }
        return switch self {
        case .atom(let name): name
        case .integer(let number): "\(number)"
        case .string(let text): "\"\(text)\""
        case .binary(let bytes): "<<\(bytes.map { String($0) }.joined(separator: ","))>>"
        case .list(let terms): "[\(inner(terms))]"
        case .tuple(let terms): "{\(inner(terms))}"
        }
    }
}
