import NIOCore
import SocketCore
import Testing

@Suite struct `What waits to be sent` {
    @Test func `units go out in their order and are named when they are complete`() {
        var queue = SendQueue()
        queue.append(1, ByteBuffer(string: "hello"))
        queue.append(2, ByteBuffer(string: "you"))
        let first = queue.takeChunk(limit: 3)
        #expect(first?.bytes == ByteBuffer(string: "hel"))
        #expect(first?.completed == nil)
        let second = queue.takeChunk(limit: 100)
        #expect(second?.bytes == ByteBuffer(string: "lo"))
        #expect(second?.completed == 1)
        #expect(queue.takeChunk(limit: 100)?.completed == 2)
        #expect(queue.isEmpty)
    }

    @Test func `a unit that has begun is sent to its end`() {
        var queue = SendQueue()
        queue.append(1, ByteBuffer(string: "hello"))
        queue.append(2, ByteBuffer(string: "you"))
        _ = queue.takeChunk(limit: 1)
        #expect(queue.cancel(1) == .tooLate)
        #expect(queue.cancel(2) == .dropped)
        #expect(queue.cancel(2) == .unknown)
        #expect(queue.dropUnbegun() == [])
        #expect(queue.takeChunk(limit: 100)?.bytes == ByteBuffer(string: "ello"))
    }

    @Test func `what has not begun is dropped when no more is accepted`() {
        var queue = SendQueue()
        queue.append(1, ByteBuffer(string: "hello"))
        queue.append(2, ByteBuffer(string: "you"))
        _ = queue.takeChunk(limit: 1)
        #expect(queue.dropUnbegun() == [2])
        #expect(queue.dropAll() == [1])
        #expect(queue.isEmpty)
    }
}
