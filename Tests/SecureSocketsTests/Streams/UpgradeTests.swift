import NIOCore
import NIOPosix
import SecureSocketsTesting
import SocketCore
import TestSupport
import Testing

@testable import SecureSockets

/// `PlainSocket`, `PlainListener`, and their upgrade to TLS.
@Suite(.timeLimit(.minutes(5))) struct `A plain connection` {
    private let server: TLSServerConfiguration
    private let client: TLSClientConfiguration

    init() throws {
        let authority = try DevelopmentAuthority()
        self.server = try TLSServerConfiguration(identity: authority.server().identity)
        self.client = try TLSClientConfiguration(trust: authority.trust)
    }

    private static let groups: [any EventLoopGroup] = [SocketEventLoopGroup.shared, MultiThreadedEventLoopGroup.singleton]

    @Test(arguments: 0..<2) func `carries bytes, and ends in each direction`(group: Int) async throws {
        try await PlainSocket.withPair(on: Self.groups[group]) { client, server in
            let bytes = ByteBuffer(repeating: 7, count: 2_000_000)
            async let sent: Void = client.send(bytes)
            #expect(try await server.receive(exactly: bytes.readableBytes) == bytes)
            try await sent
            try await client.closeWriting()
            #expect(try await server.receive() == nil)
            try await server.send("still open")
            #expect(try await client.receive() == ByteBuffer(string: "still open"))
        }
    }

    @Test func `is one of a sequence, and closed by the call that has opened it`() async throws {
        let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        let serving = Task {
            var greetings: [String] = []
            for try await socket in listener.connections {
                greetings.append((try? await socket.receiveLine()).map { String(buffer: $0) } ?? "reset")
                socket.close()
            }
            return greetings
        }
        struct Refusal: Error {}
        let port = listener.localEndpoint.port
        let length = try await PlainSocket.withConnection(to: "127.0.0.1", port: port, connectTimeout: Encounter.patience) {
            socket in
            try await socket.send("hello\r\n")
            #expect(try await socket.receive() == nil)
            return 5
        }
        #expect(length == 5)
        await #expect(throws: Refusal.self) {
            try await PlainSocket.withConnection(to: "127.0.0.1", port: port, connectTimeout: Encounter.patience) { _ in
                throw Refusal()
            }
        }
        // The reset has arrived when the next connection is accepted.
        try await PlainSocket.withConnection(to: "127.0.0.1", port: port, connectTimeout: Encounter.patience) { socket in
            try await socket.send("again\r\n")
            #expect(try await socket.receive() == nil)
        }
        listener.close()
        #expect(try await serving.value == ["hello", "reset", "again"])
    }

    @Test(arguments: 0..<2) func `becomes a secure one`(group: Int) async throws {
        try await PlainSocket.withPair(on: Self.groups[group]) { client, server in
            try await client.send("STARTTLS\r\n")
            #expect(try await server.receiveLine() == ByteBuffer(string: "STARTTLS"))
            try await server.send("220 go ahead\r\n")
            async let accepted = server.upgrade(tls: self.server)
            #expect(try await client.receiveLine() == ByteBuffer(string: "220 go ahead"))
            let secureClient = try await client.upgrade(tls: self.client, host: "127.0.0.1")
            let secureServer = try await accepted
            try await secureClient.send("secret")
            #expect(try await secureServer.receive() == ByteBuffer(string: "secret"))
            try await secureServer.closeWriting()
            #expect(try await secureClient.receive() == nil)
            #expect(client.isClosed)
            await expectError(.closed) { try await client.send("plain") }
            secureClient.close()
            secureServer.close()
            try await client.waitUntilClosed()
        }
    }

    @Test func `becomes a secure one though the client's hello came with the request`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            async let connected = client.upgrade(tls: self.client, host: "127.0.0.1")
            await server.untilUnread(1)
            let secureServer = try await server.upgrade(tls: self.server)
            let secureClient = try await connected
            try await secureServer.send("hello")
            #expect(try await secureClient.receive() == ByteBuffer(string: "hello"))
            secureClient.close()
            secureServer.close()
        }
    }

    @Test func `becomes a secure one with the settings that are present, and resumes sessions after an update`() async throws {
        let authority = try DevelopmentAuthority()
        func configuration() throws -> TLSServerConfiguration {
            try TLSServerConfiguration(identity: authority.server(names: ["service.test"]).identity)
        }
        let live = LiveServerConfiguration(try configuration())
        let client = try TLSClientConfiguration(trust: authority.trust, serverName: "service.test")
        let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        var resumptions: [Bool] = []
        for round in 0..<3 {
            if round == 2 { try live.update(configuration()) }
            async let accepted = listener.accept(timeout: Encounter.patience)
            let plain = try await PlainSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, timeout: Encounter.patience)
            let other = try await accepted
            async let upgraded = other.upgrade(tls: live)
            let socket = try await plain.upgrade(tls: client, host: "127.0.0.1")
            let server = try await upgraded
            try await server.send("x")
            #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
            resumptions.append(socket.information.isResumed)
            socket.close()
            server.close()
        }
        listener.close()
        #expect(resumptions == [false, true, true])
        #expect(live.generation == 2)
    }

    // MARK: Injected bytes (CVE-2011-0411)

    @Test func `refuses to become secure behind commands of the client, which can still be received`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            try await client.send("STARTTLS\r\nMAIL FROM:<attacker>\r\n")
            #expect(try await server.receiveLine() == ByteBuffer(string: "STARTTLS"))
            await server.untilUnread(22)
            await expectError(.protocolError) { _ = try await server.upgrade(tls: self.server) }
            #expect(try await server.receiveLine() == ByteBuffer(string: "MAIL FROM:<attacker>"))
            try await server.send("554 no\r\n")
            #expect(try await client.receiveLine() == ByteBuffer(string: "554 no"))
        }
    }

    @Test func `refuses to become secure behind bytes of the server, which can still be received`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            try await server.send("220 go ahead\r\n250 injected\r\n")
            #expect(try await client.receiveLine() == ByteBuffer(string: "220 go ahead"))
            await client.untilUnread(14)
            await expectError(.protocolError) { _ = try await client.upgrade(tls: self.client, host: "127.0.0.1") }
            #expect(try await client.receiveLine() == ByteBuffer(string: "250 injected"))
        }
    }

    @Test func `takes commands that come after the agreement for a broken handshake, never for commands`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            let upgrading = Task { try await server.upgrade(tls: self.server, timeout: Encounter.patience) }
            while !server.isClosed { await Task.yield() }
            try await client.send("MAIL FROM:<attacker>\r\n")
            await expectError(.protocolError) { _ = try await upgrading.value }
            await expectError(.closed) { _ = try await server.receive() }
        }
    }

    // MARK: Calls

    @Test func `is not upgraded under a call that waits, which is not disturbed`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            async let received = server.receive()
            let connection = server.connection
            while await withCheckedContinuation({ waits in
                connection.onLoop { waits.resume(returning: connection.receivers.isEmpty) }
            }) { await Task.yield() }
            await expectError(.wrongMode) { _ = try await server.upgrade(tls: self.server) }
            try await client.send("hello")
            #expect(try await received == ByteBuffer(string: "hello"))
        }
    }

    @Test func `sends everything that was accepted before the handshake`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            let bytes = ByteBuffer(repeating: 1, count: 1_000_000)
            async let accepted = {
                #expect(try await server.receive(exactly: bytes.readableBytes) == bytes)
                return try await server.upgrade(tls: self.server)
            }()
            try await client.send(bytes)
            let secureClient = try await client.upgrade(tls: self.client, host: "127.0.0.1")
            let secureServer = try await accepted
            try await secureClient.send("hello")
            #expect(try await secureServer.receive() == ByteBuffer(string: "hello"))
            secureClient.close()
            secureServer.close()
        }
    }

    @Test func `is closed when the handshake is not complete in time`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            await expectError(.timedOut) { _ = try await server.upgrade(tls: self.server, timeout: .milliseconds(1)) }
            let received = try await client.receive()
            #expect(received == nil)
        }
    }

    @Test func `is closed when the certificate is refused`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            let upgrading = Task { try await server.upgrade(tls: self.server) }
            while !server.isClosed { await Task.yield() }
            await expectError(.certificateVerificationFailed) {
                _ = try await client.upgrade(tls: TLSClientConfiguration(), host: "127.0.0.1")
            }
            await expectError(.alertReceived) { _ = try await upgrading.value }
        }
    }

    // MARK: Handlers

    private func serve(
        _ handler: @escaping @concurrent @Sendable (PlainSocket) async throws -> Void,
        dialogue: (PlainListener) async throws -> Void
    ) async throws {
        let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        let serving = Task { try await listener.serve(handler) }
        try await dialogue(listener)
        await listener.shutDown(deadline: .seconds(60))
        try await serving.value
        #expect(listener.statistics.openConnections == 0)
    }

    private func secured(_ listener: PlainListener) async throws -> SecureSocket {
        let plain = try await PlainSocket.connect(to: "127.0.0.1", port: listener.localEndpoint.port, timeout: Encounter.patience)
        return try await plain.upgrade(tls: self.client, host: "127.0.0.1", timeout: Encounter.patience)
    }

    @Test func `and its secure successor are closed when their handler returns`() async throws {
        let tls = self.server
        try await self.serve { plain in
            let socket = try await plain.upgrade(tls: tls)
            try await socket.send("good-bye")
        } dialogue: { listener in
            let socket = try await self.secured(listener)
            #expect(try await socket.receive() == ByteBuffer(string: "good-bye"))
            // A complete stream: the handler did not fail.
            #expect(try await socket.receive() == nil)
            socket.close()
        }
    }

    @Test func `has a successor whose stream is incomplete when their handler throws`() async throws {
        let tls = self.server
        try await self.serve { plain in
            let socket = try await plain.upgrade(tls: tls)
            try await socket.send("half of")
            throw CancellationError()
        } dialogue: { listener in
            let socket = try await self.secured(listener)
            #expect(try await socket.receive() == ByteBuffer(string: "half of"))
            await expectError(.truncated) { _ = try await socket.receive() }
            socket.close()
        }
    }

    @Test func `has a successor whose sequences end at a graceful shutdown`() async throws {
        let tls = self.server
        try await self.serve { plain in
            let socket = try await plain.upgrade(tls: tls)
            for try await bytes in socket.incoming.untilShutdown { try await socket.send(bytes) }
            try await socket.send("good-bye")
        } dialogue: { listener in
            let socket = try await self.secured(listener)
            try await socket.send("hello")
            #expect(try await socket.receive() == ByteBuffer(string: "hello"))
            async let shutDown: Void = listener.shutDown(deadline: .seconds(60))
            #expect(try await socket.receive() == ByteBuffer(string: "good-bye"))
            socket.close()
            await shutDown
        }
    }

    @Test func `of a client that does nothing does not delay others`() async throws {
        let tls = self.server
        try await self.serve { plain in
            let socket = try await plain.upgrade(tls: tls, timeout: Encounter.patience)
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        } dialogue: { listener in
            let silent = try (0..<50).map { _ in try RawSocket.connect(to: listener.localEndpoint.port) }
            let socket = try await self.secured(listener)
            try await socket.send("hello")
            #expect(try await socket.receive() == ByteBuffer(string: "hello"))
            socket.close()
            silent.forEach { $0.close() }
        }
    }

    // MARK: The PROXY protocol

    private static let version2: [UInt8] =
        [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, 0x21, 0x11, 0, 12] + [
            192, 0, 2, 1, 198, 51, 100, 7, 0xc8, 0x22, 0x01, 0xbb,
        ]

    @Test(arguments: [Array("PROXY TCP4 192.0.2.1 198.51.100.7 51234 443\r\n".utf8), version2])
    func `behind a load balancer tells its client, and becomes secure`(_ header: [UInt8]) async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            try await client.send(header)
            async let connected = client.upgrade(tls: self.client, host: "127.0.0.1")
            let received = try await server.receiveProxyHeader()
            #expect(received.source == SocketEndpoint(host: "192.0.2.1", port: 51_234))
            #expect(received.destination == SocketEndpoint(host: "198.51.100.7", port: 443))
            let secureServer = try await server.upgrade(tls: self.server)
            let secureClient = try await connected
            try await secureClient.send("hello")
            #expect(try await secureServer.receive() == ByteBuffer(string: "hello"))
            secureClient.close()
            secureServer.close()
        }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 \(String(repeating: "1", count: 200))", "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
    ])
    func `whose header is none is refused`(_ text: String) async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            try await client.send(text)
            let error = try await #require(throws: SecureSocketError.self) { _ = try await server.receiveProxyHeader() }
            #expect([.protocolError, .packetTooLarge].contains(error.code))
            #expect(error.blame == .peer)
        }
    }

    @Test func `whose header does not come is not waited for`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            try await client.send("PROXY TCP4 192.0.2.1 ")
            await expectError(.timedOut) { _ = try await server.receiveProxyHeader(timeout: .milliseconds(1)) }
        }
    }

    // MARK: Relays

    @Test func `is joined with a secure one, with both ends and all bytes`() async throws {
        let listener = try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: self.server)
        let serving = Task {
            try await listener.serve { socket in
                for try await bytes in socket.incoming { try await socket.send(bytes) }
                try await socket.send("the end")
            }
        }
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            let upstream = try await SecureSocket.connect(to: "127.0.0.1", port: listener.localEndpoint.port, tls: self.client)
            async let relayed = server.relay(to: upstream)
            let bytes = ByteBuffer(repeating: 3, count: 3_000_000)
            async let sent: Void = {
                try await client.send(bytes); try await client.closeWriting()
            }()
            #expect(try await client.receive(exactly: bytes.readableBytes) == bytes)
            try await sent
            #expect(try await client.receive(exactly: 7) == ByteBuffer(string: "the end"))
            #expect(try await client.receive() == nil)
            let counts = try await relayed
            #expect(counts.sent == bytes.readableBytes && counts.received == bytes.readableBytes + 7)
            upstream.close()
        }
        listener.close()
        try await serving.value
    }

    @Test func `that is lost ends the relay with its error, and the other socket`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { otherClient, otherServer in
                let relaying = Task { try await server.relay(to: otherClient) }
                try await otherServer.send("hello")
                #expect(try await client.receive() == ByteBuffer(string: "hello"))
                relaying.cancel()
                await expectError(.cancelled) { _ = try await relaying.value }
                #expect(server.isClosed && otherClient.isClosed)
            }
        }
    }

    // MARK: Ends

    @Test(arguments: 0..<2) func `that is aborted is reset, so that its peer does not take the stream for complete`(group: Int)
        async throws
    {
        try await PlainSocket.withPair(on: Self.groups[group]) { client, server in
            try await client.send("half of")
            #expect(try await server.receive() == ByteBuffer(string: "half of"))
            client.abort()
            await expectError(.connectionReset) { _ = try await server.receive() }
        }
    }

    @Test func `whose peer has ended its stream is not upgraded`() async throws {
        try await PlainSocket.withPair(on: SocketEventLoopGroup.shared) { client, server in
            try await client.send("STARTTLS\r\n")
            try await client.closeWriting()
            #expect(try await server.receiveLine() == ByteBuffer(string: "STARTTLS"))
            #expect(try await server.receive() == nil)
            await expectError(.endedInHandshake) { _ = try await server.upgrade(tls: self.server, timeout: nil) }
        }
    }

    @Test func `and its successor are dropped when their listener is cancelled`() async throws {
        let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        let tls = self.server
        let serving = Task {
            try await listener.serve { plain in
                let socket = try await plain.upgrade(tls: tls)
                try await socket.send("hello")
            }
        }
        let socket = try await self.secured(listener)
        #expect(try await socket.receive() == ByteBuffer(string: "hello"))
        // The handler has returned; its connection waits for this one's end.
        while listener.statistics.lingeringConnections == 0 { await Task.yield() }
        serving.cancel()
        try await serving.value
        #expect(listener.statistics.openConnections == 0)
        socket.close()
    }
}
