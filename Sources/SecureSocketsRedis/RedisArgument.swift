public import NIOCore

/// An argument of a ``RedisCommand``. A custom type conforms by writing one string or byte sequence:
///
/// ```swift
/// struct SessionName: RedisArgument {
///     let number: Int
///
///     func write(to writer: inout RESPWriter) { writer.write("session:\(self.number)") }
/// }
/// ```
public protocol RedisArgument {
    /// Writes exactly one string to a command.
    func write(to writer: inout RESPWriter)
}

extension String: RedisArgument {
    public func write(to writer: inout RESPWriter) { writer.write(self) }
}

extension Substring: RedisArgument {
    public func write(to writer: inout RESPWriter) { writer.write(String(self)) }
}

extension [UInt8]: RedisArgument {
    public func write(to writer: inout RESPWriter) { writer.write(self) }
}

extension ArraySlice<UInt8>: RedisArgument {
    public func write(to writer: inout RESPWriter) { writer.write(self) }
}

extension ByteBuffer: RedisArgument {
    public func write(to writer: inout RESPWriter) { writer.write(self.readableBytesView) }
}

extension Int: RedisArgument {
    public func write(to writer: inout RESPWriter) { writer.write(String(self)) }
}
