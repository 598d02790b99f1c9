import Logging
import NIOCore
import Synchronization
import TLSEngine

/// The common part of `SecureListener` and `PlainListener`: binding, serving and shutting down.
final class ListenerCore: Sendable {
    let acceptor: Acceptor
    private let group: any EventLoopGroup
    private let closing = Atomic<Bool>(false)
    /// The handlers of `serve`, while it runs.
    private let handlers = Mutex<HandlerTasks?>(nil)
    private let shuttingDown = Atomic<Bool>(false)
    let localEndpoint: SocketEndpoint

    private init(_ acceptor: Acceptor, _ group: any EventLoopGroup, _ localEndpoint: SocketEndpoint) {
        self.acceptor = acceptor
        self.group = group
        self.localEndpoint = localEndpoint
    }

    // MARK: Binding

    /// - Parameters:
    ///   - host: The local address; nil for all addresses of this machine.
    ///   - tls: The settings of a secure listener; nil for a plain one.
    static func bind(
        host: String?, port: Int, tls: TLSServerConfiguration?, socketOptions: SocketOptions, options: ListenerOptions,
        on group: any EventLoopGroup, logger: Logger
    ) async throws(SecureSocketError) -> ListenerCore {
        guard (0...65_535).contains(port) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .listening, "\(port) is not a port; 0 to 65535 are")
        }
        if let host {
            return try await self.bind(to: SocketEndpoint(host: host, port: port), tls, socketOptions, options, group, logger)
        }
        do {
            return try await self.bind(to: SocketEndpoint(host: "::", port: port), tls, socketOptions, options, group, logger)
        } catch  where error.code == .addressNotAvailable || error.isAddressFamilyUnsupported {
            // A machine without IPv6.
            return try await self.bind(
                to: SocketEndpoint(host: "0.0.0.0", port: port), tls, socketOptions, options, group, logger)
        }
    }

    static func bind(
        to endpoint: SocketEndpoint, _ tls: TLSServerConfiguration?, _ socketOptions: SocketOptions, _ options: ListenerOptions,
        _ group: any EventLoopGroup, _ logger: Logger
    ) async throws(SecureSocketError) -> ListenerCore {
        let listening = try options.validated()
        let options = try socketOptions.validated()
        let address: SocketAddress
        if let path = endpoint.unixPath {
            address = try SecureSocketError.unixAddress(path, step: .listening)
            try OptionError.check(!listening.reusePort, "reusePort is set, which Unix domain sockets do not have")
        } else {
            address = try endpoint.socketAddress()
        }
        let group = try group.started(for: .listening)
        let acceptor = Acceptor.make(on: group, tls, options, listening, logger)
        do {
            let bound = try await acceptor.bind(to: address, options, listening, spreadingOver: group)
            return ListenerCore(acceptor, group, SocketEndpoint(bound) ?? endpoint)
        } catch {
            let error = SecureSocketError.transport(error, step: .listening, "cannot listen on \(endpoint)")
            throw address.isUnix ? error.aboutUnixSocket() : error
        }
    }

    // MARK: Accepting

    /// - Parameter isForCaller: Whether the caller will use the socket itself. The socket is then on the caller's event loop, if that
    ///   belongs to the listener. Otherwise sockets are distributed over the loops.
    func accept(timeout: Duration?, isForCaller: Bool) async throws(SecureSocketError) -> StreamSocket {
        let loop = isForCaller ? self.group.makeIterator().first { $0.inEventLoop } : nil
        return try await self.acceptor.accept(timeout: timeout, on: loop)
    }

    /// Runs `handler` for each connection, as a task on its event loop.
    func serve<Socket: StreamSocket>(
        maximumConnections: Int, handshakeFailed: (@Sendable (SecureSocketError, SocketEndpoint?) -> Void)?,
        _ handler: @escaping @concurrent @Sendable (Socket) async throws -> Void
    ) async throws(SecureSocketError) {
        guard maximumConnections > 0 else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .accepting,
                "maximumConnections is \(maximumConnections); it must be positive")
        }
        let acceptor = self.acceptor
        if let refusal = acceptor.beginServing(maximumConnections: maximumConnections, failed: handshakeFailed) {
            // A shutdown that comes before this is no failure: there is nothing to serve any more.
            if refusal.code == .closed, self.isShuttingDown { return }
            throw refusal
        }
        let handlers = HandlerTasks()
        self.handlers.withLock { $0 = handlers }
        if self.isShuttingDown { handlers.beginShutdown() }
        await withTaskCancellationHandler {
            await withTaskGroup { group in
                for place in acceptor.places {
                    // On the connection's loop, so that a new connection reaches its handler without a change of thread.
                    group.addTask(executorPreference: place.lane.executor) {
                        while let served = await place.lane.next() {
                            // The listener's kind determines the socket's.
                            guard let socket = served.socket as? Socket else { continue }
                            handlers.add(socket, handler) { error in acceptor.handlerEnded(served, error) }
                        }
                    }
                }
            }
            self.close()
            await handlers.waitForAll()
        } onCancel: {
            self.cancelServing()
        }
        await acceptor.waitUntilAllAreGone()
        self.handlers.withLock { $0 = nil }
    }

    private func cancelServing() {
        self.handlers.withLock { $0 }?.cancelAll()
        self.close()
        self.acceptor.abandonServing()
    }

    // MARK: The end

    func shutDown(deadline: Duration) async {
        self.shuttingDown.store(true, ordering: .sequentiallyConsistent)
        self.close()
        self.handlers.withLock { $0 }?.beginShutdown()
        // `serve` may be about to begin: its handlers are looked up when they are to be cancelled.
        let timers = self.acceptor.schedule(after: TimeAmount(deadline)) { self.cancelServing() }
        await withTaskCancellationHandler {
            await self.acceptor.waitUntilAllAreGone()
        } onCancel: {
            self.cancelServing()
        }
        for timer in timers { timer.cancel() }
    }

    var isShuttingDown: Bool { self.shuttingDown.load(ordering: .sequentiallyConsistent) }

    var isClosed: Bool { self.closing.load(ordering: .acquiring) }

    func close() {
        guard !self.closing.exchange(true, ordering: .acquiringAndReleasing) else { return }
        self.acceptor.close()
    }
}

