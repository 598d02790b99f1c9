public import Logging
public import NIOCore
import Synchronization
import TLSEngine

/// A listening socket, to which TLS clients connect.
///
/// ```swift
/// let identity = try TLSIdentity(certificateChain: "server.pem", privateKey: "server.key")
/// let listener = try await SecureListener.bind(port: 8443, tls: TLSServerConfiguration(identity: identity))
/// try await listener.serve { socket in
///     for try await message in socket.incoming { try await socket.send(message) }
/// }
/// ```
///
/// A listener is closed when it is deallocated.
public final class SecureListener: Sendable {
    let core: ListenerCore
    var acceptor: Acceptor { self.core.acceptor }
    /// A number that is unique in this process among sockets, listeners and whatever else an interface above this one numbers.
    package let id = StreamSocket.nextID()
    private let owner = Mutex(Owner())

    /// The local address and port. If port 0 was requested, the port is the one that the operating system chose.
    public var localEndpoint: SocketEndpoint { self.core.localEndpoint }

    init(_ core: ListenerCore) { self.core = core }

    deinit {
        self.close()
        self.acceptor.closeUnclaimed()
    }

    /// Creates a listener on a port.
    ///
    /// - Parameters:
    ///   - host: The local address to listen on, for example `127.0.0.1`. Default: nil; all addresses of this machine, IPv6 and IPv4.
    ///   - port: The port, 0 to 65535. With 0, the operating system chooses a free one; see ``localEndpoint``.
    ///   - tls: The server's identity and TLS settings.
    ///   - socketOptions: The options of the accepted sockets.
    ///   - options: The options of the listener itself.
    ///   - group: The event loops over which connections are distributed. Shut down a group of SwiftNIO's only after its sockets are
    ///     closed: calls made afterwards never return.
    ///   - logger: The logger for failures of `serve`, with at most ten lines of a kind in ten seconds. Failed handshakes and handlers are
    ///     logged at level `info`, a lack of file descriptors and a blocked event loop at `warning`, and clients that disconnect without
    ///     sending anything at `debug`.
    /// - Throws: ``SecureSocketError``: `addressInUse`, `accessDenied`, `addressNotAvailable`, `tooManyOpenFiles`, `invalidArgument`.
    public static func bind(
        host: String? = nil,
        port: Int,
        tls: TLSServerConfiguration,
        socketOptions: SocketOptions = SocketOptions(),
        options: ListenerOptions = ListenerOptions(),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared,
        logger: Logger = Logger(label: "SecureSockets")
    ) async throws(SecureSocketError) -> SecureListener {
        SecureListener(
            try await ListenerCore.bind(
                host: host, port: port, tls: tls, socketOptions: socketOptions, options: options, on: group, logger: logger))
    }

    // MARK: The TLS policy

    /// Replaces the TLS settings while the listener runs, for example after a certificate was renewed.
    ///
    /// A handshake uses the settings that are present when its ClientHello has arrived, to its end. Connections and handshakes under way
    /// are not affected. Sessions remain valid unless the new settings would refuse the client: the session tickets' keys remain, and a
    /// client whose certificate was verified by other rules is verified again.
    ///
    /// - Parameter tls: The new settings. They were loaded and checked when they were created; here it is also checked that the default
    ///   identity's certificate is valid today, unless it is in use already. Other certificates that clients will refuse are logged as warnings, because one of them
    ///   should not prevent the renewal of the others.
    /// - Throws: ``SecureSocketError`` with the code `certificateUnusable` if the certificate has expired or is not valid yet. The former
    ///   settings remain then.
    public func update(tls: TLSServerConfiguration) async throws(SecureSocketError) {
        if let present = self.acceptor.policy?.current { try tls.checkDates(replacing: present) }
        tls.logUnusableIdentities(self.acceptor.logger)
        self.acceptor.replacePolicy(with: tls.context)
    }

    /// The numbers of connections and handshakes since the listener was created, and the state of its TLS policy.
    public var statistics: ListenerStatistics { self.acceptor.statistics }

