import NIOCore

/// A splitter of bytes into lines without their newlines.
struct LineSplitter {
    /// The maximum length of a line.
    private let limit: Int
    private var pending = ByteBuffer()
    /// The number of bytes of `pending` that are known to contain no newline.
    private var searched = 0

    init(limit: Int) { self.limit = limit }

    mutating func append(_ bytes: ByteBuffer) {
        self.pending.writeImmutableBuffer(bytes)
    }

    /// Removes and returns the next complete line.
    mutating func next() throws(ToolError) -> ByteBuffer? {
        let view = self.pending.readableBytesView
        guard let newline = view.dropFirst(self.searched).firstIndex(of: UInt8(ascii: "\n")) else {
            self.searched = view.count
            if view.count > self.limit { throw .lineTooLong(limit: self.limit) }
            self.pending.discardReadBytes()
            return nil
        }
        let length = newline - view.startIndex
        if length > self.limit { throw .lineTooLong(limit: self.limit) }
        self.searched = 0
        let line = self.pending.readSlice(length: length)
        self.pending.moveReaderIndex(forwardBy: 1)
        return line
    }

    /// Removes and returns the bytes after the last newline; nil if there are none.
    mutating func rest() -> ByteBuffer? {
        self.searched = 0
        let rest = self.pending.readSlice(length: self.pending.readableBytes)
        return rest?.readableBytes == 0 ? nil : rest
    }
}
