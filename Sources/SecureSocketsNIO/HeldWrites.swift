import DequeModule
import NIOCore

/// The writes that wait for the end of the handshake, in order. `TLSHandlerOptions.maximumHeldBytes` bounds their bytes, and each counts
/// as `costOfOne` bytes more, so that their number is bounded as well.
struct HeldWrites {
    private static let costOfOne = 64

    private var writes = Deque<(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)>()
    /// The bytes of all writes, which count against the limit.
    private(set) var cost = 0
    private(set) var byteCount = 0
    /// Whether the program has flushed some of them.
    var isFlushed = false

    var isEmpty: Bool { self.writes.isEmpty }

    mutating func append(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        self.writes.append((bytes, promise))
        self.byteCount += bytes.readableBytes
        self.cost += bytes.readableBytes + Self.costOfOne
    }

    mutating func popFirst() -> (bytes: ByteBuffer, promise: EventLoopPromise<Void>?)? {
        guard let first = self.writes.popFirst() else { return nil }
        self.byteCount -= first.bytes.readableBytes
        self.cost -= first.bytes.readableBytes + Self.costOfOne
        if self.writes.isEmpty { self.writes = Deque() }
        return first
    }
}
