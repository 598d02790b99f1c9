public import Logging
public import NIOCore

// Connections over Unix domain sockets, to programs of the same machine.

extension ConnectAttempt {
    fileprivate static func connect(
        toUnixSocket path: String, host: String, tls: TLSClientConfiguration?, socketOptions: SocketOptions, timeout: Duration?,
        on group: any EventLoopGroup
    ) async throws(SecureSocketError) -> StreamSocket {
        let address = try SecureSocketError.unixAddress(path, step: .connecting)
        return try await self.connect(
            to: ConnectTarget(host: .address(address), port: 0, local: nil), host: host, tls: tls, socketOptions: socketOptions,
            options: ConnectOptions(), timeout: timeout, on: group)
    }
}

extension SecureSocket {
    /// Connects to a server that listens on a Unix domain socket: connects, completes the handshake and verifies the server.
    ///
    /// - Parameters:
    ///   - path: The path of the socket's file, at most 103 bytes.
    ///   - host: The host name or address that is requested and verified, unless `tls` has another name.
    ///   - tls: The TLS settings. Default: nil; chain and name are verified, with the system's trust.
    ///   - socketOptions: The options of the socket. `noDelay` has no effect.
    ///   - timeout: The time limit for all steps together; nil means no limit. Default: 30 seconds.
    ///   - group: The event loops from which one is chosen.
    /// - Throws: ``SecureSocketError``: `invalidArgument`, `connectionRefused` if no program listens there or the file does not exist,
    ///   `accessDenied`, `timedOut`, `cancelled`, or the reason for the failed handshake. Nothing is left open.
    public static func connect(
        toUnixSocket path: String,
        host: String,
        tls: TLSClientConfiguration? = nil,
        socketOptions: SocketOptions = SocketOptions(),
        timeout: Duration? = .seconds(30),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared
    ) async throws(SecureSocketError) -> SecureSocket {
        try SecureSocketError.check(host: host)
        let tls = if let tls { tls } else { try TLSClientConfiguration.standard() }
        return try await ConnectAttempt.connect(
            toUnixSocket: path, host: host, tls: tls, socketOptions: socketOptions, timeout: timeout, on: group
        ).secure()
    }
}

extension PlainSocket {
    /// Connects to a server that listens on a Unix domain socket, without TLS.
    ///
    /// ``StreamSocket/abort()`` appears to the peer as an ordinary end of the stream, because Unix domain sockets have no reset.
    ///
    /// - Parameters:
    ///   - path: The path of the socket's file, at most 103 bytes.
    ///   - socketOptions: The options of the socket. `noDelay` has no effect.
    ///   - timeout: The time limit; nil means no limit. Default: 30 seconds.
    ///   - group: The event loops from which one is chosen.
    /// - Throws: ``SecureSocketError``: `invalidArgument`, `connectionRefused` if no program listens there or the file does not exist,
    ///   `accessDenied`, `timedOut`, `cancelled`. Nothing is left open.
    public static func connect(
        toUnixSocket path: String,
        socketOptions: SocketOptions = SocketOptions(),
        timeout: Duration? = .seconds(30),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared
    ) async throws(SecureSocketError) -> PlainSocket {
        try await ConnectAttempt.connect(
            toUnixSocket: path, host: "", tls: nil, socketOptions: socketOptions, timeout: timeout, on: group
        ).plain()
    }
}

extension SecureListener {
    /// Creates a listener on a Unix domain socket.
    ///
    /// The socket's file is created, with the permissions of ``ListenerOptions/unixPermissions``, and removed when the listener is closed. A
    /// file that an earlier server has left is replaced; the file of a running server, and a file that is no socket, are not. Two servers
    /// that start with the same path at the same moment may both succeed, and only one of them is then found by clients: start them one
    /// after the other.
    ///
    /// - Parameters:
    ///   - path: The path of the socket's file, at most 103 bytes. Its folder must exist.
    ///   - tls: The server's identity and TLS settings.
    ///   - socketOptions: The options of the accepted sockets. `noDelay` has no effect.
    ///   - options: The options of the listener itself.
    ///   - group: The event loops over which connections are distributed.
    ///   - logger: The logger for failures of `serve`, as for ``bind(host:port:tls:socketOptions:options:on:logger:)``.
    /// - Throws: ``SecureSocketError``: `addressInUse`, `accessDenied`, `addressNotAvailable`, `tooManyOpenFiles`, `invalidArgument`.
    public static func bind(
        unixSocket path: String,
        tls: TLSServerConfiguration,
        socketOptions: SocketOptions = SocketOptions(),
        options: ListenerOptions = ListenerOptions(),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared,
        logger: Logger = Logger(label: "SecureSockets")
    ) async throws(SecureSocketError) -> SecureListener {
        SecureListener(
            try await ListenerCore.bind(to: SocketEndpoint(unixPath: path), tls, socketOptions, options, group, logger))
    }
}

extension PlainListener {
    /// Creates a listener on a Unix domain socket, as ``SecureListener/bind(unixSocket:tls:socketOptions:options:on:logger:)`` does, without
    /// TLS.
    ///
    /// - Throws: ``SecureSocketError``: `addressInUse`, `accessDenied`, `addressNotAvailable`, `tooManyOpenFiles`, `invalidArgument`.
    public static func bind(
        unixSocket path: String,
        socketOptions: SocketOptions = SocketOptions(),
        options: ListenerOptions = ListenerOptions(),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared,
        logger: Logger = Logger(label: "SecureSockets")
    ) async throws(SecureSocketError) -> PlainListener {
        PlainListener(
            try await ListenerCore.bind(to: SocketEndpoint(unixPath: path), nil, socketOptions, options, group, logger))
    }
}
