import NIOCore
import NIOPosix
import NIOTLS
import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSockets
@testable import SecureSocketsNIO

/// A server's channel whose client sends bytes in one packet with the end of its handshake.
@Suite(.timeLimit(.minutes(2))) struct `Bytes that come with the end of the handshake` {
    private let authority: DevelopmentAuthority
    private let client: TLSClientConfiguration

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.client = try TLSClientConfiguration(
            trust: self.authority.trust, identity: self.authority.client(uris: ["test:friend"]).identity)
    }

    private final class Echo: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.writeAndFlush(data, promise: nil) }
    }

    /// Switches on the channel's automatic reading when the handshake is complete.
    private final class Starter: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .some(.handshakeCompleted) = event as? TLSUserEvent {
                let channel = context.channel
                context.eventLoop.execute { channel.setOption(.autoRead, value: true).whenFailure { Issue.record($0) } }
            }
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// Sends "one" with the end of the handshake, then "two", and expects both to come back.
    private func check(_ tls: TLSServerConfiguration, autoRead: Bool) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: autoRead)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handlers: [any ChannelHandler] = [TLSServerHandler(configuration: tls), Starter(), Echo()]
                    try channel.pipeline.syncOperations.addHandlers(handlers)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let configuration = self.client
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: try #require(server.localAddress?.port)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let tls = try TLSClientHandler(configuration: configuration, serverHostname: "127.0.0.1")
                    try channel.pipeline.syncOperations.addHandler(tls)
                    // Held until the handshake is complete, and then sent with its last flight.
                    channel.pipeline.syncOperations.writeAndFlush(NIOAny(ByteBuffer(string: "one")), promise: nil)
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, outbound in
            var iterator = inbound.makeAsyncIterator()
            #expect(try await iterator.next() == ByteBuffer(string: "one"))
            try await outbound.write(ByteBuffer(string: "two"))
            #expect(try await iterator.next() == ByteBuffer(string: "two"))
        }
        try await server.close()
    }

    @Test func `are delivered when the program has decided about the client, and more are read after them`() async throws {
        let rule = PeerRule { peer in
            guard peer.certificate.uris.contains("test:friend") else { throw TLSRejection("not a friend") }
        }
        let clients = TLSServerConfiguration.ClientAuthentication.required(trust: self.authority.trust, allow: rule)
        let identity = try self.authority.server(names: ["127.0.0.1"]).identity
        try await self.check(TLSServerConfiguration(identity: identity, clients: clients), autoRead: true)
    }

    @Test func `are delivered though the channel's automatic reading is switched on only then`() async throws {
        try await self.check(
            TLSServerConfiguration(identity: self.authority.server(names: ["127.0.0.1"]).identity), autoRead: false)
    }
}
