public import Logging
public import NIOCore
import Synchronization
import TLSEngine

/// A listening socket: where clients connect to.
///
/// ```swift
/// let identity = try TLSIdentity(certificateChain: "server.pem", privateKey: "server.key")
/// let listener = try await SecureListener.bind(port: 8443, tls: TLSServerConfiguration(identity: identity))
/// try await listener.serve { socket in
///     for try await message in socket.incoming { try await socket.send(message) }
/// }
/// ```
///
/// When nobody refers to a listener any more, it is closed.
public final class SecureListener: Sendable {
    let acceptor: Acceptor
    private let group: any EventLoopGroup
    /// Unlike any other's in this program, also of a socket or of what another interface numbers.
    package let id = SecureSocket.nextID()
    private let closing = Atomic<Bool>(false)
    private let owner = Mutex(Owner())
    /// The handlers of `serve`, while it runs.
    private let handlers = Mutex<HandlerTasks?>(nil)
    private let shuttingDown = Atomic<Bool>(false)

    /// Where it listens; the port is the one that was picked if 0 was asked for.
    public let localEndpoint: SocketEndpoint

    private init(_ acceptor: Acceptor, _ group: any EventLoopGroup, _ localEndpoint: SocketEndpoint) {
        self.acceptor = acceptor
        self.group = group
        self.localEndpoint = localEndpoint
    }

    deinit {
        self.close()
        self.acceptor.closeUnclaimed()
    }

