import NIOCore
import NIOPosix

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// A listening NIO channel, which distributes its connections over the loops of its group.
///
/// Sendable without a check because the handler is used on the channel's loop only.
final class ChannelListeningSocket: ListeningSocket, @unchecked Sendable {
    private let channel: any Channel
    private let handler: ListeningHandler
    /// The file of a Unix domain socket.
    private let file: UnixSocketFile?

    private init(_ channel: any Channel, _ handler: ListeningHandler, _ file: UnixSocketFile?) {
        self.channel = channel
        self.handler = handler
        self.file = file
    }

    /// Binds and listens. The acceptor has its listening socket when this returns.
    static func bind(
        to address: SocketAddress, on loop: any EventLoop, for acceptor: Acceptor, options: SocketOptions,
        listening: ListenerOptions, spreadingOver group: any EventLoopGroup
    ) async throws -> SocketAddress? {
        let backlog = Int32(clamping: listening.backlog)
        var bootstrap = ServerBootstrap(group: loop, childGroup: group).serverChannelOption(.backlog, value: backlog)
        if !address.isUnix {
            bootstrap = bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(
                    .socketOption(NIOBSDSocket.Option(rawValue: SO_REUSEPORT)), value: listening.reusePort ? 1 : 0)
        }
        bootstrap =
            bootstrap
            // Accepted sockets inherit it. An urgent byte is part of the stream. Delivered out of band, it would be missing from its
            // record.
            .serverChannelOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_OOBINLINE)), value: 1)
            .serverChannelOption(.autoRead, value: false)
            .serverChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOptions(of: options, isUnix: address.isUnix)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ListeningHandler(acceptor))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // The channel may close before there is a connection.
                    let arrival = Arrival(acceptor)
                    channel.closeFuture.assumeIsolated().whenComplete { _ in arrival.failed() }
                    try channel.pipeline.syncOperations.addHandler(
                        ChannelTransport(channel, options: options) { arrival.succeeded(over: $0) })
                }
            }
        guard let path = address.pathname else {
            return try await self.bind(bootstrap.bind(to: address), for: acceptor, file: nil)
        }
        let (descriptor, file) = try UnixSocketFile.listen(at: path, backlog: backlog, permissions: listening.unixPermissions)
        do {
            let bound = bootstrap.withBoundSocket(descriptor).flatMapThrowing { channel in
                // NIO has set a length of its own.
                try UnixSocketFile.setBacklog(backlog, of: descriptor)
                return channel
            }
            return try await self.bind(bound, for: acceptor, file: file)
        } catch {
            file.remove()
            throw error
        }
    }

    private static func bind(
        _ bound: EventLoopFuture<any Channel>, for acceptor: Acceptor, file: UnixSocketFile?
    ) async throws -> SocketAddress? {
        try await bound.flatMap { channel in
            channel.eventLoop.makeCompletedFuture {
                let handler = try channel.pipeline.syncOperations.handler(type: ListeningHandler.self)
                acceptor.listen(on: ChannelListeningSocket(channel, handler, file))
                channel.closeFuture.assumeIsolated().whenComplete { _ in acceptor.portIsFree() }
                return channel.localAddress
            }
        }.get()
    }

    func wake() {
        if self.channel.eventLoop.inEventLoop {
            self.handler.readMore()
        } else {
            self.channel.eventLoop.execute { self.handler.readMore() }
        }
    }

    /// Connections in the operating system's queue are lost: a channel takes nothing from it while it closes.
    func close(takingQueue: Bool) {
        if self.channel.isActive { self.file?.remove() }
        self.channel.close(promise: nil)
    }

    /// One connection on its way from the listening channel to its own. Used on its own loop.
    private final class Arrival {
        private let acceptor: Acceptor
        private var isOver = false

        init(_ acceptor: Acceptor) {
            self.acceptor = acceptor
        }

        func succeeded(over transport: ChannelTransport) -> Connection? {
            self.isOver = true
            return self.acceptor.makeConnection(place: 0, over: transport)
        }

        func failed() {
            if !self.isOver { self.acceptor.notTaken(place: 0) }
            self.isOver = true
        }
    }
}

extension ServerBootstrap {
    /// The options that differ from the operating system's defaults. Each is a system call for each connection.
    fileprivate func childChannelOptions(of options: SocketOptions, isUnix: Bool) -> ServerBootstrap {
        var bootstrap = self
        if options.noDelay, !isUnix { bootstrap = bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1) }
        if options.keepAlive { bootstrap = bootstrap.childChannelOption(.socketOption(.so_keepalive), value: 1) }
        return bootstrap
    }
}

/// Takes a connection from the operating system's queue whenever the acceptor admits one.
private final class ListeningHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let acceptor: Acceptor
    private var context: ChannelHandlerContext?
    /// Whether a connection was admitted and has not arrived.
    private var isAwaiting = false

    init(_ acceptor: Acceptor) {
        self.acceptor = acceptor
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.stopAwaiting()
    }

    func readMore() {
        guard let context, context.channel.isActive, !self.isAwaiting, self.acceptor.admit() != nil else { return }
        self.isAwaiting = true
        context.read()
    }

    private func stopAwaiting() {
        if self.isAwaiting { self.acceptor.notTaken(place: 0) }
        self.isAwaiting = false
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // From here on the connection's own channel reports its outcome.
        self.isAwaiting = false
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        self.stopAwaiting()
        self.readMore()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, self.isAwaiting else { return }
        self.isAwaiting = false
        // The channel waits for readability as long as a read is requested. Switching automatic reading on and off withdraws that request.
        try? context.channel.syncOptions?.setOption(.autoRead, value: true)
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        switch error.errnoCode {
        // A connection that was gone before it was accepted is not a fault of the listener (accept(2)).
        case ECONNABORTED, EPROTO: self.acceptor.notTaken(place: 0)
        default: self.acceptor.ranShort(place: 0, error)
        }
    }
}
