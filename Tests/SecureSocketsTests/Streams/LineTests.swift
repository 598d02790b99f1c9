import NIOCore
import SecureSockets
import TestSupport
import Testing

/// Lines, and packets that end in a delimiter, over every carrier of streams.
@Suite(.timeLimit(.minutes(5))) struct `Lines` {
    @Test(arguments: StreamCarrier.allCases)
    func `are received as text until the peer has finished, the last one without its end as well`(carrier: StreamCarrier)
        async throws
    {
        let pair = try await carrier.pair()
        let long = String(repeating: "ö", count: 5000)
        async let sending: Void = {
            try await pair.client.send("one\r\n\r\n\(long)\nlast")
            try await pair.client.closeWriting()
        }()
        var lines: [String] = []
        for try await line in pair.server.lines(maximumLength: 10_000) { lines.append(line) }
        #expect(lines == ["one", "", long, "last"])
        #expect(try await pair.server.receiveLine() == nil)
        try await sending
    }

    @Test func `can be followed by bytes`() async throws {
        let pair = try await StreamCarrier.memory.pair()
        try await pair.client.send("Content-Length: 3\r\n\r\nabcSTAT\n")
        #expect(try await pair.server.receiveLine() == ByteBuffer(string: "Content-Length: 3"))
        #expect(try await pair.server.receiveLine() == ByteBuffer())
        #expect(try await pair.server.receive(exactly: 3) == ByteBuffer(string: "abc"))
        #expect(try await pair.server.receiveLine() == ByteBuffer(string: "STAT"))
    }

    @Test(arguments: StreamCarrier.allCases)
    func `that are too long fail the call, whether it waits or not, and their bytes stay`(carrier: StreamCarrier) async throws {
        let pair = try await carrier.pair()
        async let waiting: Void = expectError(.packetTooLarge) { _ = try await pair.server.receiveLine(maximumLength: 10) }
        try await pair.client.send("0123456789")
        try await pair.client.send("01\n")
        await waiting
        await expectError(.packetTooLarge) { _ = try await pair.server.receiveLine(maximumLength: 10) }
        #expect(try await pair.server.receiveLine(maximumLength: 12) == ByteBuffer(string: "012345678901"))
    }

    @Test func `of a stream that was cut off do not look complete`() async throws {
        let pair = try await StreamCarrier.loopback.pair()
        try await pair.client.send("one\nDELETE /")
        #expect(try await pair.server.receiveLine() == ByteBuffer(string: "one"))
        pair.client.abort()
        let error = await #expect(throws: SecureSocketError.self) {
            _ = try await pair.server.receiveLine(timeout: Encounter.patience)
        }
        #expect([.truncated, .connectionReset].contains(error?.code))
    }

    @Test func `wait no longer than the timeout, and nothing is lost by that`() async throws {
        let pair = try await StreamCarrier.memory.pair()
        try await pair.client.send("ha")
        #expect(try await pair.server.receive(exactly: 1) == ByteBuffer(string: "h"))
        await expectError(.timedOut) { _ = try await pair.server.receiveLine(timeout: .zero) }
        try await pair.client.send("lf\n")
        #expect(try await pair.server.receiveLine() == ByteBuffer(string: "alf"))
    }

    // MARK: As a framing

    @Test(arguments: StreamCarrier.allCases, [PacketFraming.line, .crlfLine])
    func `are packets of a stream that is framed so`(carrier: StreamCarrier, framing: PacketFraming) async throws {
        var options = SocketOptions.patient
        options.framing = framing
        let pair = try await carrier.pair(options)
        let lines = ["", "one", String(repeating: "x", count: 2000), framing == .line ? "three\rfour" : "three four"]
        async let sending: Void = {
            for line in lines { try await pair.client.send(line) }
            try await pair.client.closeWriting()
        }()
        for line in lines { #expect(try await pair.server.receive() == ByteBuffer(string: line)) }
        #expect(try await pair.server.receive() == nil)
        try await sending
        await expectError(.wrongMode) { _ = try await pair.server.receiveLine() }
        await expectError(.invalidArgument) { try await pair.server.send("two\nlines") }
        try await pair.server.send("still good")
        #expect(try await pair.client.receive() == ByteBuffer(string: "still good"))
    }

    @Test(arguments: StreamCarrier.allCases)
    func `may end in any delimiter`(carrier: StreamCarrier) async throws {
        var options = SocketOptions.patient
        options.framing = try .delimiter([0, 255])
        let pair = try await carrier.pair(options)
        let packets: [[UInt8]] = [[], [0], [1, 2, 255], [0, 0, 1]]
        for packet in packets { try await pair.client.send(packet) }
        for packet in packets { #expect(try await pair.server.receive() == ByteBuffer(bytes: packet)) }
        await expectError(.invalidArgument) { try await pair.client.send([1, 0, 255, 2]) }
    }

    @Test func `that never end are refused when they are longer than a packet may be`() async throws {
        var options = SocketOptions.patient
        options.framing = .line
        options.maximumPacketSize = 100
        options.readAhead = 16
        let pair = try await StreamCarrier.loopback.pair(options)
        try await pair.client.send(String(repeating: "x", count: 100))
        #expect(try await pair.server.receive()?.readableBytes == 100)
        try await pair.client.send(String(repeating: "x", count: 101))
        await expectError(.packetTooLarge) { _ = try await pair.server.receive() }
        await expectError(.packetTooLarge) { _ = try await pair.server.receive() }
    }

    @Test func `that are unfinished when the peer finishes are an error of a framed stream`() async throws {
        let certificates = try TestCertificates.shared.get()
        var options = SocketOptions.patient
        options.framing = .line
        let pair = try await StreamPair.overLoopback(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration(), options: options,
            clientOptions: .patient)
        try await pair.client.send("one\ntw")
        try await pair.client.closeWriting()
        #expect(try await pair.server.receive() == ByteBuffer(string: "one"))
        await expectError(.truncated) { _ = try await pair.server.receive() }
    }

    @Test(arguments: [[], [UInt8](repeating: 0, count: 9)])
    func `have delimiters of 1 to 8 bytes`(bytes: [UInt8]) throws {
        let error = try #require(throws: SecureSocketError.self) { _ = try PacketFraming.delimiter(bytes) }
        #expect(error.message == "a delimiter has 1 to 8 bytes, not \(bytes.count)")
    }
}
