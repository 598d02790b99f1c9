import Logging
import NIOCore
import SecureSockets

// The functions, in the order of the manual.
extension SSL {
    /// `accept/1,2`: accepts a connection on a listener, including its handshake (specification §2).
    ///
    /// The caller's process becomes the owner of the new socket, which has the options of the listener. Any process may call this; calls
    /// are served in order of arrival.
    ///
    /// - Parameters:
    ///   - listener: The result of ``listen(_:_:)``.
    ///   - timeout: The limit in milliseconds; a variable is written `.milliseconds(limit)`.
    /// - Throws: `enotlistener`, `closed`, `enoservercert`, `timeout`, `einval` for a negative timeout, and the reasons of a failed
    ///   handshake. The listener is not affected.
    public static func accept(
        _ listener: Socket, _ timeout: Timeout = .infinity
    ) async throws(Reason) -> Socket {
        guard case .listener(let secureListener) = listener.kind else { throw .enotlistener }
        if secureListener.isClosed { throw .closed }
        let duration = try timeout.duration()
        do {
            // A process that already has a socket and accepts another does not serve only the new one.
            let isForCaller = !Process.current.passesSocketsOn && !Process.current.mailbox.ownsSockets
            return try await Self.own(try await secureListener.accept(timeout: duration, isForCaller: isForCaller))
        } catch {
            throw Reason(error, call: .accept)
        }
    }

    /// `close/1`: closes any kind of socket. Returns immediately; data that `send` has accepted is still delivered (specification §2).
    public static func close(_ socket: Socket) {
        switch socket.kind {
        case .listener(let listener): listener.close()
        case .stream(let stream): stream.close()
        }
    }

    /// `connect/3,4`: connects to a server (specification §2).
    ///
    /// - Parameters:
    ///   - address: A host name, a dotted string or four numbers; a `String` in a variable is written `.host(name)`.
    ///   - port: 1 to 65535.
    ///   - options: Options of specification §3 that apply to `connect`; an empty list means the defaults.
    ///   - timeout: The limit for look-up, connection and handshake together, in milliseconds; a variable is written
    ///     `.milliseconds(limit)`.
    /// - Throws: `eoptions`; `ecacertfile`, `ecertfile`, `ekeyfile`, `ekeymismatch`, `ecipher`; `nxdomain`, `einval`; reasons of the
    ///   operating system such as `econnrefused`; `timeout`; and the reasons of a failed handshake.
    public static func connect(
        _ address: Address, _ port: Int, _ options: [Option], _ timeout: Timeout = .infinity
    ) async throws(Reason) -> Socket {
        let options = try Options(options, for: .connect)
        let duration = try timeout.duration()
        guard (1...65_535).contains(port) else { throw .einval }
        let host = try address.host()
        do {
            let tls = try await Self.load { () throws(SecureSocketError) in try options.clientConfiguration() }
            if options.verify == 0 {
                Self.logger.warning("connecting without verification", metadata: ["host": "\(host)", "port": "\(port)"])
            }
            let socket = try await SecureSocket.connect(
                to: host, port: port, tls: tls, socketOptions: options.socketOptions, options: options.connectOptions,
                timeout: duration)
            return try await Self.own(socket)
        } catch {
            throw Reason(error, call: .connect)
        }
    }

    /// `controlling_process/2`: makes another process the owner of a socket, and moves its waiting messages (specification §2).
    ///
    /// - Throws: `{badcall, _}` if the caller's process is not the owner, `closed`.
    public static func controllingProcess(
        _ socket: Socket, _ newOwner: Process
    ) async throws(Reason) {
        if socket.isClosed { throw .closed }
        let caller = Process.current.mailbox
        do {
            switch socket.kind {
            case .listener(let listener): try listener.setOwner(newOwner.mailbox, from: caller)
            case .stream(let stream):
                try await stream.setOwner(newOwner.mailbox, from: caller)
                if newOwner.mailbox !== caller { Process.current.passesSocketsOn = true }
            }
        } catch {
            throw Reason(error, call: .controllingProcess)
        }
    }

    /// `listen/2`: listens on a port; 0 selects a free one (specification §2).
    ///
    /// A listener is for ``accept(_:_:)``. Of the other functions, ``close(_:)``, ``port(_:)``, ``sockname(_:)``, ``pid(_:)`` and
    /// ``controllingProcess(_:_:)`` accept one as well.
    ///
    /// - Throws: `enooptions`, `eoptions`; `ecacertfile`, `ecertfile`, `ekeyfile`, `ekeymismatch`, `ecipher`; `einval`; reasons of the
    ///   operating system such as `eaddrinuse`.
    public static func listen(_ port: Int, _ options: [Option]) async throws(Reason) -> Socket {
        guard !options.isEmpty else { throw .enooptions }
        let options = try Options(options, for: .listen)
        guard (0...65_535).contains(port) else { throw .einval }
        do {
            let tls = try await Self.load { () throws(SecureSocketError) in try options.serverConfiguration() }
            let listener = try await SecureListener.bind(
                host: options.ip, port: port, tls: tls, socketOptions: options.socketOptions, options: options.listenerOptions)
            try listener.setOwner(Process.current.mailbox)
            return Socket(listener)
        } catch {
            throw Reason(error, call: .listen)
        }
    }

    /// `peername/1`: returns the remote end of a connection, also after the connection has gone (specification §2).
    ///
    /// - Throws: `enotconn` for a listener, `closed`.
    public static func peername(_ socket: Socket) throws(Reason) -> Endpoint {
        try Endpoint(try socket.openStream().remoteEndpoint)
    }

    /// `pid/1`: returns the identity of the socket process, for matching exit messages. Never fails (specification §2).
    public static func pid(_ socket: Socket) -> Pid { socket.pid }

