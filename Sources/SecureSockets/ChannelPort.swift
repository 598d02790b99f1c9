import NIOCore
import NIOPosix

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A listening NIO channel.
final class ChannelPort: ListeningPort {
    private let channel: any Channel

    private init(_ channel: any Channel) {
        self.channel = channel
    }

    /// Binds and listens; the acceptor has its port by then.
    static func bind(
        to address: SocketAddress, on loop: any EventLoop, for acceptor: Acceptor, options: SocketOptions,
        spreadingOver group: any EventLoopGroup
    ) async throws -> SocketAddress? {
        let bootstrap = ServerBootstrap(group: loop, childGroup: group)
            .serverChannelOption(.backlog, value: Int32(clamping: options.backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(
                .socketOption(NIOBSDSocket.Option(rawValue: SO_REUSEPORT)), value: options.reusePort ? 1 : 0
            )
            // Accepted sockets inherit it. An urgent byte is part of the stream; taken out of it, it would spoil a record.
            .serverChannelOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_OOBINLINE)), value: 1)
            .serverChannelOption(.autoRead, value: false)
            .serverChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOptions(of: options)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TakingHandler(acceptor))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ChannelTransport(channel, options: options) {
                            acceptor.makeConnection(as: ObjectIdentifier(channel), over: $0)
                        })
                }
            }
        return try await bootstrap.bind(to: address).flatMap { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(ListeningHandler(acceptor))
                acceptor.listen(at: ChannelPort(channel))
                channel.closeFuture.assumeIsolated().whenComplete { _ in acceptor.portIsFree() }
                return channel.localAddress
            }
        }.get()
    }

    func takeOne() {
        self.channel.read()
    }

    func pause() {
        // The channel waits for readability as long as a read is asked for; to switch automatic reading on and off takes that back.
        try? self.channel.syncOptions?.setOption(.autoRead, value: true)
        try? self.channel.syncOptions?.setOption(.autoRead, value: false)
    }

    func close() {
        self.channel.close(promise: nil)
    }
}

extension ServerBootstrap {
    /// Those that are not the operating system's defaults: each is a system call for each connection.
    fileprivate func childChannelOptions(of options: SocketOptions) -> ServerBootstrap {
        var bootstrap = self
        if options.noDelay { bootstrap = bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1) }
        if options.keepAlive { bootstrap = bootstrap.childChannelOption(.socketOption(.so_keepalive), value: 1) }
        return bootstrap
    }
}

/// Tells the acceptor what happens at its listening channel.
private final class ListeningHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let acceptor: Acceptor

    init(_ acceptor: Acceptor) {
        self.acceptor = acceptor
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.acceptor.readCompleted()
        context.fireChannelReadComplete()
    }

    /// The channel has closed, by itself or because it was asked to.
    func channelInactive(context: ChannelHandlerContext) {
        self.acceptor.close()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An accepted connection that was gone before it was ours is no fault of the listener's.
        if let error = error as? IOError { self.acceptor.readFailed(error) }
    }
}

/// Counts the connections that are taken, before anything is done with them.
private final class TakingHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let acceptor: Acceptor

    init(_ acceptor: Acceptor) {
        self.acceptor = acceptor
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = Self.unwrapInboundIn(data)
        let id = ObjectIdentifier(channel)
        self.acceptor.taken(id)
        // It may go before it is a connection.
        let acceptor = self.acceptor
        channel.closeFuture.whenComplete { _ in acceptor.onLoop { acceptor.leftTheWay(id) } }
        context.fireChannelRead(data)
    }
}
