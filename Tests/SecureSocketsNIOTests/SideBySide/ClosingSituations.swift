import NIOCore
import NIOEmbedded
import Testing

/// Situations of the end of a connection, with this package's handlers and with NIOSSL's.
@Suite struct `When a connection ends, both handlers` {
    @Test(arguments: Handlers.allCases) func `exchange close_notify, and close both channels`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let outcome = dialogue.client.close()
        #expect(dialogue.client.channel.isActive && outcome.text == "waiting")
        try dialogue.exchange()
        #expect(outcome.text == "success")
        #expect(dialogue.client.log == ["active", "completed", "shutdown", "inactive"])
        #expect(dialogue.server.log == ["active", "completed", "shutdown", "inactive"])
    }

    @Test(arguments: Handlers.allCases) func `complete all calls of close`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let outcomes = (0..<20).map { _ in dialogue.client.close() }
        try dialogue.exchange()
        #expect(outcomes.allSatisfy { $0.text == "success" })
        #expect(dialogue.client.errors.isEmpty)
    }

    @Test(arguments: Handlers.allCases) func `close a channel that was never active at once`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers, isActive: false)
        #expect(dialogue.client.close().text == "success")
    }

    @Test(arguments: Handlers.allCases) func `close when both ends begin`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let outcomes = [dialogue.client.close(), dialogue.server.close()]
        try dialogue.exchange()
        #expect(outcomes.map(\.text) == ["success", "success"])
        #expect(dialogue.client.errors.isEmpty && dialogue.server.errors.isEmpty)
    }

    @Test(arguments: Handlers.allCases) func `close the channel when the peer does not answer in time`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue.open(handlers)
        let outcome = dialogue.client.close()
        dialogue.loop.advanceTime(by: .milliseconds(4900))
        #expect(dialogue.client.channel.isActive)
        dialogue.loop.advanceTime(by: .seconds(1))
        #expect(!dialogue.client.channel.isActive)
        #expect(outcome.text == "success")
    }

    /// NIOSSL reports the end without `close_notify` as an error though the program has closed the channel.
    @Test(arguments: Handlers.allCases) func `close when the peer answers with the end of its transport`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue.open(handlers)
        let outcome = dialogue.client.close()
        dialogue.client.endTransport()
        #expect(outcome.text == handlers.expect("success", nioSSL: "truncated"))
        #expect(dialogue.client.errors == handlers.expect([], nioSSL: ["error truncated"]))
    }

    @Test(arguments: Handlers.allCases) func `tell an end without close_notify, once`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.endTransport()
        #expect(dialogue.client.log == ["active", "completed", "error truncated", "inactive"])
    }

    @Test(arguments: Handlers.allCases) func `deliver everything before an end without close_notify`(_ handlers: Handlers) throws
    {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.send("hello")
        dialogue.server.deliver(try dialogue.client.takeOutput())
        dialogue.server.endTransport()
        #expect(dialogue.server.log == ["active", "completed", "read hello", "error truncated", "inactive"])
    }

    @Test(arguments: Handlers.allCases) func `do not close a channel whose input ends without close_notify`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue.open(handlers)
        try dialogue.client.allowHalfClosure()
        dialogue.client.endInput()
        #expect(dialogue.client.log == ["active", "completed", "error truncated", "input closed"])
        #expect(dialogue.client.channel.isActive)
        dialogue.client.send("still here")
        try dialogue.exchange()
        #expect(dialogue.server.recorder.text == "still here")
    }

    @Test(arguments: Handlers.allCases) func `tell nothing about an end after close_notify`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.close()
        dialogue.server.deliver(try dialogue.client.takeOutput())
        dialogue.server.endTransport()
        #expect(dialogue.server.log == ["active", "completed", "shutdown", "inactive"])
    }

    // MARK: Half-closure

    @Test(arguments: Handlers.allCases) func `end the output, and still read`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        try dialogue.server.allowHalfClosure()
        dialogue.client.send("my last words")
        let outcome = dialogue.client.close(.output)
        try dialogue.exchange()
        #expect(outcome.text == "success" && dialogue.client.wire.outputIsClosed)
        #expect(dialogue.server.log == ["active", "completed", "read my last words", "input closed"])
        dialogue.server.send("and mine")
        try dialogue.exchange()
        #expect(dialogue.client.recorder.text == "and mine")
        dialogue.server.close()
        try dialogue.exchange()
        #expect(!dialogue.client.channel.isActive && !dialogue.server.channel.isActive)
        #expect(dialogue.client.errors.isEmpty && dialogue.server.errors.isEmpty)
    }

    @Test(arguments: Handlers.allCases) func `refuse writes after the end of the output`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.close(.output)
        #expect(dialogue.client.send("too late").text == "\(ChannelError.outputClosed)")
    }

    @Test(arguments: Handlers.allCases) func `flush before they end the output`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        try dialogue.server.allowHalfClosure()
        let outcome = dialogue.client.write("not flushed")
        dialogue.client.close(.output)
        try dialogue.exchange()
        #expect(outcome.text == "success")
        #expect(dialogue.server.recorder.text == "not flushed")
    }

    @Test(arguments: Handlers.allCases) func `complete two calls for the end of the output`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let outcomes = [dialogue.client.close(.output), dialogue.client.close(.output)]
        #expect(outcomes.map(\.text) == ["success", "success"])
    }

    @Test(arguments: Handlers.allCases) func `end the output after the handshake and what was written before`(
        _ handlers: Handlers
    ) throws {
        let dialogue = try Dialogue(handlers)
        try dialogue.server.allowHalfClosure()
        dialogue.client.send("one and only")
        let outcome = dialogue.client.close(.output)
        #expect(outcome.text == "waiting")
        try dialogue.exchange()
        #expect(outcome.text == "success")
        #expect(dialogue.server.log == ["active", "completed", "read one and only", "input closed"])
    }

    @Test(arguments: Handlers.allCases) func `fail the end of the output if the handshake fails`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        let outcome = dialogue.client.close(.output)
        dialogue.client.endTransport()
        #expect(outcome.text != "waiting" && outcome.text != "success")
    }

    @Test(arguments: Handlers.allCases) func `close everything when both outputs have ended`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        try dialogue.server.allowHalfClosure()
        try dialogue.client.allowHalfClosure()
        dialogue.client.close(.output)
        try dialogue.exchange()
        dialogue.server.close(.output)
        try dialogue.exchange()
        #expect(!dialogue.client.channel.isActive && !dialogue.server.channel.isActive)
        #expect(dialogue.client.errors.isEmpty && dialogue.server.errors.isEmpty)
    }

    @Test(arguments: Handlers.allCases) func `refuse to close the input alone`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        #expect(dialogue.client.close(.input).text == "\(ChannelError.operationUnsupported)")
    }

    @Test(arguments: Handlers.allCases) func `close after the end of the output`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        try dialogue.server.allowHalfClosure()
        dialogue.client.close(.output)
        let outcome = dialogue.client.close()
        try dialogue.exchange()
        dialogue.server.close()
        try dialogue.exchange()
        #expect(outcome.text == "success")
        #expect(!dialogue.client.channel.isActive)
    }

    // MARK: Trouble

    /// What arrives after `close()` is of no interest to the program; NIOSSL reports an error.
    @Test(arguments: Handlers.allCases) func `close at bytes that are no record`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let outcome = dialogue.client.close()
        dialogue.client.deliver(ByteBuffer(string: "this is no record of TLS, and never was"))
        #expect(!dialogue.client.channel.isActive)
        #expect(outcome.text != "waiting")
        #expect(dialogue.client.errors.count == 1)
    }

    /// This package discards them; NIOSSL delivers them.
    @Test(arguments: Handlers.allCases) func `treat bytes that arrive after the program has closed the channel`(
        _ handlers: Handlers
    ) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.server.send("crossing")
        dialogue.client.close()
        try dialogue.exchange()
        #expect(dialogue.client.recorder.text == handlers.expect("", nioSSL: "crossing"))
        #expect(!dialogue.client.channel.isActive)
    }

    @Test(arguments: Handlers.allCases) func `close though the program closes again at every event`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        for end in [dialogue.client, dialogue.server] {
            end.recorder.reaction = { event, context in if event != "inactive" { context.close(promise: nil) } }
        }
        dialogue.client.send("hello")
        try dialogue.exchange()
        #expect(!dialogue.client.channel.isActive && !dialogue.server.channel.isActive)
    }

    @Test(arguments: Handlers.allCases) func `deliver the last bytes to a channel that is slow to write`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue.open(handlers)
        dialogue.server.wire.isBlocked = true
        dialogue.server.send("a long answer")
        dialogue.client.close()
        dialogue.server.deliver(try dialogue.client.takeOutput())
        // NIOSSL closes the channel, which drops what it has not written.
        #expect(dialogue.server.channel.isActive == handlers.expect(true, nioSSL: false))
        dialogue.server.wire.isBlocked = false
        dialogue.loop.run()
        #expect(!dialogue.server.channel.isActive)
    }

    @Test(arguments: Handlers.allCases) func `close a slow channel when the time is up`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.server.wire.isBlocked = true
        dialogue.client.close()
        dialogue.server.deliver(try dialogue.client.takeOutput())
        dialogue.loop.advanceTime(by: .seconds(5))
        #expect(!dialogue.server.channel.isActive)
        dialogue.server.wire.isBlocked = false
    }

    /// NIOSSL closes the channel.
    @Test(arguments: Handlers.allCases) func `deliver the last bytes though the peer's transport has ended`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue.open(handlers)
        try dialogue.server.allowHalfClosure()
        dialogue.server.wire.isBlocked = true
        dialogue.server.send("a long answer")
        dialogue.server.close()
        dialogue.client.close(.output)
        dialogue.server.deliver(try dialogue.client.takeOutput())
        dialogue.server.endInput()
        if handlers == .secureSockets { #expect(dialogue.server.channel.isActive) }
        dialogue.server.wire.isBlocked = false
        dialogue.loop.run()
        #expect(!dialogue.server.channel.isActive || handlers == .nioSSL)
    }
}
