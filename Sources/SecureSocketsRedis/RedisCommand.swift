internal import NIOCore

/// A command for a Redis server: a name and arguments, which are strings of bytes.
///
/// ```swift
/// let command = RedisCommand("SET", "token", [1, 2, 3] as [UInt8], "PX", 500)
/// ```
///
/// A command is encoded when it is created, and may be sent any number of times. Its description contains the name and the number of
/// arguments only, because arguments may be secret.
public struct RedisCommand: Sendable, Hashable {
    /// The name, for example `SET`, for messages.
    public let name: String
    /// The number of arguments after the name.
    public let argumentCount: Int
    /// The command as an array of bulk strings.
    let encoded: ByteBuffer

    /// Creates a command from its name and arguments.
    ///
    /// - Parameters:
    ///   - name: The name. A subcommand is an argument: `RedisCommand("CLIENT", "ID")`.
    ///   - arguments: Strings, which are sent in UTF-8, arrays or buffers of bytes, and integers, which are sent as decimal digits.
    public init(_ name: String, _ arguments: any RedisArgument...) {
        self.init(name, arguments: arguments)
    }

    /// Creates a command from its name and a list of arguments.
    public init(_ name: String, arguments: [any RedisArgument]) {
        var writer = RESPWriter(argumentCount: arguments.count + 1)
        writer.write(name)
        for argument in arguments { argument.write(to: &writer) }
        self.name = name
        self.argumentCount = arguments.count
        self.encoded = writer.bytes
    }
}

extension RedisCommand: CustomStringConvertible, CustomReflectable {
    /// The name and the number of arguments.
    public var description: String { "\(self.name) with \(self.argumentCount) arguments" }

    public var customMirror: Mirror { Mirror(self, children: ["name": self.name, "argumentCount": self.argumentCount]) }
}
