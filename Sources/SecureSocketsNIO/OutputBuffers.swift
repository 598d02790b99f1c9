import DequeModule
import NIOCore
import NIOPosix

/// Buffers for encrypted bytes that were passed on, of one thread, to be used again: allocating and clearing new memory takes as long as
/// encrypting into it. At most 8 of 128 KiB for each event loop, however many channels it has.
///
/// Sendable without a check because an object is used on its thread only.
final class OutputBuffers: @unchecked Sendable {
    private static let most = 8
    private static let capacities = 16 << 10...128 << 10

    private static let ofThread = ThreadSpecificVariable<OutputBuffers>()

    static var shared: OutputBuffers {
        if let known = self.ofThread.currentValue { return known }
        let new = OutputBuffers()
        self.ofThread.currentValue = new
        return new
    }

    private var buffers = Deque<ByteBuffer>()

    /// Returns an empty buffer; nil if there is none. The one that was passed on longest ago has most likely been written; if it has not,
    /// clearing it allocates another.
    func take() -> ByteBuffer? {
        guard var buffer = self.buffers.popFirst() else { return nil }
        buffer.clear()
        return buffer
    }

    /// Keeps a buffer that was passed on to the channel.
    func keep(_ buffer: ByteBuffer) {
        guard self.buffers.count < Self.most, Self.capacities.contains(buffer.capacity) else { return }
        self.buffers.append(buffer)
    }
}