    // MARK: Accepting

    /// Accepts one connection: waits for a client and completes the handshake with it.
    ///
    /// Any number of tasks may call this function at the same time. Clients are assigned to the calls in order, and a silent client delays
    /// one call only. A failed handshake fails one call and does not affect the listener: a loop that accepts has to continue after the
    /// errors of single clients, port scans among them. ``connections`` and ``serve(maximumConnections:handshakeFailed:_:)`` do that.
    ///
    /// When the timeout expires, a connection in its handshake is dropped, and one that still waits in the queue is left for the next call.
    /// With a timeout of zero, the call accepts no connection and fails with `timedOut`.
    ///
    /// - Parameter timeout: The maximum time for waiting and handshake together; nil means no limit. ``ListenerOptions/handshakeTimeout``
    ///   limits the handshake in any case.
    /// - Throws: ``SecureSocketError``: `timedOut`, `closed`, `cancelled`, or the reason for the failed handshake.
    public func accept(timeout: Duration? = nil) async throws(SecureSocketError) -> SecureSocket {
        try await self.accept(timeout: timeout, isForCaller: true)
    }

    /// - Parameter isForCaller: Whether the caller will use the socket itself. The socket is then on the caller's event loop, if that
    ///   belongs to the listener. Otherwise sockets are distributed over the loops.
    package func accept(
        timeout: Duration?, isForCaller: Bool
    ) async throws(SecureSocketError) -> SecureSocket {
        try await self.core.accept(timeout: timeout, isForCaller: isForCaller).secure()
    }

    /// A sequence of the accepted connections, each with its handshake complete.
    ///
    /// ```swift
    /// await withDiscardingTaskGroup { group in
    ///     do {
    ///         for try await socket in listener.connections {
    ///             group.addTask {
    ///                 do {
    ///                     for try await bytes in socket.incoming { try await socket.send(bytes) }
    ///                     socket.close()
    ///                 } catch {
    ///                     socket.abort()          // One client's failure must not end the others.
    ///                 }
    ///             }
    ///         }
    ///     } catch {
    ///         print(error)
    ///     }
    /// }
    /// ```
    ///
    /// Handshakes run concurrently. One that fails is logged and does not affect the others. At most 64 established connections are
    /// buffered for the program; further clients wait in the operating system's queue. The sequence ends when the listener is closed and
    /// the connections that were in progress have been returned. Several tasks may iterate over it; each connection is returned to one of
    /// them.
    ///
    /// Prefer ``serve(maximumConnections:handshakeFailed:_:)`` where possible: it limits the number of connections, runs each handler on
    /// its connection's event loop, and supports graceful shutdown.
    public var connections: Connections { Connections(listener: self) }

