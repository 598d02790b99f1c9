import NIOCore
import NIOEmbedded
import NIOPosix
import NIOTLS
import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSockets
@testable import SecureSocketsNIO

/// The handlers in real channels, beside the sockets of this package.
@Suite(.timeLimit(.minutes(5))) struct `A channel handler` {
    private let authority: DevelopmentAuthority
    private let server: TLSServerConfiguration
    private let client: TLSClientConfiguration

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.server = try TLSServerConfiguration(identity: self.authority.server(names: ["localhost", "127.0.0.1"]).identity)
        self.client = try TLSClientConfiguration(trust: self.authority.trust)
    }

    private final class Echo: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.writeAndFlush(data, promise: nil) }
    }

    private func serve(_ body: (Int) async throws -> Void) async throws {
        let tls = self.server
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(TLSServerHandler(configuration: tls), Echo())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        try await body(port)
        try? await channel.close()
    }

    @Test func `serves the sockets of this package`() async throws {
        try await self.serve { port in
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: port, tls: self.client, timeout: Encounter.patience)
            let bytes = ByteBuffer(repeating: 9, count: 3_000_000)
            async let sent: Void = socket.send(bytes)
            let received = try await socket.receive(exactly: bytes.readableBytes)
            try await sent
            #expect(received == bytes)
            try await socket.closeWriting()
            #expect(try await socket.receive() == nil)
            socket.close()
        }
    }

    @Test func `connects to a listener of this package`() async throws {
        let listener = try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: self.server)
        let serving = Task {
            try await listener.serve { socket in
                for try await bytes in socket.incoming { try await socket.send(bytes) }
            }
        }
        let tls = self.client
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: listener.localEndpoint.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        TLSClientHandler(configuration: tls, serverHostname: "localhost"))
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: "hello"))
            var iterator = inbound.makeAsyncIterator()
            #expect(try await iterator.next() == ByteBuffer(string: "hello"))
            let information = try await channel.channel.tlsInformation().get()
            #expect(information?.version == .tls13)
        }
        listener.close()
        try await serving.value
    }

    @Test func `reports a refused certificate once, and the peer learns the reason`() async throws {
        let stranger = try DevelopmentAuthority()
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0,
            tls: TLSServerConfiguration(identity: stranger.server(names: ["localhost"]).identity))
        let accepted = Task { try await listener.accept(timeout: Encounter.patience) }
        let tls = self.client
        let errors = ErrorRecorder()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        TLSClientHandler(configuration: tls, serverHostname: "localhost"), errors)
                }
            }
            .connect(host: "127.0.0.1", port: listener.localEndpoint.port).get()
        try await channel.closeFuture.get()
        #expect(errors.codes == [.certificateVerificationFailed])
        let failure = await #expect(throws: SecureSocketError.self) { _ = try await accepted.value }
        #expect(failure?.code == .alertReceived)
        listener.close()
    }

    // MARK: A server's channels

    /// Binds a server whose channels have the handler and `handlers` behind it.
    private func bind(
        _ tls: LiveServerConfiguration, autoRead: Bool = true,
        _ initializer: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: autoRead)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TLSServerHandler(tls))
                    try initializer(channel)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    private func connect(to server: any Channel, _ tls: TLSClientConfiguration? = nil) async throws -> SecureSocket {
        let port = try #require(server.localAddress?.port)
        return try await SecureSocket.connect(
            to: "127.0.0.1", port: port, tls: tls ?? self.client, timeout: Encounter.patience)
    }

    /// Reads once when it is told to, and tells what it has received.
    private final class Reader: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let received: AsyncStream<String>
        private let continuation: AsyncStream<String>.Continuation
        let channels: AsyncStream<any Channel>
        private let channelContinuation: AsyncStream<any Channel>.Continuation

        init() {
            (self.received, self.continuation) = AsyncStream.makeStream()
            (self.channels, self.channelContinuation) = AsyncStream.makeStream()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .some(.handshakeCompleted) = event as? TLSUserEvent { self.channelContinuation.yield(context.channel) }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.continuation.yield(String(buffer: Self.unwrapInboundIn(data)))
        }
    }

    @Test func `completes its handshake though the program does not read, and delivers when it does`() async throws {
        let reader = Reader()
        let server = try await self.bind(LiveServerConfiguration(self.server), autoRead: false) {
            try $0.pipeline.syncOperations.addHandler(reader)
        }
        let socket = try await self.connect(to: server)
        try await socket.send("hello")
        var channels = reader.channels.makeAsyncIterator()
        let channel = try #require(await channels.next())
        channel.read()
        var received = reader.received.makeAsyncIterator()
        #expect(await received.next() == "hello")
        socket.close()
        try? await channel.close()
        try await server.close()
    }

    @Test func `is counted with its configuration until the channel has closed`() async throws {
        let live = LiveServerConfiguration(self.server)
        let reader = Reader()
        let server = try await self.bind(live) { try $0.pipeline.syncOperations.addHandler(reader) }
        let socket = try await self.connect(to: server)
        try await socket.send("hello")
        var received = reader.received.makeAsyncIterator()
        #expect(await received.next() == "hello")
        #expect(live.statistics.completedHandshakes == 1)
        #expect(live.statistics.openConnections == 1)
        socket.close()
        while live.statistics.openConnections > 0 { await Task.yield() }
        let raw = try RawSocket.connect(to: #require(server.localAddress?.port))
        try raw.send("GET / HTTP/1.1\r\n\r\n")
        while live.statistics.failedHandshakes.isEmpty { await Task.yield() }
        #expect(live.statistics.failedHandshakes == [.protocolError: 1])
        #expect(live.statistics.handshakesInProgress == 0)
        raw.close()
        try await server.close()
    }

    @Test func `lets the channel's writability count what was not flushed`() async throws {
        let reader = Reader()
        let server = try await self.bind(LiveServerConfiguration(self.server)) {
            try $0.pipeline.syncOperations.addHandler(reader)
        }
        let socket = try await self.connect(to: server)
        var channels = reader.channels.makeAsyncIterator()
        let channel = try #require(await channels.next())
        let written = try await channel.eventLoop.submit {
            var count = 0
            let piece = ByteBuffer(repeating: 1, count: 1000)
            while channel.isWritable, count < 100_000_000 {
                channel.write(piece, promise: nil)
                count += piece.readableBytes
            }
            return count
        }.get()
        // The channel's mark is 64 KiB, and the handler holds as much at most.
        #expect(written < 300_000)
        channel.flush()
        #expect(try await socket.receive(exactly: written).readableBytes == written)
        socket.close()
        try await server.close()
    }

    @Test func `uses the settings that are present, and asks the program about the peer`() async throws {
        let clients = TLSServerConfiguration.ClientAuthentication.required(
            trust: self.authority.trust,
            allow: PeerRule { peer in
                guard peer.certificate.uris.contains("test:friend") else { throw TLSRejection("not a friend") }
            })
        let first = try TLSServerConfiguration(identity: self.authority.server(names: ["127.0.0.1"]).identity)
        let live = LiveServerConfiguration(first)
        let errors = ErrorRecorder()
        let server = try await self.bind(live) { try $0.pipeline.syncOperations.addHandlers(Echo(), errors) }
        let socket = try await self.connect(to: server)
        try live.update(
            TLSServerConfiguration(identity: self.authority.server(names: ["127.0.0.1"]).identity, clients: clients))
        #expect(live.generation == 2)
        for (uri, isAdmitted) in [("test:friend", true), ("test:stranger", false)] {
            let tls = try TLSClientConfiguration(
                trust: self.authority.trust, identity: self.authority.client(uris: [uri]).identity)
            let friend = try await self.connect(to: server, tls)
            if isAdmitted {
                try await friend.send("hello")
                #expect(try await friend.receive() == ByteBuffer(string: "hello"))
            } else {
                let failure = await #expect(throws: SecureSocketError.self) { _ = try await friend.receive() }
                #expect(failure?.code == .alertReceived)
            }
            friend.close()
        }
        // The connection of the former settings is not affected.
        try await socket.send("still here")
        #expect(try await socket.receive() == ByteBuffer(string: "still here"))
        socket.close()
        try await server.close()
        #expect(errors.codes == [.rejected])
    }

    @Test func `exports the same keying material as its peer`() async throws {
        let reader = Reader()
        let server = try await self.bind(LiveServerConfiguration(self.server)) {
            try $0.pipeline.syncOperations.addHandler(reader)
        }
        let socket = try await self.connect(to: server)
        var channels = reader.channels.makeAsyncIterator()
        let channel = try #require(await channels.next())
        let ours = try await channel.exportTLSKeyingMaterial(label: "EXPORTER-test", length: 32).get()
        #expect(try await socket.exportKeyingMaterial(label: "EXPORTER-test", length: 32) == ours)
        #expect(try await channel.tlsInformation().get()?.version == .tls13)
        socket.close()
        try await server.close()
    }
}
