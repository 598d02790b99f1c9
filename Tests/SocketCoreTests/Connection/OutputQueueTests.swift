import NIOCore
import SocketCore
import Testing

@Suite struct `An output queue` {
    /// A buffer as a connection has one that it uses again and again: large, with a little in it.
    private func reused(_ bytes: some Sequence<UInt8>, capacity: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(capacity)
        buffer.writeBytes(bytes)
        return buffer
    }

    private func drain(_ queue: inout OutputQueue, pieces: Int) -> [UInt8] {
        var all: [UInt8] = []
        while !queue.isEmpty {
            _ = queue.withFirst { buffer in
                let part = buffer.readableBytesView.prefix(pieces)
                all.append(contentsOf: part)
                return part.count
            }
            _ = queue.removeUsedFirst()
        }
        return all
    }

    @Test(arguments: [1, 7, 100_000])
    func `gives out the bytes in their order, whatever they came in`(pieces: Int) {
        var queue = OutputQueue()
        var expected: [UInt8] = []
        for number in 0..<200 {
            let bytes = (0..<number * number).map { UInt8(truncatingIfNeeded: $0 + number) }
            queue.append(self.reused(bytes, capacity: [0, 4096, 100_000][number % 3]))
            expected += bytes
        }
        #expect(queue.byteCount == expected.count)
        #expect(self.drain(&queue, pieces: pieces) == expected)
        #expect(queue.byteCount == 0)
    }

    @Test func `of small records in large buffers takes little more memory than their bytes`() {
        var queue = OutputQueue()
        while queue.byteCount < 256 << 10 { queue.append(self.reused([UInt8](repeating: 1, count: 23), capacity: 512 << 10)) }
        #expect(queue.storageSize <= 2 * 256 << 10)
    }

    @Test(arguments: [1, 1000, 16_000, 100_000, 300_000])
    func `takes at most twice the memory of its bytes`(size: Int) {
        var queue = OutputQueue()
        let bytes = [UInt8](repeating: 1, count: size)
        for count in 1...40 {
            queue.append(self.reused(bytes, capacity: (512 << 10) >> (count % 8)))
            #expect(queue.storageSize <= 2 * queue.byteCount + 128)
        }
    }

    @Test func `that is never empty, as a peer reads as fast as the program writes, does not grow`() {
        var queue = OutputQueue()
        let record = self.reused([UInt8](repeating: 1, count: 1000), capacity: 512 << 10)
        for _ in 1...40 { queue.append(record) }
        for _ in 1...10_000 {
            queue.append(record)
            _ = queue.withFirst { min($0.readableBytes, 1000) }
            _ = queue.removeUsedFirst()
            #expect(queue.storageSize <= 4 * 64 << 10)
        }
        #expect(queue.byteCount >= 40_000)
    }

    @Test func `adds nothing to a buffer that another may use`() {
        var queue = OutputQueue()
        var full = self.reused([UInt8](repeating: 1, count: 2000), capacity: 2048)
        queue.append(full)
        queue.append(self.reused([2], capacity: 4096))
        queue.append(self.reused([3], capacity: 4096))
        full.writeBytes([9, 9, 9])
        #expect(self.drain(&queue, pieces: 5000) == [UInt8](repeating: 1, count: 2000) + [2, 3])
    }
}
