public import NIOCore
import SocketCore
import TLSEngine

/// A plain TCP connection, which can be upgraded to TLS.
///
/// ```swift
/// let plain = try await PlainSocket.connect(to: "mail.example.org", port: 25)
/// _ = try await plain.receiveLine()
/// try await plain.send("STARTTLS\r\n")
/// let answer = try await plain.receiveLine()
/// let socket = try await plain.upgrade(host: "mail.example.org")
/// ```
///
/// ``StreamSocket`` has the calls that it shares with ``SecureSocket``. Everything that is sent and received can be read and changed on its
/// way. <doc:UpgradingAConnection> has examples for several protocols.
///
/// Sendable without a check, as its superclass is: it has no stored properties of its own.
public final class PlainSocket: StreamSocket, @unchecked Sendable {
    /// Connects to a server, without TLS.
    ///
    /// - Parameters:
    ///   - host: The host name or address, as for ``SecureSocket/connect(to:port:tls:socketOptions:options:timeout:on:)``.
    ///   - port: The port, 1 to 65535.
    ///   - socketOptions: The options of the socket.
    ///   - options: The local endpoint and the address family.
    ///   - timeout: The time limit for all steps together; nil means no limit. Default: 30 seconds.
    ///   - group: The event loops from which one is chosen.
    /// - Throws: ``SecureSocketError``: `nameNotFound`, `tooManyLookups`, `connectionRefused`, `unreachable`, `timedOut`, `cancelled`, and
    ///   others. Nothing is left open.
    public static func connect(
        to host: String,
        port: Int,
        socketOptions: SocketOptions = SocketOptions(),
        options: ConnectOptions = ConnectOptions(),
        timeout: Duration? = .seconds(30),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared
    ) async throws(SecureSocketError) -> PlainSocket {
        try await ConnectAttempt.connect(
            to: host, port: port, tls: nil, socketOptions: socketOptions, options: options, timeout: timeout, on: group
        ).plain()
    }

    /// Connects to a server, runs `body` with the socket, and closes the socket however `body` ends.
    ///
    /// When `body` returns, the socket is closed as by ``StreamSocket/close()``. When it throws, the connection is aborted, so that the peer
    /// does not take an incomplete stream for a complete one. If `body` has upgraded the socket, close the secure one in it.
    ///
    /// - Parameters:
    ///   - connectTimeout: The time limit for connecting; nil means no limit. It does not limit `body`. Default: 30 seconds.
    ///   - body: The use of the socket. The other parameters are those of ``connect(to:port:socketOptions:options:timeout:on:)``.
    /// - Returns: The result of `body`.
    /// - Throws: The errors of ``connect(to:port:socketOptions:options:timeout:on:)`` and of `body`.
    public static func withConnection<Value>(
        to host: String,
        port: Int,
        socketOptions: SocketOptions = SocketOptions(),
        options: ConnectOptions = ConnectOptions(),
        connectTimeout: Duration? = .seconds(30),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared,
        _ body: (PlainSocket) async throws -> Value
    ) async throws -> Value {
        let socket = try await self.connect(
            to: host, port: port, socketOptions: socketOptions, options: options, timeout: connectTimeout, on: group)
        do {
            let value = try await body(socket)
            socket.close()
            return value
        } catch {
            socket.abort()
            throw error
        }
    }

    // MARK: Upgrading

    /// Becomes the client of a TLS connection on the same transport: completes the handshake and verifies the server.
    ///
    /// Call it when the server has agreed, for example after its reply to STARTTLS. What `send` has accepted precedes the handshake. From
    /// then on, calls of this socket fail with `closed`. If the handshake fails, the connection is closed.
    ///
    /// Bytes that have arrived and were not received are refused: a server sends nothing between its agreement and the handshake, so that
    /// they were injected by an attacker who wants them to be taken for a part of the secure connection (CVE-2011-0411), or belong to an
    /// earlier reply. Nothing is lost then: the bytes can still be received.
    ///
    /// - Parameters:
    ///   - tls: The TLS settings. Default: nil; chain and name are verified, with the system's trust.
    ///   - host: The host name or address that is requested and verified, unless `tls` has another name.
    ///   - socketOptions: The options of the secure socket. Default: nil; those of this socket.
    ///   - timeout: The time limit for the handshake; nil means no limit. Default: 30 seconds.
    /// - Throws: ``SecureSocketError``: `protocolError` if unread bytes have arrived, `wrongMode` if another call waits at this socket,
    ///   `closed`, `endedInHandshake`, `timedOut`, `cancelled`, or the reason for the failed handshake.
    public func upgrade(
        tls: TLSClientConfiguration? = nil, host: String, socketOptions: SocketOptions? = nil, timeout: Duration? = .seconds(30)
    ) async throws(SecureSocketError) -> SecureSocket {
        try SecureSocketError.check(host: host)
        let tls = if let tls { tls } else { try TLSClientConfiguration.standard() }
        let place = self.remoteEndpoint.map { endpoint in endpoint.unixPath.map { " at unix:\($0)" } ?? ":\(endpoint.port)" }
        let peerName = host + (place ?? "")
        let engine = try UpgradeEngine(tls.makeEngine(for: host, at: "\(peerName) (upgraded)"))
        let socket = try await self.upgrade(with: engine, peerName: peerName, Upgrade(), socketOptions, timeout)
        let connection = socket.connection
        connection.onLoop { tls.watch(connection, socket) }
        return socket
    }