    /// Listens on a port.
    ///
    /// - Parameters:
    ///   - host: The local address to listen on, for example `127.0.0.1`. Default: nil, all addresses of this machine, IPv6 and IPv4.
    ///   - port: 0 to 65535; 0 picks a free one, see ``localEndpoint``.
    ///   - tls: The identity, and what is asked of clients.
    ///   - options: The options of the sockets it accepts.
    ///   - listening: The options of the listener itself.
    ///   - group: The event loops that connections are spread over. A group of SwiftNIO's must not be shut down before its sockets are
    ///     closed: nothing that is asked of them after that is answered.
    ///   - logger: Where failures of `serve` are logged, at most ten lines of a kind in ten seconds: handshakes and handlers at level
    ///     `info`, a lack of file descriptors or a blocked event loop at level `warning`, clients that leave without a word at level `debug`.
    /// - Throws: ``SecureSocketError``: `addressInUse`, `accessDenied`, `addressNotAvailable`, `tooManyOpenFiles`, `invalidArgument`.
    public static func bind(
        host: String? = nil,
        port: Int,
        tls: TLSServerConfiguration,
        options: SocketOptions = SocketOptions(),
        listening: ListenerOptions = ListenerOptions(),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared,
        logger: Logger = Logger(label: "SecureSockets")
    ) async throws(SecureSocketError) -> SecureListener {
        guard (0...65_535).contains(port) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .listening, "\(port) is not a port; 0 to 65535 are")
        }
        let options = try options.validated()
        let listening = try listening.validated()
        if let host {
            return try await self.bind(to: SocketEndpoint(host: host, port: port), tls, options, listening, group, logger)
        }
        do {
            return try await self.bind(to: SocketEndpoint(host: "::", port: port), tls, options, listening, group, logger)
        } catch  where error.code == .addressNotAvailable || error.isAddressFamilyUnsupported {
            // A machine without IPv6.
            return try await self.bind(to: SocketEndpoint(host: "0.0.0.0", port: port), tls, options, listening, group, logger)
        }
    }

    private static func bind(
        to endpoint: SocketEndpoint, _ tls: TLSServerConfiguration, _ options: SocketOptions, _ listening: ListenerOptions,
        _ group: any EventLoopGroup, _ logger: Logger
    ) async throws(SecureSocketError) -> SecureListener {
        let address = try endpoint.socketAddress()
        let group = try group.started(for: .listening)
        let acceptor = Acceptor.make(on: group, tls, options, listening, logger)
        do {
            let bound = try await acceptor.bind(to: address, options, listening, spreadingOver: group)
            return SecureListener(acceptor, group, SocketEndpoint(bound) ?? endpoint)
        } catch {
            throw .transport(error, step: .listening, "cannot listen on \(endpoint)")
        }
    }

    // MARK: Accepting

    /// Accepts one connection: waits for a client and completes the handshake with it.
    ///
    /// Any number of tasks may call this at a time; clients go to them in the order of the calls, and one that stays silent holds up
    /// one call only. A failed handshake ends one call; the listener is unharmed.
    ///
    /// - Parameter timeout: For client and handshake together; nil: for ever. ``ListenerOptions/handshakeTimeout`` bounds the handshake in
    ///   any case. A connection in its handshake is then dropped; one that still waits in the queue is left for the next call, as is every
    ///   one if the timeout is zero.
    /// - Throws: ``SecureSocketError``: `timedOut`, `closed`, `cancelled`, and the reasons of a failed handshake.
    public func accept(timeout: Duration? = nil) async throws(SecureSocketError) -> SecureSocket {
        try await self.accept(timeout: timeout, isForCaller: true)
    }

    /// - Parameter isForCaller: Whether the caller will use the socket itself, which is then on the caller's event loop, if that is one of
    ///   the listener's; otherwise the sockets are spread over the loops.
    package func accept(
        timeout: Duration?, isForCaller: Bool
    ) async throws(SecureSocketError) -> SecureSocket {
        let loop = isForCaller ? self.group.makeIterator().first { $0.inEventLoop } : nil
        return try await self.acceptor.accept(timeout: timeout, on: loop)
    }

    /// The connections that clients make, each with its handshake complete.
    ///
    /// ```swift
    /// try await withThrowingDiscardingTaskGroup { group in
    ///     for try await socket in listener.connections {
    ///         group.addTask { try await handle(socket) }
    ///     }
    /// }
    /// ```
    ///
    /// Handshakes run side by side; one that fails is logged and does not affect the others. At most 64 established connections wait to be
    /// taken; when the program takes none, further clients wait in the operating system's queue. The sequence ends when the listener is
    /// closed and the connections that were under way have been returned. Several tasks may iterate; each connection goes to one of them.
    ///
    /// ``serve(maximumConnections:handshakeFailed:_:)`` limits the number of connections, runs each handler on its connection's event loop and
    /// shuts down gracefully; prefer it where it fits.
    public var connections: IncomingConnections { IncomingConnections(listener: self) }

    /// Accepts connections and runs `handler` for each, as a task on the connection's own event loop: a reply leaves without a change
    /// of thread. The tasks inherit priority and task-local values, as children do. The handler must not block its thread.
    ///
    /// When the handler returns, its socket is closed, and the peer is told that the stream is complete. When it throws, what it has sent
    /// is still delivered, but the stream ends without `close_notify`: the peer sees that it was cut off, and not that all was said.
    ///
    /// Handshakes run side by side; one that fails does not affect the others. Returns when the listener is closed and all handlers have
    /// returned, which is the graceful way to stop: clients that were connected before are still served, those in their handshake as well.
    /// (Not those beyond `maximumConnections` or ``ListenerOptions/maximumHandshakes``, which wait in the operating system's queue, nor, on loops
    /// of NIO's, any that do: closing the port resets them.)
    /// **Cancelling** the task cancels the handlers and drops handshakes. In both cases the listener is closed, and what the handlers sent
    /// has been delivered or given up, when this returns.
    ///
    /// A handler's own task can be cancelled in one more way, through an `UnsafeCurrentTask` that it gives away. That does not end a `receive`, or
    /// a mailbox's `next` without a timeout, that has begun on the handler's own loop; every later wait ends at once.
    ///
    /// - Parameters:
    ///   - maximumConnections: How many handlers run at a time. Clients beyond it wait in the operating system's queue; those that were in
    ///     their handshake when the limit was reached complete it and wait for a handler to end.
    ///   - handshakeFailed: Called for clients that did not complete their handshake, with their address, on an event loop. Without it they
    ///     are logged.
    ///   - handler: Errors it throws are logged.
    /// - Throws: ``SecureSocketError``: `closed` if the listener was closed before, `wrongMode` if it is being served already.
    public func serve(
        maximumConnections: Int = .max,
        handshakeFailed: (@Sendable (SecureSocketError, SocketEndpoint?) -> Void)? = nil,
        // Not the caller's isolation, which a handler never has: to return to it after each call would cost 500 instructions a message.
        _ handler: @escaping @concurrent @Sendable (SecureSocket) async throws -> Void
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
                    // On the connection's own loop, a new connection reaches its handler without a change of thread.
                    group.addTask(executorPreference: place.lane.executor) {
                        while let served = await place.lane.next() {
                            handlers.add(served.socket, handler) { error in acceptor.handlerEnded(served, error) }
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

    // MARK: Graceful shutdown

    /// Stops gracefully: closes the listener, lets handshakes that are under way complete and handlers return, and cancels the handlers that
    /// have not returned by the deadline.
    ///
    /// Handlers are told in two ways: ``isShuttingDown`` is true, and sequences made with ``Incoming/untilShutdown`` end when no further
    /// element has arrived. Returns when all connections of `serve` have gone: what handlers sent has been delivered or given up. `serve`
    /// then returns as well.
    ///
    /// Calling it again shares the wait; the earliest deadline counts. **Cancelling** the task cancels the handlers at once.
    ///
    /// - Parameter deadline: How long handlers may take, from this call on. Default: 20 seconds. Zero: they are cancelled at once.
    public func shutDown(deadline: Duration = .seconds(20)) async {
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

    /// Whether a graceful shutdown has begun (``shutDown(deadline:)``). A handler that works in steps asks between them.
    public var isShuttingDown: Bool { self.shuttingDown.load(ordering: .sequentiallyConsistent) }

    // MARK: Closing

    /// Stops listening. Returns at once; calls of ``accept(timeout:)`` that wait end with `closed`, sockets that were accepted live on.
    /// Closing again does nothing.
    public func close() {
        guard !self.closing.exchange(true, ordering: .acquiringAndReleasing) else { return }
        self.acceptor.close()
        let owner = self.owner.withLock { owner in
            defer { owner.storage = nil }
            return owner.storage
        }
        owner?.release(self)
    }

    /// Whether the listener was closed on this side.
    public var isClosed: Bool { self.closing.load(ordering: .acquiring) }

    // MARK: Owning

    private struct Owner {
        var storage: MailboxStorage?
    }

    /// Makes a mailbox the listener's owner: it keeps the listener alive, and the listener is closed when the mailbox is. A mailbox that
    /// has been closed closes the listener.
    ///
    /// - Parameters:
    ///   - mailbox: The new owner.
    ///   - former: Who must be the owner at present for this to be done; nil: whoever is.
    /// - Throws: ``SecureSocketError``: `notOwner`, `closed`.
    public func setOwner(_ mailbox: Mailbox, from former: Mailbox? = nil) throws(SecureSocketError) {
        let storage = mailbox.storage
        let isAdopted = try self.owner.withLock { owner throws(SecureSocketError) in
            if self.isClosed { throw .closed(.listening) }
            if let former, former.storage !== owner.storage { throw .notOwner }
            guard owner.storage !== storage else { return true }
            _ = owner.storage?.giveUp(self)
            owner.storage = storage
            return storage.adopt(self)
        }
        if !isAdopted { self.close() }
    }

    /// Waits until the port is free.
    public func waitUntilClosed() async {
        await self.acceptor.waitUntilPortIsFree()
    }
}

extension Acceptor {
    fileprivate static func make(
        on group: any EventLoopGroup, _ tls: TLSServerConfiguration, _ options: SocketOptions, _ listening: ListenerOptions,
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

    /// Listens at an address; the local address is the answer.
    fileprivate func bind(
        to address: SocketAddress, _ options: SocketOptions, _ listening: ListenerOptions, spreadingOver group: any EventLoopGroup
    ) async throws -> SocketAddress? {
        #if os(Linux)
            let loops = self.places.compactMap { $0.loop as? EpollEventLoop }
            if loops.count == self.places.count {
                let port = try EpollPort(at: address, on: loops, for: self, options: options, listening: listening)
                self.listen(at: port)
                do {
                    try await port.start()
                } catch {
                    port.close(takingQueue: false)
                    throw error
                }
                return port.localAddress
            }
        #endif
        return try await ChannelPort.bind(
            to: address, on: group.next(), for: self, options: options, listening: listening, spreadingOver: group)
    }
}

extension SecureListener: Hashable {
    /// Two handles are equal if they are the same listener's.
    public static func == (left: SecureListener, right: SecureListener) -> Bool { left === right }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(self))
    }
}
