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

/// Connects to addresses with NIO's bootstrap, on one loop.
final class ChannelConnector: AddressConnector {
    private let loop: any EventLoop
    private let options: SocketOptions

    init(on loop: any EventLoop, options: SocketOptions) {
        self.loop = loop
        self.options = options
    }

    func connect(
        to address: SocketAddress, from local: SocketAddress?,
        completion: @escaping (Result<ConnectedTransport, IOError>) -> Void
    ) throws(IOError) -> any AddressAttempt {
        let attempt = ConnectingChannel(on: self.loop, options: self.options, completion)
        attempt.start(to: address, from: local)
        return attempt
    }
}

/// A channel that is being connected.
///
/// Sendable without a check because it is used on `loop` only: the bootstrap uses this one loop for everything.
private final class ConnectingChannel: AddressAttempt, @unchecked Sendable {
    private let loop: any EventLoop
    private let options: SocketOptions
    private var channel: (any Channel)?
    private var completion: ((Result<ConnectedTransport, IOError>) -> Void)?
    private var isClosed = false

    /// A year, in effect no limit: `connect` has one deadline for all its steps.
    private static let timeout = TimeAmount.hours(24 * 365)

    init(
        on loop: any EventLoop, options: SocketOptions, _ completion: @escaping (Result<ConnectedTransport, IOError>) -> Void
    ) {
        self.loop = loop
        self.options = options
        self.completion = completion
    }

    /// The time between attempts to find room in the full queue of a Unix domain socket, for which the system does not wait (unix(7)).
    private static let retryDelay = TimeAmount.milliseconds(5)

    func start(to address: SocketAddress, from local: SocketAddress?) {
        guard !self.isClosed else { return }
        let bootstrap = ClientBootstrap(group: self.loop)
            .connectTimeout(Self.timeout)
            .applyingStreamOptions(self.options, isUnix: address.isUnix)
            .channelInitializer { channel in
                if self.isClosed { return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
                self.channel = channel
                return channel.eventLoop.makeSucceededVoidFuture()
            }
        let bound = local.map { bootstrap.bind(to: $0) } ?? bootstrap
        bound.connect(to: address).whenComplete { result in
            // The future may already have its result, which the caller expects after this call has returned.
            self.loop.execute {
                if case .failure(let error as IOError) = result, error.errnoCode == EAGAIN, address.isUnix {
                    self.channel = nil
                    let retry = self.loop.scheduleTask(in: Self.retryDelay) { self.start(to: address, from: local) }
                    // The loop may be shut down before.
                    retry.futureResult.whenFailure { _ in self.finished(result) }
                } else {
                    self.finished(result)
                }
            }
        }
    }

    private func finished(_ result: Result<any Channel, any Error>) {
        let completion = self.completion
        self.completion = nil
        self.channel = nil
        switch result {
        case .success(let channel):
            guard !self.isClosed, let completion else { return channel.close(promise: nil) }
            let options = self.options
            completion(
                .success(
                    ConnectedTransport { connect in
                        try channel.pipeline.syncOperations.addHandler(
                            ChannelTransport(channel, options: options, connect: connect))
                    } close: {
                        channel.close(promise: nil)
                    }))
        case .failure(let error):
            // An error that is not the operating system's means that the loop or the channel has ended.
            completion?(.failure(error as? IOError ?? IOError(errnoCode: ECANCELED, reason: "\(error)")))
        }
    }

    func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.completion = nil
        self.channel?.close(promise: nil)
        self.channel = nil
    }
}

extension ClientBootstrap {
    fileprivate func applyingStreamOptions(_ options: SocketOptions, isUnix: Bool) -> ClientBootstrap {
        let bootstrap = self.channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_OOBINLINE)), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: options.keepAlive ? 1 : 0)
        return isUnix ? bootstrap : bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: options.noDelay ? 1 : 0)
    }
}