    /// Accepts connections and runs `handler` for each, as a task on the connection's event loop.
    ///
    /// A reply is sent without a change of thread. The handler must not block its thread. The tasks inherit priority and task-local values
    /// as child tasks do.
    ///
    /// When the handler returns, its socket is closed with `close_notify`, which tells the peer that the stream is complete. When it
    /// throws, the bytes it has sent are still delivered, but without `close_notify`: the peer detects that the stream is incomplete.
    ///
    /// Handshakes run concurrently. One that fails does not affect the others.
    ///
    /// The function returns when the listener is closed and all handlers have returned. Clients that connected before the listener was
    /// closed are still served, including those in their handshake. Clients that wait in the operating system's queue are served too,
    /// except those beyond `maximumConnections` or ``ListenerOptions/maximumHandshakes``; on NIO's event loops, closing the listener resets
    /// all of them. **Cancelling** the task cancels the handlers and drops handshakes. In both cases, when the function returns, the
    /// listener is closed, and the bytes that the handlers sent have been delivered or discarded.
    ///
    /// A handler can also pass its `UnsafeCurrentTask` to other code, which can cancel it. Such a cancellation does not end a `receive`, or
    /// a mailbox's `next` without a timeout, that already waits on the handler's own loop. Every later wait ends at once.
    ///
    /// - Parameters:
    ///   - maximumConnections: The maximum number of handlers that run at a time. Clients beyond it wait in the operating system's queue.
    ///     Clients in their handshake when the limit is reached complete it and wait for a handler to end.
    ///   - handshakeFailed: A function that is called on an event loop for each failed handshake, with the error and the client's address.
    ///     Without it, failed handshakes are logged.
    ///   - handler: The function that handles a connection. Errors that it throws are logged.
    /// - Throws: ``SecureSocketError``: `closed` if the listener is already closed, unless by ``shutDown(deadline:)``; `wrongMode` if `serve` or the iteration of
    ///   ``connections`` has already begun.
    public func serve(
        maximumConnections: Int = .max,
        handshakeFailed: (@Sendable (SecureSocketError, SocketEndpoint?) -> Void)? = nil,
        // Not the caller's isolation, which a handler never has: to return to it after each call would cost 500 instructions a message.
        _ handler: @escaping @concurrent @Sendable (SecureSocket) async throws -> Void
    ) async throws(SecureSocketError) {
        try await self.core.serve(maximumConnections: maximumConnections, handshakeFailed: handshakeFailed, handler)
    }

    // MARK: Graceful shutdown

    /// Shuts down gracefully: closes the listener, lets handshakes in progress complete and handlers return, and cancels the handlers that
    /// have not returned by the deadline.
    ///
    /// A handler can detect the shutdown in two ways: ``isShuttingDown`` is true, and sequences obtained from ``StreamSocket/Incoming/untilShutdown`` or
    /// ``StreamSocket/Lines/untilShutdown`` end when no further element has arrived. The function returns when all connections of `serve` have
    /// ended: the bytes that handlers sent have been delivered or discarded. `serve` then returns too.
    ///
    /// Further calls wait for the same shutdown; the earliest deadline applies. **Cancelling** the task cancels the handlers at once.
    ///
    /// A handler that ignores its cancellation delays this call until it returns.
    ///
    /// - Parameter deadline: The time that handlers may take, counted from this call. Zero cancels them at once. Default: 20 seconds.
    public func shutDown(deadline: Duration = .seconds(20)) async {
        await self.core.shutDown(deadline: deadline)
    }

    /// Whether a graceful shutdown has begun (``shutDown(deadline:)``). A handler with several steps can check it between them.
    public var isShuttingDown: Bool { self.core.isShuttingDown }

    // MARK: Closing

    /// Stops listening. Returns at once. Waiting calls of ``accept(timeout:)`` fail with `closed`. Accepted sockets stay open. Closing a
    /// listener again has no effect.
    public func close() {
        self.core.close()
        let owner = self.owner.withLock { owner in
            defer { owner.storage = nil }
            return owner.storage
        }
        owner?.release(self)
    }

    /// Whether the listener was closed on this side.
    public var isClosed: Bool { self.core.isClosed }

    // MARK: Owning

    private struct Owner {
        var storage: MailboxStorage?
    }

    /// Makes a mailbox the listener's owner.
    ///
    /// The mailbox keeps the listener alive, and closes it when the mailbox itself is closed. A closed mailbox closes the listener.
    ///
    /// - Parameters:
    ///   - mailbox: The new owner.
    ///   - former: The required present owner; nil if any owner may be replaced.
    /// - Throws: ``SecureSocketError``: `closed`.
    package func setOwner(_ mailbox: Mailbox, from former: Mailbox? = nil) throws(SecureSocketError) {
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

    /// Waits until the listener is closed and its port is free. Cancelling does not end this wait: call ``close()``.
    public func waitUntilClosed() async {
        await self.acceptor.waitUntilPortIsFree()
    }
}

extension SecureListener: Hashable {
    /// Returns whether two references are to the same listener.
    public static func == (left: SecureListener, right: SecureListener) -> Bool { left === right }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(self))
    }
}
