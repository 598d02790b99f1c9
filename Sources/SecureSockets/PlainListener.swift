public import Logging
public import NIOCore

/// A listening socket for plain TCP connections, which can be upgraded to TLS.
///
/// ```swift
/// let tls = try TLSServerConfiguration(identity: identity)
/// let listener = try await PlainListener.bind(port: 2525)
/// try await listener.serve { plain in
///     try await plain.send("220 ready\r\n")
///     guard try await plain.receiveLine() == ByteBuffer(string: "STARTTLS") else { return }
///     try await plain.send("220 go ahead\r\n")
///     let socket = try await plain.upgrade(tls: tls)
///     try await socket.send("250 secure\r\n")
/// }
/// ```
///
/// A connection can be judged before its handshake, by its address (``StreamSocket/remoteEndpoint``) or by what it sends. A listener is
/// closed when it is deallocated.
public final class PlainListener: Sendable {
    private let core: ListenerCore

    /// The local address and port. If port 0 was requested, the port is the one that the operating system chose.
    public var localEndpoint: SocketEndpoint { self.core.localEndpoint }

    init(_ core: ListenerCore) { self.core = core }

    deinit {
        self.close()
        self.core.acceptor.closeUnclaimed()
    }

    /// Creates a listener on a port. The parameters are those of ``SecureListener/bind(host:port:tls:socketOptions:options:on:logger:)``;
    /// options that concern handshakes have no effect.
    ///
    /// - Throws: ``SecureSocketError``: `addressInUse`, `accessDenied`, `addressNotAvailable`, `tooManyOpenFiles`, `invalidArgument`.
    public static func bind(
        host: String? = nil,
        port: Int,
        socketOptions: SocketOptions = SocketOptions(),
        options: ListenerOptions = ListenerOptions(),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared,
        logger: Logger = Logger(label: "SecureSockets")
    ) async throws(SecureSocketError) -> PlainListener {
        PlainListener(
            try await ListenerCore.bind(
                host: host, port: port, tls: nil, socketOptions: socketOptions, options: options, on: group, logger: logger))
    }

    /// The numbers of connections since the listener was created. Accepting a plain connection counts as a handshake.
    public var statistics: ListenerStatistics { self.core.acceptor.statistics }

    /// Accepts one connection. Any number of tasks may call this function at the same time.
    ///
    /// - Parameter timeout: The maximum time to wait; nil means no limit.
    /// - Throws: ``SecureSocketError``: `timedOut`, `closed`, `cancelled`.
    public func accept(timeout: Duration? = nil) async throws(SecureSocketError) -> PlainSocket {
        try await self.core.accept(timeout: timeout, isForCaller: true).plain()
    }

    /// An asynchronous sequence of the accepted connections, as ``SecureListener/connections``.
    public var connections: Connections { Connections(listener: self) }

    /// An asynchronous sequence of the connections that a listener accepts. See ``PlainListener/connections``.
    public struct Connections: AsyncSequence, Sendable {
        public typealias Element = PlainSocket
        public typealias Failure = SecureSocketError

        let listener: PlainListener

        public func makeAsyncIterator() -> Iterator { Iterator(listener: self.listener) }

        /// The iterator of the sequence.
        public struct Iterator: AsyncIteratorProtocol {
            let listener: PlainListener

            /// Returns the next connection, or nil when the listener is closed and all connections have been returned.
            ///
            /// - Throws: ``SecureSocketError``: `cancelled`; `wrongMode` while `serve` runs.
            public mutating func next() async throws(SecureSocketError) -> PlainSocket? {
                try await self.listener.core.acceptor.nextConnection()?.plain()
            }

            public mutating func next(isolation actor: isolated (any Actor)?) async throws(SecureSocketError) -> PlainSocket? {
                try await self.listener.core.acceptor.nextConnection()?.plain()
            }
        }
    }

    /// Accepts connections and runs `handler` for each, as a task on the connection's event loop. See
    /// ``SecureListener/serve(maximumConnections:handshakeFailed:_:)``.
    ///
    /// When the handler returns, its socket is closed, and the secure one that it was upgraded to.
    ///
    /// - Parameters:
    ///   - maximumConnections: The maximum number of handlers that run at a time.
    ///   - handler: The function that handles a connection. Errors that it throws are logged.
    /// - Throws: ``SecureSocketError``: `closed` if the listener is already closed, unless by ``shutDown(deadline:)``; `wrongMode` if `serve`
    ///   has already begun.
    public func serve(
        maximumConnections: Int = .max, _ handler: @escaping @concurrent @Sendable (PlainSocket) async throws -> Void
    ) async throws(SecureSocketError) {
        try await self.core.serve(maximumConnections: maximumConnections, handshakeFailed: nil, handler)
    }

    /// Shuts down gracefully, as ``SecureListener/shutDown(deadline:)`` does.
    ///
    /// - Parameter deadline: The time that handlers may take, counted from this call. Default: 20 seconds.
    public func shutDown(deadline: Duration = .seconds(20)) async { await self.core.shutDown(deadline: deadline) }

    /// Whether a graceful shutdown has begun.
    public var isShuttingDown: Bool { self.core.isShuttingDown }

    /// Stops listening. Returns at once. Accepted sockets stay open. Closing a listener again has no effect.
    public func close() { self.core.close() }

    /// Whether the listener was closed on this side.
    public var isClosed: Bool { self.core.isClosed }

    /// Waits until the listener is closed and its port is free. Cancelling does not end this wait: call ``close()``.
    public func waitUntilClosed() async { await self.core.acceptor.waitUntilPortIsFree() }
}
