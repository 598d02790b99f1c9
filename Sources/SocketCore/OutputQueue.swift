import DequeModule
package import NIOCore

/// Written bytes that the operating system has not yet taken.
///
/// The queue holds at most about twice its bytes in memory, plus the part of its first buffer that has been taken, whatever buffers it is
/// given: writers reuse large buffers, and a peer that reads nothing could otherwise fill many of them with a record of a few bytes each.
/// Small parts are copied into one buffer.
package struct OutputQueue {
    /// The size of the buffers into which small parts are copied.
    private static let gatheringSize = 64 << 10

    private var buffers = Deque<ByteBuffer>()
    /// Whether the last buffer is such a copy, to which more can be added.
    private var isGathering = false
    package private(set) var byteCount = 0

    package init() {}

    package var isEmpty: Bool { self.buffers.isEmpty }

    /// The memory that the buffers keep allocated.
    package var storageSize: Int { self.buffers.reduce(0) { $0 + $1.storageCapacity } }

    package mutating func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        self.byteCount += bytes.readableBytes
        if !bytes.isSparse {
            self.buffers.append(bytes)
            self.isGathering = false
        } else if self.isGathering, let last = self.buffers.indices.last,
            // Includes what has been taken: its memory is not reused while the buffer gathers.
            self.buffers[last].writerIndex + bytes.readableBytes <= Self.gatheringSize
        {
            self.buffers[last].writeImmutableBuffer(bytes)
        } else {
            self.buffers.append(bytes.copied())
            self.isGathering = true
        }
    }

    /// Offers the first buffer to `send`, which returns how many of its bytes it has taken. Returns 0 if the queue is empty.
    package mutating func withFirst(_ send: (ByteBuffer) -> Int) -> Int {
        guard !self.buffers.isEmpty else { return 0 }
        let count = send(self.buffers[0])
        self.buffers[0].moveReaderIndex(forwardBy: count)
        self.byteCount -= count
        return count
    }

    /// Removes the first buffer if all of its bytes have been taken, so that it can be reused.
    package mutating func removeUsedFirst() -> ByteBuffer? {
        guard let first = self.buffers.first, first.readableBytes == 0 else { return nil }
        if self.buffers.count == 1 { self.isGathering = false }
        return self.buffers.removeFirst()
    }

    /// Removes the first buffer, whatever is left of it.
    package mutating func popFirst() -> ByteBuffer? {
        guard let first = self.buffers.popFirst() else { return nil }
        self.byteCount -= first.readableBytes
        if self.buffers.isEmpty { self.isGathering = false }
        return first
    }

    package mutating func removeAll() {
        self = OutputQueue()
    }
}

extension ByteBuffer {
    /// Whether the bytes take less than half of the memory that they keep, and that memory exceeds a small buffer's.
    package var isSparse: Bool { self.storageCapacity > 1024 && self.readableBytes < self.storageCapacity / 2 }

    /// Returns the same bytes in separate memory.
    package func copied() -> ByteBuffer { ByteBuffer(bytes: self.readableBytesView) }
}
