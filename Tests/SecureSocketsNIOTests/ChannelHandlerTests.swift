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
        try await channel.close()
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
}
