import NIOCore
import SocketCore
import Testing

@Suite struct `Packet framing` {
    private func queue(_ framing: PacketFraming, maximum: Int = 64 << 20) -> ReceiveQueue {
        ReceiveQueue(framing: framing, maximumPacketSize: maximum, readAhead: 1024)
    }

    private func packet(_ framing: PacketFraming, _ payload: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        framing.writeHeader(for: payload.count, into: &buffer)
        buffer.writeBytes(payload)
        return buffer
    }

    @Test(arguments: [PacketFraming.oneByte, .twoBytes, .fourBytes], [0, 1, 254, 255, 256, 65_535, 65_536, 1 << 20])
    func `a packet comes out as it went in, one byte at a time`(framing: PacketFraming, size: Int) {
        guard size <= framing.largestPayload else { return }
        let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        var queue = self.queue(framing)
        let bytes = Array(self.packet(framing, payload).readableBytesView)
        for byte in bytes.dropLast() {
            queue.bytes.writeInteger(byte)
            if size <= 256 { #expect(queue.take(.next) == .wait) }
        }
        #expect(queue.take(.next) == .wait)
        queue.bytes.writeInteger(bytes[bytes.count - 1])
        #expect(queue.take(.next) == .bytes(ByteBuffer(bytes: payload)))
        #expect(queue.take(.next) == .wait)
    }

    @Test(arguments: [PacketFraming.oneByte, .twoBytes, .fourBytes])
    func `many packets that came together come out one by one, the empty ones as well`(framing: PacketFraming) {
        var queue = self.queue(framing)
        for payload in [[1], [], [2, 3], [], []] as [[UInt8]] {
            var packet = self.packet(framing, payload)
            queue.bytes.writeBuffer(&packet)
        }
        for payload in [[1], [], [2, 3], [], []] as [[UInt8]] {
            #expect(queue.take(.next) == .bytes(ByteBuffer(bytes: payload)))
        }
        #expect(queue.take(.next) == .wait)
    }

    @Test(arguments: [10, 1000, 5000, 60_000])
    func `a stream whose packets never end with what has come does not make the buffer grow`(size: Int) {
        var queue = self.queue(.fourBytes)
        let packet = self.packet(.fourBytes, [UInt8](repeating: 7, count: size))
        var largest = 0
        // Each time one packet's end and the next one's beginning.
        queue.bytes.writeImmutableBuffer(packet.getSlice(at: 0, length: 5) ?? packet)
        for _ in 0..<(40_000_000 / (size * 20 + 10_000)) {
            queue.bytes.writeBytes(packet.readableBytesView.dropFirst(5))
            queue.bytes.writeBytes(packet.readableBytesView.prefix(5))
            #expect(queue.take(.next) == .bytes(ByteBuffer(repeating: 7, count: size)))
            #expect(queue.take(.next) == .wait)
            largest = max(largest, queue.bytes.capacity)
        }
        #expect(largest <= 4 * (size + 1024))
    }

    @Test func `few bytes in a large buffer are given away without it`() {
        var queue = self.queue(.none)
        queue.bytes.reserveCapacity(16_384)
        queue.bytes.writeInteger(UInt8(7))
        guard case .bytes(let bytes) = queue.take(.next) else { return #expect(Bool(false), "nothing came") }
        #expect(bytes == ByteBuffer(bytes: [7]))
        #expect(bytes.capacity < 1024)
    }

    @Test func `the header is big-endian and has the length of its name`() {
        #expect(self.packet(.oneByte, [9]) == ByteBuffer(bytes: [1, 9]))
        #expect(self.packet(.twoBytes, [9]) == ByteBuffer(bytes: [0, 1, 9]))
        #expect(self.packet(.fourBytes, [9]) == ByteBuffer(bytes: [0, 0, 0, 1, 9]))
        var buffer = ByteBuffer()
        PacketFraming.fourBytes.writeHeader(for: 0x0102_0304, into: &buffer)
        #expect(buffer == ByteBuffer(bytes: [1, 2, 3, 4]))
    }

    @Test func `a header that announces more than is allowed is refused before its bytes come`() {
        var queue = self.queue(.fourBytes, maximum: 1000)
        queue.bytes.writeInteger(UInt32(1001))
        #expect(queue.take(.next) == .oversized(announced: 1001))
        #expect(queue.limit(for: .next) == 1024)
    }

    @Test func `a whole packet may come even if it is larger than the read-ahead`() {
        var queue = self.queue(.fourBytes)
        #expect(queue.limit(for: .next) == 1024)
        queue.bytes.writeInteger(UInt32(1 << 20))
        #expect(queue.limit(for: nil) == 4 + 1 << 20)
    }

    @Test func `a plain stream gives what there is, or exactly what is asked for`() {
        var queue = self.queue(.none)
        #expect(queue.take(.next) == .wait)
        queue.bytes.writeString("abcdef")
        #expect(queue.take(.exactly(7)) == .wait)
        #expect(queue.take(.exactly(2)) == .bytes(ByteBuffer(string: "ab")))
        #expect(queue.take(.next) == .bytes(ByteBuffer(string: "cdef")))
        #expect(queue.limit(for: .exactly(5000)) == 5000)
    }

    @Test func `a small part does not keep a large buffer alive`() {
        var queue = self.queue(.twoBytes)
        var small = self.packet(.twoBytes, [1, 2, 3])
        queue.bytes.writeBuffer(&small)
        queue.bytes.writeBytes([UInt8](repeating: 0, count: 100_000))
        guard case .bytes(let part) = queue.take(.next) else {
            Issue.record("the packet did not come out")
            return
        }
        #expect(part.capacity < 100)
    }
}