    /// Becomes the server of a TLS connection on the same transport.
    ///
    /// Call it after the agreement was sent, for example the reply to STARTTLS. What `send` has accepted precedes the handshake. From then
    /// on, calls of this socket fail with `closed`. If the handshake fails, the connection is closed.
    ///
    /// Bytes that have arrived and were not received are taken for the client's hello if they begin as one. Other bytes are refused: a
    /// client that sends commands behind STARTTLS wants them, or an attacker wants them, to be taken for a part of the secure connection
    /// (CVE-2011-0411). Nothing is lost then: the bytes can still be received.
    ///
    /// - Parameters:
    ///   - tls: The server's identity and TLS settings.
    ///   - socketOptions: The options of the secure socket. Default: nil; those of this socket.
    ///   - timeout: The time limit for the handshake; nil means no limit. Default: 10 seconds.
    /// - Throws: ``SecureSocketError``: `protocolError` if unread bytes have arrived that are no hello, `wrongMode` if another call waits at
    ///   this socket, `closed`, `timedOut`, `cancelled`, or the reason for the failed handshake.
    public func upgrade(
        tls: TLSServerConfiguration, socketOptions: SocketOptions? = nil, timeout: Duration? = .seconds(10)
    ) async throws(SecureSocketError) -> SecureSocket {
        try await self.upgrade(Upgrade(decisions: tls.decisions), socketOptions, timeout) { () throws(TLSFailure) in
            try TLSEngine(server: tls.context)
        }
    }

    /// Becomes the server of a TLS connection on the same transport, with settings that can be replaced: the handshake uses those that are
    /// present when the client's hello has arrived. Otherwise as ``upgrade(tls:socketOptions:timeout:)-(TLSServerConfiguration,_,_)``.
    ///
    /// Sessions are resumed among the connections with the same ``LiveServerConfiguration``, also after an update. Its
    /// ``LiveServerConfiguration/statistics`` count the handshake and the connection.
    public func upgrade(
        tls: LiveServerConfiguration, socketOptions: SocketOptions? = nil, timeout: Duration? = .seconds(10)
    ) async throws(SecureSocketError) -> SecureSocket {
        try await self.upgrade(Upgrade(under: tls), socketOptions, timeout) { () throws(TLSFailure) in
            try TLSEngine(server: tls.context)
        }
    }

    private func upgrade(
        _ upgrade: Upgrade, _ options: SocketOptions?, _ timeout: Duration?,
        _ makeEngine: () throws(TLSFailure) -> TLSEngine
    ) async throws(SecureSocketError) -> SecureSocket {
        let engine: UpgradeEngine
        do {
            engine = UpgradeEngine(try makeEngine())
        } catch {
            throw SecureSocketError(error, role: .server, step: .handshake, peer: self.connection.peerText)
        }
        return try await self.upgrade(with: engine, peerName: nil, upgrade, options, timeout)
    }

    private func upgrade(
        with engine: UpgradeEngine, peerName: String?, _ upgrade: Upgrade, _ options: SocketOptions?, _ timeout: Duration?
    ) async throws(SecureSocketError) -> SecureSocket {
        let options = try (options ?? self.options).validated()
        let connection = self.connection
        let upgraded: Connection = try await connection.wait(.handshake) { waiter in
            waiter.resume(connection.upgraded(with: engine.engine, peerName: peerName, upgrade, options))
        } forget: { (_: Waiter<Connection>) in
            .failure(.cancelled(.handshake))
        }
        self.markClosed()
        let outcome = await upgraded.established(timeout: timeout)
        upgrade.ended(outcome, upgraded)
        let socket = try outcome.get()
        connection.onLoop { if connection.handler != nil { connection.successorHandle = socket } }
        return socket
    }
}