extension Acceptor {
    fileprivate static func make(
        on group: any EventLoopGroup, _ tls: TLSServerConfiguration?, _ options: SocketOptions, _ listening: ListenerOptions,
        _ logger: Logger
    ) -> Acceptor {
        let loops = Array(group.makeIterator())
        #if os(Linux)
            let canChooseLoop = loops.allSatisfy { $0 is EpollEventLoop }
        #else
            let canChooseLoop = false
        #endif
        return Acceptor(
            loops: loops, canChooseLoop: canChooseLoop, tls: tls, options: options, listening: listening, logger: logger)
    }

    /// Listens at an address and returns the local address.
    fileprivate func bind(
        to address: SocketAddress, _ options: SocketOptions, _ listening: ListenerOptions, spreadingOver group: any EventLoopGroup
    ) async throws -> SocketAddress? {
        #if os(Linux)
            let loops = self.places.compactMap { $0.loop as? EpollEventLoop }
            if loops.count == self.places.count {
                let listeningSocket = try EpollListeningSocket(
                    at: address, on: loops, for: self, options: options, listening: listening)
                self.listen(on: listeningSocket)
                do {
                    try await listeningSocket.start()
                } catch {
                    listeningSocket.close(takingQueue: false)
                    throw error
                }
                return listeningSocket.localAddress
            }
        #endif
        return try await ChannelListeningSocket.bind(
            to: address, on: group.next(), for: self, options: options, listening: listening, spreadingOver: group)
    }
}