    /// `port/1`: returns the local port (specification §2).
    ///
    /// - Throws: `closed`.
    public static func port(_ socket: Socket) throws(Reason) -> Int { try Self.sockname(socket).port }

    /// `recv/2,3`: receives from a passive socket (specification §2).
    ///
    /// - Parameters:
    ///   - socket: An accepted or connected socket with `{active, false}`.
    ///   - length: 0 for whatever is available, or a whole packet; otherwise exactly this many bytes, from a raw socket that delivers
    ///     lists.
    ///   - timeout: The limit in milliseconds. Data that has arrived by then is kept for the next call.
    /// - Throws: `{badcall, _}` for an active socket, `einval`, `enomem` for a length over 16 MiB, `timeout`, `closed`, `enotconn` for a
    ///   listener, and once the reason for which the connection broke, for example `emsgsize` if a packet's header announces more than
    ///   ``maximumPacketSize``.
    public static func recv(
        _ socket: Socket, _ length: Int, _ timeout: Timeout = .infinity
    ) async throws(Reason) -> Bytes {
        let stream = try socket.openStream()
        let mode = stream.mode
        if mode.isActive { throw .badcall("recv") }
        let isBinary = mode.isBinary
        let duration = try timeout.duration()
        if length < 0 || (length > 0 && (isBinary || stream.isFramed)) { throw .einval }
        if length > SecureSocket.largestExactCount { throw .enomem }
        do {
            if length > 0 { return Bytes(try await stream.receive(exactly: length, timeout: duration), isBinary: isBinary) }
            if let bytes = try await stream.receive(timeout: duration) { return Bytes(bytes, isBinary: isBinary) }
        } catch {
            throw Reason(error, call: .recv)
        }
        throw .closed
    }

    /// `send/2`: sends data as one unit, or one packet (specification §2). Has no timeout.
    ///
    /// - Parameters:
    ///   - socket: An accepted or connected socket.
    ///   - data: A literal, or a value in a variable: `.text(line)`, `.bytes(array)`, `.binary(buffer)`.
    /// - Throws: `enotconn` for a listener, `closed` if nothing can be sent any more, `emsgsize` if the packet header cannot express the
    ///   length, `einval` for a number that is not a byte.
    @inline(__always) public static func send(_ socket: Socket, _ data: IOData) async throws(Reason) {
        let stream = try socket.openStream()
        let bytes: ByteBuffer
        do {
            bytes = try data.flattened()
        } catch {
            // The state is checked before the argument (§7).
            guard (try? await stream.requireWritable()) != nil else { throw .closed }
            throw error
        }
        do {
            try await stream.send(bytes)
        } catch {
            throw error.code == .packetTooLarge ? .emsgsize : .closed
        }
    }

    /// Sends received data.
    // Without this attribute `SSL.send(socket, .binary(buffer))` would be ambiguous.
    @_disfavoredOverload
    public static func send(_ socket: Socket, _ data: Bytes) async throws(Reason) {
        try await Self.send(socket, IOData(data))
    }

    /// `setopts/2`: changes options of a connection. Only `nodelay` can be changed (specification §2).
    ///
    /// - Throws: `eoptions`, also for an empty list; `enotconn` for a listener, `closed`.
    public static func setopts(_ socket: Socket, _ options: [Option]) async throws(Reason) {
        var noDelay: Bool?
        for option in options {
            guard case .nodelay(let isOn) = try option.typed() else { throw .eoptions }
            noDelay = noDelay ?? isOn
        }
        guard let noDelay else { throw .eoptions }
        let stream = try socket.openStream()
        do {
            try await stream.setNoDelay(noDelay)
        } catch {
            throw .closed
        }
    }

    /// `sockname/1`: returns the local end, also after the connection has gone (specification §2).
    ///
    /// - Throws: `closed`.
    public static func sockname(_ socket: Socket) throws(Reason) -> Endpoint {
        if socket.isClosed { throw .closed }
        switch socket.kind {
        case .listener(let listener): return try Endpoint(listener.localEndpoint)
        case .stream(let stream): return try Endpoint(stream.localEndpoint)
        }
    }

    // MARK: Helpers

    static let logger = Logger(label: "ClassicSSL")

    /// Reads files and derives keys from passwords, off the event loop because that takes time.
    private static func load<Configuration: Sendable>(
        _ make: @escaping @Sendable () throws(SecureSocketError) -> Configuration
    ) async throws(SecureSocketError) -> Configuration {
        let loaded = await withTaskExecutorPreference(globalConcurrentExecutor) {
            Result { () throws(SecureSocketError) in try make() }
        }
        return try loaded.get()
    }

    /// Makes the caller's process the owner of a new connection.
    private static func own(
        _ socket: SecureSocket
    ) async throws(SecureSocketError) -> Socket {
        let mailbox = Process.current.mailbox
        if socket.mode.isActive {
            try await socket.deliver(to: mailbox)
        } else {
            try await socket.setOwner(mailbox)
        }
        return Socket(socket)
    }
}

extension SSL.Address {
    /// Returns the host to connect to: a dotted address, or a name to look up.
    fileprivate func host() throws(SSL.Reason) -> String {
        if let dotted { return dotted }
        guard case .host(let name) = self else { throw .einval }
        // An IPv6 literal is not the name of an IPv4 host.
        guard !name.isEmpty, !name.contains(":"), !name.utf8.contains(0) else { throw .nxdomain }
        return name
    }
}

extension SSL.Endpoint {
    fileprivate init(_ endpoint: SocketEndpoint?) throws(SSL.Reason) {
        guard let endpoint else { throw .enotconn }
        self.address = endpoint.host.split(separator: ".").compactMap { UInt8($0) }
        self.port = endpoint.port
    }
}
