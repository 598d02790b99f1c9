import NIOCore
import NIOEmbedded
import SecureSocketsNIO
import Testing

/// Situations of writes, with this package's handlers and with NIOSSL's.
@Suite struct `When the program writes, both handlers` {
    @Test(arguments: Handlers.allCases) func `keep the order of what was written before the handshake`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue(handlers)
        let outcomes = ["one ", "two ", "three "].map { dialogue.client.send($0) }
        #expect(outcomes.map(\.text) == ["waiting", "waiting", "waiting"])
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == "one two three ")
        #expect(outcomes.map(\.text) == ["success", "success", "success"])
    }

    @Test(arguments: Handlers.allCases) func `send what was written before the channel was active`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers, isActive: false)
        let outcome = dialogue.client.send("early")
        try dialogue.connect()
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == "early" && outcome.text == "success")
    }

    @Test(arguments: Handlers.allCases) func `send what is written when the handshake is complete, after what was before`(
        _ handlers: Handlers
    ) throws {
        let dialogue = try Dialogue(handlers)
        dialogue.client.recorder.reaction = { event, context in
            if event == "completed" { context.writeAndFlush(NIOAny(ByteBuffer(string: "second")), promise: nil) }
        }
        dialogue.client.send("first ")
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == "first second")
    }

    @Test(arguments: Handlers.allCases) func `keep writes of before the handshake that were not flushed`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue(handlers)
        let outcome = dialogue.client.write("not yet")
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == "" && outcome.text == "waiting")
        dialogue.client.flush()
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == "not yet" && outcome.text == "success")
    }

    @Test(arguments: Handlers.allCases) func `send nothing without a flush`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let outcome = dialogue.client.write("not yet")
        #expect(try dialogue.client.takeOutput().readableBytes == 0 && outcome.text == "waiting")
        dialogue.client.flush()
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == "not yet" && outcome.text == "success")
    }

    @Test(arguments: Handlers.allCases) func `join writes into one for the channel`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let before = dialogue.client.wire.writes
        let outcomes = (0..<10).map { dialogue.client.write("\($0)") }
        dialogue.client.flush()
        #expect(dialogue.client.wire.writes == before + 1)
        #expect(outcomes.allSatisfy { $0.text == "success" })
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == "0123456789")
    }

    @Test(arguments: Handlers.allCases) func `complete writes when the channel has written them`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.wire.isBlocked = true
        let outcome = dialogue.client.send("hello")
        #expect(outcome.text == "waiting")
        dialogue.client.wire.isBlocked = false
        dialogue.loop.run()
        #expect(outcome.text == "success")
    }

    @Test(arguments: Handlers.allCases) func `complete writes of no bytes, in order`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.wire.isBlocked = true
        let outcomes = ["", "text", ""].map { dialogue.client.write($0) }
        dialogue.client.flush()
        #expect(outcomes.map(\.text) == ["waiting", "waiting", "waiting"])
        dialogue.client.wire.isBlocked = false
        dialogue.loop.run()
        #expect(outcomes.map(\.text) == ["success", "success", "success"])
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == "text")
    }

    @Test(arguments: Handlers.allCases) func `deliver more bytes than a record holds`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let text = String(repeating: "0123456789", count: 100_000)
        let outcome = dialogue.client.send(text)
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == text && outcome.text == "success")
    }

    @Test(arguments: Handlers.allCases) func `fail writes that the channel fails`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.wire.failure = ChannelError.ioOnClosedChannel
        let outcome = dialogue.client.send("hello")
        #expect(outcome.text == "\(ChannelError.ioOnClosedChannel)")
    }

    @Test(arguments: Handlers.allCases) func `take a write from the failure of another`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let second = Outcome()
        let promise = dialogue.loop.makePromise(of: Void.self)
        let channel = dialogue.client.channel
        let other = dialogue.loop.makePromise(of: Void.self)
        other.futureResult.assumeIsolated().whenComplete { second.complete($0) }
        promise.futureResult.assumeIsolated().whenFailure { _ in
            channel.writeAndFlush(ByteBuffer(string: "again"), promise: other)
        }
        dialogue.client.wire.failure = ChannelError.ioOnClosedChannel
        channel.writeAndFlush(ByteBuffer(string: "hello"), promise: promise)
        #expect(second.text == "\(ChannelError.ioOnClosedChannel)")
    }

    @Test(arguments: Handlers.allCases) func `fail held writes when the handshake fails`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        let outcomes = [dialogue.client.send("flushed"), dialogue.client.write("not flushed")]
        dialogue.client.endTransport()
        #expect(outcomes.allSatisfy { $0.text != "waiting" && $0.text != "success" })
    }

    @Test(arguments: Handlers.allCases) func `fail what was not flushed when the transport ends`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let outcome = dialogue.client.write("not flushed")
        dialogue.client.endTransport()
        #expect(outcome.text != "waiting" && outcome.text != "success")
    }

    /// This package has encrypted them already, and delivers them; NIOSSL fails them.
    @Test(arguments: Handlers.allCases) func `treat what was not flushed before the channel is closed`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue.open(handlers)
        let outcome = dialogue.client.write("not flushed")
        dialogue.client.close()
        try dialogue.exchange()
        #expect(outcome.text == "success" || handlers == .nioSSL)
        #expect(outcome.text != "waiting")
        #expect(dialogue.server.recorder.text == handlers.expect("not flushed", nioSSL: ""))
    }

    /// NIOSSL accepts them, and fails them when the channel is closed.
    @Test(arguments: Handlers.allCases) func `refuse writes after the channel was closed by the program`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.close()
        let outcome = dialogue.client.send("too late")
        #expect(outcome.text == handlers.expect("\(ChannelError.ioOnClosedChannel)", nioSSL: outcome.text))
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == handlers.expect("", nioSSL: dialogue.server.recorder.text))
        #expect(outcome.text != "waiting")
    }

    @Test(arguments: Handlers.allCases) func `refuse writes after the transport has ended`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.endTransport()
        #expect(dialogue.client.send("too late").text == "\(ChannelError.ioOnClosedChannel)")
    }

    @Test(arguments: Handlers.allCases) func `report the bytes that they hold`(_ handlers: Handlers) throws {
        guard handlers == .secureSockets else { return }
        let dialogue = try Dialogue(handlers)
        dialogue.client.write("12345")
        let handler = try dialogue.client.channel.pipeline.syncOperations.handler(type: TLSHandler.self)
        #expect(handler.outboundBufferedBytes == 5)
        try dialogue.exchange()
        dialogue.client.flush()
        #expect(handler.outboundBufferedBytes == 0)
    }

    /// NIOSSL holds them all, and the channel stays writable.
    @Test(arguments: Handlers.allCases) func `treat many bytes before a flush`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let before = dialogue.client.wire.writes
        for _ in 0..<100 { dialogue.client.write(String(repeating: "x", count: 10_000)) }
        #expect(dialogue.client.wire.writes - before > handlers.expect(10, nioSSL: -1))
        #expect(dialogue.client.channel.isWritable)
        dialogue.client.flush()
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text.utf8.count == 1_000_000)
    }

    /// NIOSSL has no bound.
    @Test(arguments: Handlers.allCases) func `treat many bytes before the handshake`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        let outcomes = (0..<200).map { _ in dialogue.client.send(String(repeating: "x", count: 10_000)) }
        #expect(dialogue.client.errors == handlers.expect(["error invalidArgument"], nioSSL: []))
        if handlers == .secureSockets { #expect(outcomes.allSatisfy { $0.text != "waiting" && $0.text != "success" }) }
    }

    @Test(arguments: Handlers.allCases) func `keep a large write whole though another is written meanwhile`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue.open(handlers)
        let channel = dialogue.client.channel
        dialogue.client.wire.written = { channel.write(ByteBuffer(string: "another"), promise: nil) }
        dialogue.client.write(String(repeating: "x", count: 200_000))
        dialogue.client.wire.written = nil
        dialogue.client.flush()
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text.hasPrefix(String(repeating: "x", count: 200_000)))
    }

    @Test(arguments: Handlers.allCases) func `send what was held before what a handler writes meanwhile`(
        _ handlers: Handlers
    ) throws {
        let dialogue = try Dialogue(handlers)
        let large = String(repeating: "x", count: 100_000)
        dialogue.client.write(large)
        dialogue.client.write("held")
        dialogue.client.flush()
        let channel = dialogue.client.channel
        dialogue.client.wire.whenMuchIsWritten { channel.write(ByteBuffer(string: "later"), promise: nil) }
        try dialogue.exchange()
        channel.flush()
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text.dropFirst(large.count) == "heldlater")
    }

    @Test(arguments: Handlers.allCases) func `send what was held though a handler closes meanwhile`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        let large = String(repeating: "x", count: 100_000)
        dialogue.client.write(large)
        dialogue.client.write("held")
        dialogue.client.flush()
        let channel = dialogue.client.channel
        dialogue.client.wire.whenMuchIsWritten { channel.close(promise: nil) }
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text.dropFirst(large.count) == "held")
        #expect(dialogue.server.errors == [])
    }
}
