internal import NIOCore

/// Encodes a command as an array of bulk strings, which both versions of RESP have in common.
public struct RESPWriter: Sendable {
    private(set) var bytes: ByteBuffer

    /// - Parameter argumentCount: The number of strings that will be written, the name of the command included.
    init(argumentCount: Int) {
        self.bytes = ByteBuffer()
        self.bytes.reserveCapacity(64)
        self.writeHeader("*", argumentCount)
    }

    /// Writes a string in UTF-8.
    public mutating func write(_ text: String) {
        self.writeHeader("$", text.utf8.count)
        self.bytes.writeString(text)
        self.bytes.writeStaticString("\r\n")
    }

    /// Writes a string of any bytes.
    public mutating func write(_ argument: some Collection<UInt8>) {
        self.writeHeader("$", argument.count)
        self.bytes.writeBytes(argument)
        self.bytes.writeStaticString("\r\n")
    }

    private mutating func writeHeader(_ type: StaticString, _ count: Int) {
        self.bytes.writeStaticString(type)
        self.bytes.writeString(String(count))
        self.bytes.writeStaticString("\r\n")
    }
}
