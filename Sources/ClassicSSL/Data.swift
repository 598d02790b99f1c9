public import NIOCore

extension SSL {
    /// Received data: a list of bytes, or a binary if the socket was opened with ``SSL/Option/binary``.
    public enum Bytes: Sendable, Hashable {
        case bytes([UInt8])
        case binary(ByteBuffer)

        /// The bytes, in either form.
        public var array: [UInt8] {
            switch self {
            case .bytes(let bytes): bytes
            case .binary(let buffer): Array(buffer.readableBytesView)
            }
        }

        /// The bytes as UTF-8 text. A chunk of a plain stream may end inside a character, which is then replaced in both chunks (`U+FFFD`).
        /// A packet that was sent as text does not.
        public var text: String { String(decoding: self.array, as: UTF8.self) }

        init(_ buffer: ByteBuffer, isBinary: Bool) {
            self = isBinary ? .binary(buffer) : .bytes(Array(buffer.readableBytesView))
        }
    }

    /// Data to be sent: a binary, or a list of bytes, binaries and such lists.
    public enum IOData: Sendable, Hashable {
        /// One byte. For a number outside 0 to 255 `send` throws `einval`.
        case byte(Int)
        case bytes([UInt8])
        case binary(ByteBuffer)
        case list([IOData])

        /// Returns the UTF-8 bytes of a text in a variable. A literal needs no label.
        public static func text(_ text: String) -> IOData { .bytes(Array(text.utf8)) }

        /// Returns all bytes in order, in one buffer.
        func flattened() throws(Reason) -> ByteBuffer {
            if case .binary(let buffer) = self { return buffer }
            var buffer = ByteBuffer()
            try self.append(to: &buffer)
            return buffer
        }

        private func append(to buffer: inout ByteBuffer) throws(Reason) {
            switch self {
            case .byte(let number):
                guard let byte = UInt8(exactly: number) else { throw .einval }
                buffer.writeInteger(byte)
            case .bytes(let bytes): buffer.writeBytes(bytes)
            case .binary(let part): buffer.writeImmutableBuffer(part)
            case .list(let parts): for part in parts { try part.append(to: &buffer) }
            }
        }
    }
}

extension SSL.IOData: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByIntegerLiteral {
    public init(stringLiteral value: String) { self = .text(value) }
    public init(arrayLiteral elements: SSL.IOData...) { self = .list(elements) }
    public init(integerLiteral value: Int) { self = .byte(value) }

    /// Creates data to be sent from received data.
    public init(_ bytes: SSL.Bytes) {
        switch bytes {
        case .bytes(let bytes): self = .bytes(bytes)
        case .binary(let buffer): self = .binary(buffer)
        }
    }
}
