import NIOCore
import NIOPosix
import NIOSSL

/// The client with `NIOSSLClientHandler` and a channel handler. It makes a full handshake each time: the handler keeps no sessions.
enum NIOSSLClient {
    static func run(_ settings: ClientSettings) async throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(settings.certificate)
        if settings.mode != .usual { configuration.curves = [.x25519] }
        let context = try NIOSSLContext(configuration: configuration)
        try await settings.connectAll {
            let echoed = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Void.self)
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            let channel = try await bootstrap.channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let tls = try NIOSSLClientHandler(context: context, serverHostname: nil)
                    try channel.pipeline.syncOperations.addHandlers(tls, OneEcho(echoed))
                }
            }.connect(host: "127.0.0.1", port: settings.port).get()
            try await echoed.futureResult.get()
            if settings.mode == .idle { return channel }
            try await channel.close()
            return channel
        } close: { channel in
            try await channel.close()
        }
    }
}

/// Sends a byte as soon as the handshake is complete, and waits for its echo.
private final class OneEcho: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let echoed: EventLoopPromise<Void>

    init(_ echoed: EventLoopPromise<Void>) { self.echoed = echoed }

    func channelActive(context: ChannelHandlerContext) {
        // The handler keeps it until the handshake is complete.
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer(bytes: [BenchmarkProtocol.echo, 1])), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.echoed.succeed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.echoed.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.echoed.fail(ChannelError.eof)
    }
}
