import NIOCore
import NIOEmbedded
import SecureSockets
import Testing

/// Situations of a handshake, with this package's handlers and with NIOSSL's.
@Suite struct `In a handshake, both handlers` {
    @Test(arguments: Handlers.allCases) func `announce its end once, at both ends`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        try dialogue.exchange()
        #expect(dialogue.client.log == ["active", "completed"])
        #expect(dialogue.server.log == ["active", "completed"])
    }

    @Test(arguments: Handlers.allCases) func `send nothing before the channel is active`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers, isActive: false)
        #expect(try dialogue.client.takeOutput().readableBytes == 0)
        try dialogue.connect()
        #expect(try dialogue.client.takeOutput().readableBytes > 0)
    }

    @Test(arguments: Handlers.allCases) func `begin it when they are added to an active channel`(_ handlers: Handlers) throws {
        let late = try Dialogue(handlers, isActive: false)
        let client = End(on: late.loop)
        client.channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 443), promise: nil)
        late.loop.run()
        try client.add(Certificates().client(handlers, Settings()))
        #expect(try client.takeOutput().readableBytes > 0)
    }

    @Test(arguments: Handlers.allCases) func `take bytes in pieces of one`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        try dialogue.exchange(by: 1)
        #expect(dialogue.client.log == ["active", "completed"])
        #expect(dialogue.server.log == ["active", "completed"])
    }

    @Test(arguments: Handlers.allCases, [TLSProtocolVersion.tls12, .tls13])
    func `complete it in both versions`(_ handlers: Handlers, _ version: TLSProtocolVersion) throws {
        var settings = Settings()
        settings.serverVersions = version...version
        let dialogue = try Dialogue.open(handlers, settings)
        dialogue.client.send("hello")
        try dialogue.exchange()
        #expect(dialogue.server.log.last == "read hello")
    }

    // MARK: Application protocols

    @Test(arguments: Handlers.allCases) func `announce the application protocol`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.serverProtocols = ["h2", "http/1.1"]
        settings.clientProtocols = ["http/1.1"]
        let dialogue = try Dialogue.open(handlers, settings)
        #expect(dialogue.client.log.last == "completed http/1.1")
        #expect(dialogue.server.log.last == "completed http/1.1")
    }

    @Test(arguments: Handlers.allCases) func `follow the server's order of protocols`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.serverProtocols = ["h2", "http/1.1"]
        settings.clientProtocols = ["http/1.1", "h2"]
        #expect(try Dialogue.open(handlers, settings).client.log.last == "completed h2")
    }

    /// This package follows RFC 7301 §3.2; NIOSSL's server continues without a protocol.
    @Test(arguments: Handlers.allCases) func `treat protocols without a common one`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.serverProtocols = ["h2"]
        settings.clientProtocols = ["http/1.1"]
        let dialogue = try Dialogue(handlers, settings)
        try dialogue.exchange()
        let log = handlers.expect("error handshake failed", nioSSL: "completed")
        #expect(dialogue.client.log.contains(log) && dialogue.server.log.contains(log))
    }

    @Test(arguments: Handlers.allCases) func `negotiate no protocol if the client offers none`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.serverProtocols = ["h2"]
        #expect(try Dialogue.open(handlers, settings).server.log.last == "completed")
    }

    @Test(arguments: Handlers.allCases) func `negotiate no protocol if the server has none`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.clientProtocols = ["h2"]
        #expect(try Dialogue.open(handlers, settings).client.log.last == "completed")
    }

    // MARK: Names

    @Test(arguments: Handlers.allCases) func `refuse a certificate for another name, and say so once at each end`(
        _ handlers: Handlers
    ) throws {
        var settings = Settings()
        settings.serverHostname = "example.org"
        let dialogue = try Dialogue(handlers, settings)
        try dialogue.exchange()
        #expect(dialogue.client.errors == ["error handshake failed"])
        // NIOSSL's client verifies the name after the handshake, and sends no alert.
        #expect(dialogue.server.errors == handlers.expect(["error handshake failed"], nioSSL: ["error truncated"]))
        #expect(!dialogue.client.channel.isActive && !dialogue.server.channel.isActive)
    }

    @Test(arguments: Handlers.allCases) func `refuse a server of an unknown authority`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.trustsServer = false
        let dialogue = try Dialogue(handlers, settings)
        try dialogue.exchange()
        #expect(dialogue.client.errors == ["error handshake failed"])
        #expect(dialogue.server.errors == ["error handshake failed"])
        #expect(!dialogue.client.log.contains("completed"))
    }

    @Test(arguments: Handlers.allCases, ["", String(repeating: "a", count: 300), "localhost\0.example.org"])
    func `refuse a host name that is none`(_ handlers: Handlers, _ name: String) {
        var settings = Settings()
        settings.serverHostname = name
        #expect(throws: (any Error).self) { try Certificates().client(handlers, settings) }
    }

    /// NIOSSL takes an address only as the channel's remote address.
    @Test(arguments: Handlers.allCases) func `verify an address`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.serverNames = ["127.0.0.1"]
        settings.serverHostname = handlers.expect("127.0.0.1", nioSSL: nil)
        #expect(try Dialogue.open(handlers, settings).client.log == ["active", "completed"])
        settings.serverHostname = nil
        #expect(try Dialogue.open(handlers, settings).client.log == ["active", "completed"])
    }

    @Test(arguments: Handlers.allCases) func `refuse a certificate that is not for the remote address`(_ handlers: Handlers)
        throws
    {
        var settings = Settings()
        settings.serverHostname = nil
        let dialogue = try Dialogue(handlers, settings)
        try dialogue.exchange()
        #expect(dialogue.client.errors.count == 1)
        #expect(!dialogue.client.log.contains("completed"))
    }

    // MARK: Client certificates

    @Test(arguments: Handlers.allCases) func `accept a client with a certificate`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.clientAuthentication = .required
        settings.clientIdentity = true
        #expect(try Dialogue.open(handlers, settings).server.log == ["active", "completed"])
    }

    @Test(arguments: Handlers.allCases) func `refuse a client without a certificate`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.clientAuthentication = .required
        let dialogue = try Dialogue(handlers, settings)
        try dialogue.exchange()
        #expect(dialogue.server.errors == ["error handshake failed"])
        #expect(!dialogue.server.log.contains("completed"))
    }

    @Test(arguments: Handlers.allCases) func `accept a client without one if it is optional`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.clientAuthentication = .optional
        #expect(try Dialogue.open(handlers, settings).server.log == ["active", "completed"])
    }

    // MARK: Failures

    @Test(arguments: Handlers.allCases) func `fail at different versions`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.serverVersions = .tls13 ... .tls13
        settings.clientVersions = .tls12 ... .tls12
        let dialogue = try Dialogue(handlers, settings)
        try dialogue.exchange()
        #expect(dialogue.client.errors == ["error handshake failed"])
        #expect(dialogue.server.errors == ["error handshake failed"])
    }

    @Test(arguments: Handlers.allCases) func `fail at a client that does not speak TLS`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        dialogue.server.deliver(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        #expect(dialogue.server.errors == ["error handshake failed"])
        dialogue.server.endTransport()
        #expect(dialogue.server.log == ["active", "error handshake failed", "inactive"])
    }

    @Test(arguments: Handlers.allCases) func `fail once when the transport ends`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        let hello = try dialogue.client.takeOutput()
        dialogue.server.deliver(hello)
        for end in [dialogue.server, dialogue.client] {
            end.endTransport()
            #expect(end.log == ["active", "error handshake failed", "inactive"])
        }
    }

    @Test(arguments: Handlers.allCases) func `close the channel when its input ends`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        try dialogue.client.allowHalfClosure()
        dialogue.client.endInput()
        #expect(dialogue.client.errors == ["error handshake failed"])
        dialogue.client.endInput()
        #expect(!dialogue.client.channel.isActive)
    }

    /// NIOSSL has no time limit for a handshake.
    @Test(arguments: Handlers.allCases) func `wait for a silent peer`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        dialogue.loop.advanceTime(by: .hours(1))
        #expect(dialogue.server.errors == handlers.expect(["error timed out"], nioSSL: []))
        #expect(dialogue.server.channel.isActive == handlers.expect(false, nioSSL: true))
    }

    @Test(arguments: Handlers.allCases) func `close the channel after a failure though the peer stays`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue(handlers)
        dialogue.server.deliver(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        dialogue.server.deliver(ByteBuffer(string: "more of it, which is discarded"))
        dialogue.loop.advanceTime(by: .seconds(5))
        #expect(!dialogue.server.channel.isActive)
        #expect(dialogue.server.log == ["active", "error handshake failed", "inactive"])
    }

    @Test(arguments: Handlers.allCases) func `send the alert before the output ends`(_ handlers: Handlers) throws {
        var settings = Settings()
        settings.trustsServer = false
        let dialogue = try Dialogue(handlers, settings)
        dialogue.server.deliver(try dialogue.client.takeOutput())
        dialogue.client.deliver(try dialogue.server.takeOutput())
        #expect(try dialogue.client.takeOutput().readableBytes > 0)
        #expect(dialogue.client.wire.outputIsClosed == handlers.expect(true, nioSSL: false))
    }

    @Test(arguments: Handlers.allCases) func `abandon it when the program closes the channel`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        let outcome = dialogue.client.close()
        #expect(outcome.text == "success")
        #expect(!dialogue.client.channel.isActive)
        #expect(dialogue.client.errors.isEmpty)
    }

    @Test(arguments: Handlers.allCases) func `survive a program that flushes when it fails`(_ handlers: Handlers) throws {
        let dialogue = try Dialogue(handlers)
        dialogue.client.recorder.reaction = { event, context in if event.hasPrefix("error") { context.flush() } }
        dialogue.client.send("never sent")
        dialogue.client.endTransport()
        #expect(dialogue.client.log == ["active", "error handshake failed", "inactive"])
    }

    @Test(arguments: Handlers.allCases) func `survive a program that closes the channel when it is complete`(_ handlers: Handlers)
        throws
    {
        let dialogue = try Dialogue(handlers)
        dialogue.client.recorder.reaction = { event, context in if event == "completed" { context.close(promise: nil) } }
        try dialogue.exchange()
        #expect(!dialogue.client.channel.isActive && !dialogue.server.channel.isActive)
        #expect(dialogue.client.errors.isEmpty && dialogue.server.errors.isEmpty)
    }
}
