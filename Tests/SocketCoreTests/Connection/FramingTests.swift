import NIOCore
import SocketCore
import Testing

@Suite struct `Packet framing` {
    private func queue(_ framing: Framing, maximum: Int = 64 << 20) -> ReceiveQueue {
        ReceiveQueue(framing: framing, maximumPacketSize: maximum, readAhead: 1024)
    }

    private func packet(_ framing: Framing, _ payload: [UInt8]) -> ByteBuffer {
        framing.packet(of: ByteBuffer(bytes: payload))
    }

    @Test(arguments: [Framing.oneByte, .twoBytes, .fourBytes], [0, 1, 254, 255, 256, 65_535, 65_536, 1 << 20])
    func `a packet comes out as it went in, one byte at a time`(framing: Framing, size: Int) {
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

    @Test(arguments: [Framing.oneByte, .twoBytes, .fourBytes])
    func `many packets that came together come out one by one, the empty ones as well`(framing: Framing) {
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
        let long = self.packet(.fourBytes, [UInt8](repeating: 0, count: 0x0001_0203))
        #expect(long.getSlice(at: 0, length: 4) == ByteBuffer(bytes: [0, 1, 2, 3]))
    }

    @Test func `a header that announces more than is allowed is refused before its bytes come`() {
        var queue = self.queue(.fourBytes, maximum: 1000)
        queue.bytes.writeInteger(UInt32(1001))
        #expect(queue.take(.next) == .oversized(1001))
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

/// Packets and lines that end in a terminator.
@Suite struct `Framing by terminators` {
    private func queue(_ framing: Framing, maximum: Int = 100) -> ReceiveQueue {
        ReceiveQueue(framing: framing, maximumPacketSize: maximum, readAhead: 16)
    }

    private static func delimiter(_ text: String) throws -> Framing { .delimiter(try #require(Delimiter(Array(text.utf8)))) }

    /// All packets of the text, which arrives in pieces of this length.
    private func packets(_ framing: Framing, of text: String, inPiecesOf length: Int) -> [String] {
        var queue = self.queue(framing)
        var result: [String] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            queue.bytes.writeBytes(rest.prefix(length))
            rest = rest.dropFirst(length)
            while case .bytes(let packet) = queue.take(.next) { result.append(String(buffer: packet)) }
        }
        return result
    }

    @Test(arguments: [1, 2, 3, 7, 100])
    func `lines end in LF or CRLF, wherever they are cut`(length: Int) {
        let text = "one\ntwo\r\n\n\r\nthree\rfour\r\r\nrest"
        #expect(self.packets(.line, of: text, inPiecesOf: length) == ["one", "two", "", "", "three\rfour\r"])
        #expect(self.packets(.crlfLine, of: text, inPiecesOf: length) == ["one\ntwo", "\n", "three\rfour\r"])
    }

    @Test(arguments: [1, 2, 3, 7, 100])
    func `packets end in their delimiter, wherever it is cut`(length: Int) throws {
        #expect(
            try self.packets(Self.delimiter("--"), of: "one--two----three-four--", inPiecesOf: length)
                == ["one", "two", "", "three-four"])
        #expect(try self.packets(Self.delimiter("aab"), of: "aaab-aaaab", inPiecesOf: length) == ["a", "-aa"])
    }

    @Test func `a delimiter has 1 to 8 bytes`() {
        #expect(Delimiter([]) == nil)
        #expect(Delimiter([UInt8](repeating: 1, count: 9)) == nil)
        #expect(Delimiter([0, 1, 2, 3, 4, 5, 6, 255])?.bytes == [0, 1, 2, 3, 4, 5, 6, 255])
    }

    @Test func `a packet is as long as allowed and no longer, whether its end has come or not`() throws {
        for (framing, end) in [(Framing.crlfLine, "\r\n"), (try Self.delimiter("##"), "##")] {
            var queue = self.queue(framing)
            queue.bytes.writeString(String(repeating: "x", count: 100) + end)
            #expect(queue.take(.next) == .bytes(ByteBuffer(repeating: UInt8(ascii: "x"), count: 100)))
            queue.bytes.writeString(String(repeating: "x", count: 101) + end)
            #expect(queue.take(.next) == .oversized(101))
            queue.removeAll()
            queue.bytes.writeString(String(repeating: "x", count: 100))
            #expect(queue.take(.next) == .wait)
            #expect(queue.limit(for: .next) > 101)
            queue.bytes.writeString("xx")
            #expect(queue.take(.next) == .oversized(101))
        }
    }

    @Test func `more is read than the read-ahead when a packet needs it, but no more than a packet may have`() {
        var queue = self.queue(.line)
        #expect(queue.limit(for: .next) == 16)
        while queue.take(.next) == .wait {
            let room = queue.limit(for: .next) - queue.bytes.readableBytes
            guard room > 0 else { return #expect(Bool(false), "the queue is stuck") }
            queue.bytes.writeRepeatingByte(7, count: room)
        }
        #expect(queue.bytes.readableBytes <= 100 + 16)
    }

    @Test func `what is sent comes out as it was, and what would come out as another number of packets is found`() throws {
        let framings = try [Framing.crlfLine, .line, Self.delimiter("--"), Self.delimiter("aba")]
        let payloads = ["", "x", "a", "ab", "aba", "abab", "-", "--", "x-", "-x", "a\nb", "a\r", "\n", "a\rb", "xaba", "ab-"]
        for framing in framings {
            for text in payloads {
                let payload = ByteBuffer(string: text)
                var queue = self.queue(framing)
                queue.bytes.writeImmutableBuffer(framing.packet(of: payload))
                let comesThrough =
                    queue.take(.next) == .bytes(payload) && queue.take(.next) == .wait && queue.bytes.readableBytes == 0
                // Less lenient receivers than this one are thought of as well.
                let isSplitElsewhere = framing == .crlfLine && (text.contains("\n") || text.contains("\r"))
                #expect(framing.isBroken(by: payload) == (!comesThrough || isSplitElsewhere), "\(framing) \(text)")
            }
        }
    }

    @Test func `a line can be taken from a plain stream, between other requests`() {
        var queue = self.queue(.none)
        queue.bytes.writeString("EHLO x\r\nDATA")
        #expect(queue.take(.line(maximumLength: 10)) == .bytes(ByteBuffer(string: "EHLO x")))
        #expect(queue.take(.line(maximumLength: 10)) == .wait)
        #expect(queue.take(.exactly(2)) == .bytes(ByteBuffer(string: "DA")))
        queue.bytes.writeString("\nrest")
        #expect(queue.take(.line(maximumLength: 10)) == .bytes(ByteBuffer(string: "TA")))
        #expect(queue.take(.line(maximumLength: 2)) == .lineTooLong)
        #expect(queue.take(.next) == .bytes(ByteBuffer(string: "rest")))
    }
}
