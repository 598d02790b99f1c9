import NIOCore
import NIOEmbedded
import Testing

@testable import SecureSocketsNIO

/// Situations of reads, with this package's handlers and with NIOSSL's.
@Suite struct `When bytes arrive, both handlers` {
    @Test(arguments: Handlers.allCases) func `deliver those that came with the end of the handshake, after its event`(
        _ handlers: Handlers
    ) throws {
        let dialogue = try Dialogue(handlers)
        dialogue.client.send("at once")
        try dialogue.exchange()
        #expect(dialogue.server.log == ["active", "completed", "read at once"])
    }

    @Test(arguments: Handlers.allCases) func `deliver a record that came in two parts when it is whole`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.send("hello")
        var record = try dialogue.client.takeOutput()
        dialogue.server.deliver(record.readSlice(length: 7) ?? ByteBuffer())
        #expect(dialogue.server.recorder.text == "")
        dialogue.server.deliver(record)
        #expect(dialogue.server.log.last == "read hello")
    }

    @Test(arguments: Handlers.allCases) func `deliver two records of one read`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.send("hello ")
        dialogue.client.send("world")
        dialogue.server.deliver(try dialogue.client.takeOutput())
        #expect(dialogue.server.recorder.text == "hello world")
    }

    @Test(arguments: Handlers.allCases) func `announce the end of a read once, after bytes`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.server.recorder.recordsReadComplete = true
        dialogue.client.send("hello")
        dialogue.server.deliver(try dialogue.client.takeOutput())
        #expect(dialogue.server.log.suffix(2) == ["read hello", "read complete"])
    }

    @Test(arguments: Handlers.allCases) func `announce no end of a read without bytes for the program`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue(handlers)
        dialogue.server.recorder.recordsReadComplete = true
        dialogue.client.recorder.recordsReadComplete = true
        try dialogue.exchange()
        #expect(dialogue.server.log == ["active", "completed"])
        #expect(dialogue.client.log == ["active", "completed"])
    }

    @Test(arguments: Handlers.allCases) func `pass on the program's reads`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let before = dialogue.server.wire.reads
        dialogue.server.channel.read()
        #expect(dialogue.server.wire.reads == before + 1)
    }

    @Test(arguments: Handlers.allCases) func `fail once at bytes that are no record`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.server.deliver(ByteBuffer(string: "this is no record of TLS, and never was"))
        #expect(dialogue.server.errors == ["error protocolError"])
        dialogue.server.deliver(ByteBuffer(string: "nor is this"))
        dialogue.loop.advanceTime(by: .seconds(5))
        dialogue.server.endTransport()
        #expect(dialogue.server.errors == ["error protocolError"])
        #expect(!dialogue.server.channel.isActive)
    }

    @Test(arguments: Handlers.allCases) func `fail at a record that was changed on its way`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.send("hello")
        var record = try dialogue.client.takeOutput()
        let last = record.writerIndex - 1
        record.setInteger((record.getInteger(at: last, as: UInt8.self) ?? 0) ^ 1, at: last)
        dialogue.server.deliver(record)
        #expect(dialogue.server.errors == ["error protocolError"])
        #expect(dialogue.server.recorder.text == "")
    }

    @Test(arguments: Handlers.allCases) func `deliver what came before a close_notify`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.send("last words")
        dialogue.client.close()
        dialogue.server.deliver(try dialogue.client.takeOutput())
        #expect(dialogue.server.log.suffix(3).prefix(2) == ["read last words", "shutdown"])
    }

    @Test(arguments: Handlers.allCases) func `survive a program that closes the channel when it reads`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue.open(handlers)
        dialogue.server.recorder.reaction = { event, context in if event.hasPrefix("read") { context.close(promise: nil) } }
        dialogue.client.send("hello")
        dialogue.client.send("and more")
        try dialogue.exchange()
        #expect(dialogue.server.errors.isEmpty && dialogue.client.errors.isEmpty)
        #expect(!dialogue.server.channel.isActive && !dialogue.client.channel.isActive)
    }

    @Test(arguments: Handlers.allCases) func `survive being removed when the program reads`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let server = dialogue.server
        let handler = try server.channel.pipeline.syncOperations.context(name: server.handlerName)
        server.recorder.reaction = { event, context in
            if event.hasPrefix("read") { context.pipeline.syncOperations.removeHandler(context: handler, promise: nil) }
        }
        dialogue.client.send("hello")
        dialogue.client.send("and more")
        dialogue.server.deliver(try dialogue.client.takeOutput())
        #expect(server.recorder.text.hasPrefix("hello"))
    }

    @Test(arguments: Handlers.allCases) func `deliver the bytes of many records in order`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        let words = (0..<500).map { "\($0) " }
        for word in words { dialogue.client.send(word) }
        try dialogue.exchange(by: 333)
        #expect(dialogue.server.recorder.text == words.joined())
    }

    @Test(arguments: Handlers.allCases) func `answer while they read`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.server.recorder.reaction = { event, context in
            if event.hasPrefix("read ") { context.writeAndFlush(NIOAny(ByteBuffer(string: "answer to \(event)")), promise: nil) }
        }
        dialogue.client.send("hello")
        try dialogue.exchange()
        #expect(dialogue.client.recorder.text == "answer to read hello")
    }

    @Test(arguments: Handlers.allCases) func `never pass on bytes that were not decrypted`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.options.maximumHeldBytes = 10
        let dialogue = try Dialogue(handlers, settings, isActive: false)
        dialogue.client.send("more than the handler holds")
        try dialogue.connect()
        dialogue.client.deliver(ByteBuffer(string: "plain text of an attacker"))
        #expect(dialogue.client.recorder.text == "")
    }

    @Test(arguments: Handlers.allCases) func `do not forget a read that the program asks for while it receives`(
        _ handlers: Handlers
    ) throws {
        guard handlers == .secureSockets else { return }
        let dialogue = try Dialogue.open(handlers)
        let handler = try dialogue.server.channel.pipeline.syncOperations.handler(type: TLSHandler.self)
        dialogue.server.recorder.reaction = { event, context in if event.hasPrefix("read ") { context.read() } }
        dialogue.client.send("one")
        try dialogue.exchange()
        #expect(handler.isReadRequested)
    }

    /// As a channel does that reads what is left when a write has failed.
    @Test(arguments: Handlers.allCases) func `deliver what arrives in the middle of a delivery in which the channel is closed`(
        _ handlers: Handlers
    ) throws {
        let dialogue = try Dialogue.open(handlers)
        dialogue.client.send("one ")
        let first = try dialogue.client.takeOutput()
        dialogue.client.send("two")
        let second = try dialogue.client.takeOutput()
        let server = dialogue.server
        server.recorder.reaction = { event, _ in
            guard event == "read one " else { return }
            server.channel.pipeline.syncOperations.fireChannelRead(NIOAny(second))
            server.wire.closeTransport()
        }
        server.deliver(first)
        #expect(server.recorder.text == handlers.expect("one two", nioSSL: "one "))
        #expect(server.errors == handlers.expect(["error truncated"], nioSSL: ["error truncated"]))
    }

    @Test(arguments: Handlers.allCases) func `announce no handshake after the end of the channel`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        let client = dialogue.client
        client.wire.written = { client.wire.closeTransport() }
        try dialogue.exchange()
        let end = try #require(client.log.firstIndex(of: "inactive"))
        let completed = client.log.firstIndex { $0.hasPrefix("completed") }
        #expect(handlers.expect(completed == nil, nioSSL: true))
        #expect(end == client.log.count - 1 || handlers == .nioSSL)
    }
}