/// What an upgrade has in common with others.
private struct Upgrade {
    var decisions: DecisionLimits?
    /// The settings with which the upgrade is counted; nil if it is not.
    private var live: LiveServerConfiguration?
    private(set) var counted: CountedHandshake?

    init(decisions: DecisionLimits? = nil) { self.decisions = decisions }

    init(under live: LiveServerConfiguration) {
        self.decisions = live.decisions
        self.live = live
        self.counted = live.shared.beginHandshake()
    }

    func ended(_ outcome: Result<SecureSocket, SecureSocketError>, _ connection: Connection) {
        switch outcome {
        case .failure(let error): self.counted?.failed(error)
        case .success(let socket):
            self.counted?.completed(socket.information)
            guard let live = self.live, let watched = live.watched else { return }
            connection.onLoop {
                watched.watch(connection, socket.information) { [unowned connection] error in
                    live.openConnectionRefused(error, peer: connection.peerText)
                }
            }
        }
    }

    /// Called on the loop when the connection has gone.
    func gone(_ connection: Connection) {
        self.counted?.gone()
        self.live?.watched?.gone(connection)
    }
}

/// An engine on its way to the event loop of its connection.
///
/// Sendable without a check because it is used by the task that creates it, and then on the loop only.
private struct UpgradeEngine: @unchecked Sendable {
    let engine: TLSEngine

    init(_ engine: TLSEngine) { self.engine = engine }
}

extension StreamSocket {
    /// The socket of a plain connection.
    func plain() throws(SecureSocketError) -> PlainSocket {
        guard let socket = self as? PlainSocket else { throw .closed(.connecting) }
        return socket
    }
}

extension SecureSocketError {
    fileprivate static func endedBeforeUpgrade(_ peer: String) -> SecureSocketError {
        SecureSocketError(
            .endedInHandshake, blame: .peer, step: .handshake, "\(peer) has ended its stream, and can take no part in a handshake"
        )
    }
}

extension Connection {
    /// The first byte of a handshake record (RFC 8446 §5.1).
    private static let handshakeRecord: UInt8 = 22

    /// Creates the secure connection that has the transport of this plain one from now on. On the loop.
    fileprivate func upgraded(
        with engine: TLSEngine, peerName: String?, _ upgrade: Upgrade, _ options: SocketOptions
    ) -> Result<Connection, SecureSocketError> {
        if let refusal = self.machine.sendRefusal { return .failure(self.error(for: refusal, .handshake)) }
        guard self.isOpen, let plain = self.engine as? PlainEngine else { return .failure(.closed(.handshake)) }
        guard self.receivers.isEmpty, self.sendQueue.isEmpty, self.senders.isEmpty, self.writingClosers.isEmpty else {
            return .failure(
                SecureSocketError(
                    .wrongMode, blame: .caller, step: .handshake, "a call waits at this socket, which cannot be upgraded now",
                    advice: "Upgrade a connection when its calls of receive and send have returned"))
        }
        var unread = self.machine.queue.bytes
        unread.writeImmutableBuffer(plain.unreadBytes)
        if let first = unread.readableBytesView.first {
            guard engine.context.settings.role == .server, first == Self.handshakeRecord else {
                return .failure(self.unreadBytes(unread.readableBytes))
            }
        }
        guard self.closing.peerEnd == nil else { return .failure(.endedBeforeUpgrade(self.peerText)) }
        self.flush()
        if let refusal = self.machine.sendRefusal { return .failure(self.error(for: refusal, .handshake)) }
        let upgraded = Connection(
            transport: self.transport, engine: engine, options: options, peerName: peerName ?? self.peerName)
        upgraded.decisionLimits = upgrade.decisions
        engine.receive(unread)
        self.handOver(to: upgraded)
        if upgrade.counted != nil { upgraded.whenGone { upgrade.gone($0) } }
        return .success(upgraded)
    }

    private func unreadBytes(_ count: Int) -> SecureSocketError {
        SecureSocketError(
            .protocolError, blame: .peer, step: .handshake,
            "\(count) bytes of \(self.peerText) arrived before the handshake, and were not received",
            advice:
                "Receive what belongs to the plain protocol before the upgrade. If nothing does, an attacker may have injected it"
        )
    }
}
