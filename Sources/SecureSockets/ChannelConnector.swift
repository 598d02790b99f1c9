import NIOCore
import NIOPosix

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Connects with NIO's bootstrap.
///
/// Sendable without a check because it is touched on `loop` only: the bootstrap uses this one loop for everything.
final class ChannelConnector: Connector, @unchecked Sendable {
    private let loop: any EventLoop
    private let options: SocketOptions
    private let timeout: TimeAmount
    /// The attempts that are under way: two kinds of addresses are tried side by side.
    private var channels: [any Channel] = []
    private var isOver = false

    init(on loop: any EventLoop, options: SocketOptions, timeout: Duration?) {
        self.loop = loop
        self.options = options
        self.timeout = timeout.map { TimeAmount($0) } ?? .hours(24)
    }

    func start(_ target: ConnectTarget, completion: @escaping (Result<ConnectedTransport, any Error>) -> Void) {
        let bootstrap = ClientBootstrap(group: self.loop)
            .connectTimeout(self.timeout)
            .resolver(HostResolver(loop: self.loop, family: self.options.addressFamily))
            .applyingStreamOptions(self.options)
            .channelInitializer { channel in
                // Somebody who has given up wants no further attempts.
                guard !self.isOver else { return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
                self.channels.append(channel)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
        let bound = target.local.map { bootstrap.bind(to: $0) } ?? bootstrap
        let connected: EventLoopFuture<any Channel> =
            switch target.host {
            case .address(let address): bound.connect(to: address)
            case .name(let name): bound.connect(host: name, port: target.port)
            }
        connected.assumeIsolated().whenComplete { result in
            self.channels.removeAll()
            switch result {
            case .success(let channel):
                if self.isOver { return channel.close(promise: nil) }
                self.isOver = true
                completion(
                    .success(
                        ConnectedTransport { connect in
                            try channel.pipeline.syncOperations.addHandler(
                                ChannelTransport(channel, options: self.options, connect: connect))
                        } close: {
                            channel.close(promise: nil)
                        }))
            case .failure(let error):
                if self.isOver { return }
                self.isOver = true
                completion(.failure(Self.failure(error)))
            }
        }
    }

    func giveUp() {
        self.isOver = true
        for channel in self.channels { channel.close(promise: nil) }
        self.channels.removeAll()
    }

    private static func failure(_ error: any Error) -> any Error {
        switch error {
        case let error as NIOConnectionError:
            ConnectFailure(
                lookups: [error.dnsAError, error.dnsAAAAError].compactMap { $0 as? HostResolver.Failure },
                attempts: error.connectionErrors.compactMap { ($0.error as? IOError)?.errnoCode },
                isTimeout: error.connectionErrors.contains {
                    if case ChannelError.connectTimeout = $0.error { true } else { false }
                })
        case let error as IOError: ConnectFailure(attempts: [error.errnoCode])
        case ChannelError.connectTimeout: ConnectFailure(isTimeout: true)
        default: error
        }
    }
}

extension ClientBootstrap {
    fileprivate func applyingStreamOptions(_ options: SocketOptions) -> ClientBootstrap {
        self.channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: options.noDelay ? 1 : 0)
            .channelOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_OOBINLINE)), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: options.keepAlive ? 1 : 0)
    }
}
