import NIOCore
import NIOPosix
import SecureSockets
import SecureSocketsTesting
import SocketCore
import TestSupport
import Testing

/// The behaviour of every stream, whatever carries its bytes (after trio's `check_two_way_stream` and Go's `nettest`).
@Suite(.timeLimit(.minutes(5))) struct `A secure stream` {
    /// A piece of a prime length, again and again: no two places a power of two apart are alike.
    static func bytes(_ count: Int) -> [UInt8] {
        var bytes = (0..<min(count, 65_521)).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ $0 >> 8) }
        while bytes.count < count { bytes += bytes.prefix(count - bytes.count) }
        return bytes
    }

    static func receiveAll(from socket: SecureSocket) async throws -> [UInt8] {
        var all: [UInt8] = []
        for try await bytes in socket.incoming { all.append(contentsOf: bytes.readableBytesView) }
        return all
    }

    @Test(arguments: StreamCarrier.allCases)
    func `carries a byte each way`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        for (one, other) in pair.bothWays {
            try await one.send([42])
            #expect(try await other.receive() == ByteBuffer(bytes: [42]))
        }
    }

    @Test(arguments: StreamCarrier.allCases)
    func `carries much both ways at a time, unchanged`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        let data = Self.bytes(carrier.large)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (one, other) in pair.bothWays {
                group.addTask {
                    for start in stride(from: 0, to: data.count, by: 123_456) {
                        try await one.send(data[start..<min(start + 123_456, data.count)])
                    }
                    try await one.closeWriting()
                }
                group.addTask {
                    let received = try await Self.receiveAll(from: other)
                    #expect(received == data)
                }
            }
            try await group.waitForAll()
        }
    }

    @Test(arguments: StreamCarrier.allCases)
    func `takes a large buffer in one call without growing beyond its mark`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        let data = Self.bytes(carrier.large)
        async let sent: Void = pair.client.send(ByteBuffer(bytes: data))
        var received: [UInt8] = []
        while received.count < data.count {
            received.append(contentsOf: try #require(try await pair.server.receive()).readableBytesView)
        }
        try await sent
        #expect(received == data)
    }

    @Test(arguments: StreamCarrier.allCases)
    func `sends nothing for nothing`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        try await pair.client.send("")
        try await pair.client.send("x")
        #expect(try await pair.server.receive() == ByteBuffer(string: "x"))
    }

    @Test(arguments: StreamCarrier.allCases)
    func `carries bytes the other way after one side has finished`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        for (one, other) in pair.bothWays {
            try await one.send("last")
            try await one.closeWriting()
            try await one.closeWriting()
            #expect(try await Self.receiveAll(from: other) == Array("last".utf8))
            #expect(try await other.receive() == nil)
            await #expect(throws: SecureSocketError.self) { try await one.send("more") }
        }
    }

    @Test(arguments: StreamCarrier.allCases)
    func `delivers what was accepted after it was closed`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        let data = Self.bytes(100_000)
        try await pair.client.send(data)
        pair.client.close()
        #expect(try await Self.receiveAll(from: pair.server) == data)
        pair.server.close()
        try await pair.client.waitUntilClosed()
        try await pair.server.waitUntilClosed()
    }

    @Test(arguments: StreamCarrier.allCases)
    func `ends waiting calls when it is closed here, and all calls after that`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        let waiting = Task { try await pair.client.receive() }
        pair.client.close()
        await expectError(.closed) { _ = try await waiting.value }
        await expectError(.closed) { try await pair.client.send("x") }
        await expectError(.closed) { _ = try await pair.client.receive() }
        await expectError(.closed) { _ = try await pair.client.receive(exactly: 1) }
        await expectError(.closed) { try await pair.client.closeWriting() }
        pair.client.close()
    }

    @Test(arguments: StreamCarrier.allCases)
    func `loses nothing when a waiting receive is cancelled`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        let waiting = Task { try await pair.server.receive(exactly: 6) }
        try await pair.client.send("abc")
        waiting.cancel()
        await expectError(.cancelled) { _ = try await waiting.value }
        try await pair.client.send("def")
        #expect(try await pair.server.receive(exactly: 6) == ByteBuffer(string: "abcdef"))
    }

    @Test(arguments: StreamCarrier.allCases)
    func `loses nothing when a receive times out`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        await expectError(.timedOut) { _ = try await pair.server.receive(timeout: .zero) }
        await expectError(.timedOut) { _ = try await pair.server.receive(timeout: .milliseconds(5)) }
        try await pair.client.send("abc")
        await expectError(.timedOut) { _ = try await pair.server.receive(exactly: 6, timeout: .milliseconds(20)) }
        try await pair.client.send("def")
        #expect(try await pair.server.receive(exactly: 6, timeout: .seconds(30)) == ByteBuffer(string: "abcdef"))
    }

    @Test(arguments: StreamCarrier.allCases)
    func `holds a sender up while its peer does not read, and sends nothing of a cancelled call`(
        carrier: StreamCarrier
    ) async throws {
        let pair = try await carrier.pair(carrier.smallBuffers)
        let large = Self.bytes(carrier.moreThanFitsAnywhere)
        let first = Task { try await pair.client.send(large) }
        // From its first byte on, it is certain that the second call has to wait behind the first.
        var received = Array(try await pair.server.receive(exactly: 1).readableBytesView)
        let second = Task { try await pair.client.send("never") }
        second.cancel()
        await expectError(.cancelled) { try await second.value }
        await expectError(.timedOut) { try await pair.client.send("never", timeout: .milliseconds(1)) }

        async let rest = Self.receiveAll(from: pair.server)
        try await first.value
        pair.client.close()
        received.append(contentsOf: try await rest)
        #expect(received == large)
    }

    @Test(arguments: StreamCarrier.allCases)
    func `sends all of a call that had begun when it was cancelled`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair(carrier.smallBuffers)
        let large = Self.bytes(carrier.moreThanFitsAnywhere)
        let begun = Task { try await pair.client.send(large) }
        var received = Array(try await pair.server.receive(exactly: 1).readableBytesView)
        begun.cancel()
        try await begun.value
        pair.client.close()
        received.append(contentsOf: try await Self.receiveAll(from: pair.server))
        #expect(received == large)
    }

    @Test(arguments: StreamCarrier.allCases)
    func `sends all of a call that had begun when the socket was closed`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair(carrier.smallBuffers)
        let large = Self.bytes(carrier.moreThanFitsAnywhere)
        let begun = Task { try await pair.client.send(large) }
        var received = Array(try await pair.server.receive(exactly: 1).readableBytesView)
        let behind = Task { try await pair.client.send("never") }
        await expectError(.timedOut) { try await pair.client.send("never", timeout: .milliseconds(1)) }
        pair.client.close()
        try await begun.value
        await expectError(.closed) { try await behind.value }
        received.append(contentsOf: try await Self.receiveAll(from: pair.server))
        #expect(received == large)
    }

    @Test(arguments: StreamCarrier.allCases)
    func `serves several receivers and senders in their order, without mixing units`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for letter in UInt8(ascii: "a")...UInt8(ascii: "j") {
                group.addTask { try await pair.client.send([UInt8](repeating: letter, count: 3000)) }
            }
            for _ in 0..<10 {
                group.addTask {
                    let unit = try await pair.server.receive(exactly: 3000)
                    #expect(Set(unit.readableBytesView).count == 1)
                }
            }
            try await group.waitForAll()
        }
    }

    @Test(arguments: StreamCarrier.allCases, [PacketFraming.oneByteLength, .twoByteLength, .fourByteLength])
    func `keeps the boundaries of packets`(carrier: StreamCarrier, header: PacketFraming) async throws {
        var options = SocketOptions.patient
        options.framing = header
        let pair = try await carrier.pair(options)
        let sizes = [0, 1, 254, 255, 256, 65_535, 65_536, 1 << 20].filter {
            $0 <= header.framing.largestPayload && $0 <= carrier.large
        }
        async let sending: Void = {
            for size in sizes { try await pair.client.send(Self.bytes(size)) }
            try await pair.client.closeWriting()
        }()
        for size in sizes { #expect(try await pair.server.receive() == ByteBuffer(bytes: Self.bytes(size))) }
        #expect(try await pair.server.receive() == nil)
        try await sending
        await expectError(.wrongMode) { _ = try await pair.server.receive(exactly: 1) }
        if header != .fourByteLength {
            await expectError(.packetTooLarge) { try await pair.server.send(Self.bytes(header.framing.largestPayload + 1)) }
            try await pair.server.send("still good")
            #expect(try await pair.client.receive() == ByteBuffer(string: "still good"))
        }
    }

    @Test(arguments: StreamCarrier.allCases)
    func `refuses a packet that is announced larger than allowed`(carrier: StreamCarrier) async throws {
        var options = SocketOptions.patient
        options.framing = .fourByteLength
        options.maximumPacketSize = 100
        let pair = try await carrier.pair(options)
        try await pair.client.send("good")
        try await pair.client.send([UInt8](repeating: 0, count: 101))
        #expect(try await pair.server.receive() == ByteBuffer(string: "good"))
        await expectError(.packetTooLarge) { _ = try await pair.server.receive() }
        await expectError(.packetTooLarge) { _ = try await pair.server.receive() }
    }

    @Test(arguments: StreamCarrier.allCases)
    func `derives the same keying material at both ends`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        let one = try await pair.client.exportKeyingMaterial(label: "EXPORTER-test", length: 32)
        #expect(try await pair.server.exportKeyingMaterial(label: "EXPORTER-test", length: 32) == one)
    }
}
