public import NIOCore
import SocketCore
import TLSEngine

/// One call of `connect`: name, transport and handshake under one deadline.
///
/// Sendable without a check because all of its state is touched on `loop` only, which its connector and its connection are on as well.
final class ConnectAttempt: @unchecked Sendable {
    private let host: String
    private let port: Int
    private let tls: TLSConfiguration
    private let options: SocketOptions
    private let loop: any EventLoop
    private let turn: LoopTurn
    private var connector: (any Connector)?
    private var connection: Connection?
    private var waiter: Waiter<SecureSocket>?
    private var step = SecureSocketError.Step.resolving
    private var isOver = false

    init(host: String, port: Int, tls: TLSConfiguration, options: SocketOptions, loop: any EventLoop) {
        self.host = host
        self.port = port
        self.tls = tls
        self.options = options
        self.loop = loop
        self.turn = LoopTurn.of(loop)
    }

    private var target: String { SocketEndpoint(host: self.host, port: self.port).description }

    nonisolated(nonsending) func run(timeout: Duration?) async throws(SecureSocketError) -> SecureSocket {
        let waiter = Waiter<SecureSocket>()
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                self.onLoop {
                    if waiter.wait(continuation, step: .connecting) { self.start(waiter, timeout) }
                }
            }
        } onCancel: {
            self.onLoop { if waiter.cancel() { self.end(.failure(.cancelled(self.step))) } }
        }
        return try outcome.get()
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        self.turn.onLoop(body)
    }

    private func start(_ waiter: Waiter<SecureSocket>, _ timeout: Duration?) {
        self.waiter = waiter
        if let timeout {
            if timeout <= .zero { return self.timedOut(timeout) }
            waiter.limit(to: timeout, on: self.turn) { self.timedOut(timeout) }
        }
        do {
            let target = try self.connectTarget()
            if case .address = target.host { self.step = .connecting }
            let connector = self.makeConnector(timeout)
            self.connector = connector
            connector.start(target) { self.connected($0) }
        } catch {
            self.end(.failure(.transport(error, step: self.step, "cannot connect to \(self.target)")))
        }
    }

    private func connectTarget() throws -> ConnectTarget {
        let local = try self.options.localEndpoint?.socketAddress()
        // An address with a zone (`fe80::1%eth0`) is left to the system's resolver, which knows the links' names.
        guard case .address(let literal) = PeerName(self.host), !self.host.contains("%") else {
            return ConnectTarget(host: .name(self.host), port: self.port, local: local)
        }
        let address = try SocketAddress(ipAddress: literal.description, port: self.port)
        return ConnectTarget(host: .address(address), port: self.port, local: local)
    }

    private func makeConnector(_ timeout: Duration?) -> any Connector {
        #if os(Linux)
            if let loop = self.loop as? EpollEventLoop { return EpollConnector(on: loop, options: self.options) }
        #endif
        return ChannelConnector(on: self.loop, options: self.options, timeout: timeout)
    }

    private func timedOut(_ timeout: Duration) {
        let doing =
            switch self.step {
            case .handshake: "the handshake with \(self.target) was not complete"
            default: "\(self.target) did not answer"
            }
        let advice = self.step == .handshake ? "Does this port speak TLS? A server that waits to be spoken to stays silent" : nil
        self.end(
            .failure(
                SecureSocketError(
                    .timedOut, blame: .network, step: self.step, "\(doing) within \(timeout)", advice: advice,
                    classicReason: "timeout")))
    }

    private func connected(_ result: Result<ConnectedTransport, any Error>) {
        self.connector = nil
        switch result {
        case .failure(let error): self.end(.failure(self.error(of: error)))
        case .success(let transport):
            guard !self.isOver else { return transport.close() }
            self.step = .handshake
            do {
                try transport.begin { self.handshake(over: $0) }
            } catch {
                transport.close()
                self.end(.failure(.transport(error, step: .connecting, "cannot connect to \(self.target)")))
            }
        }
    }

    private func handshake(over transport: any Transport) -> Connection? {
        do {
            let engine = try TLSEngine(
                client: self.tls.context, for: self.host, verification: self.tls.verification, serverName: self.tls.serverName,
                at: self.target)
            let connection = Connection(transport: transport, engine: engine, options: self.options, peerName: self.target)
            self.connection = connection
            // The deadline of the whole call is ours.
            self.loop.execute {
                connection.start(timeout: nil) { outcome in
                    switch outcome {
                    case .success: self.end(connection.makeHandle(.handshake))
                    case .failure(let error): self.end(.failure(error))
                    }
                }
            }
            return connection
        } catch {
            self.end(.failure(SecureSocketError(error, role: .client, step: .handshake, peer: self.target)))
            return nil
        }
    }

    private func end(_ outcome: Result<SecureSocket, SecureSocketError>) {
        guard !self.isOver else { return }
        self.isOver = true
        if case .failure(let error) = outcome {
            if let connection {
                connection.abandonHandshake(error)
            } else {
                self.connector?.giveUp()
            }
        }
        self.connector = nil
        self.connection = nil
        self.waiter?.resume(outcome)
        self.waiter = nil
    }

    private func error(of error: any Error) -> SecureSocketError {
        if let failure = error as? ConnectFailure, failure.attempts.isEmpty, !failure.isTimeout {
            let reasons = failure.lookups
            let text = reasons.first.map { " (\($0.text))" } ?? ""
            if let first = reasons.first, !reasons.contains(where: \.isAboutTheName) {
                return SecureSocketError(
                    .unreachable, blame: .network, step: .resolving,
                    "the host name \(self.host) could not be looked up (\(first.text))",
                    advice: "Check that this machine's name server can be reached, and try again", classicReason: "nxdomain")
            }
            return SecureSocketError(
                .nameNotFound, blame: .configuration, step: .resolving, "the host name \(self.host) is not known\(text)",
                advice: "Check its spelling, and that this machine can resolve names", classicReason: "nxdomain")
        }
        return .transport(error, step: .connecting, "cannot connect to \(self.target)")
    }
}

extension TLSEngine {
    /// The client's end for a host: asks for its name, and expects its certificate as far as `verification` says.
    convenience init(
        client context: TLSContext, for host: String, verification: TLSConfiguration.Verification, serverName: String?,
        at endpoint: String?
    ) throws(TLSFailure) {
        let name = PeerName(serverName ?? host)
        let asked: String? = if case .dns(let name) = name { name } else { nil }
        try self.init(client: context, serverName: asked, expecting: verification == .full ? name : nil, at: endpoint)
    }
}

extension Connection {
    /// The public handle; called once, when the handshake is complete.
    func makeHandle(_ step: SecureSocketError.Step) -> Result<SecureSocket, SecureSocketError> {
        guard let negotiated = self.engine.negotiated else { return .failure(self.connectionLost(step)) }
        return .success(SecureSocket(self, ConnectionInformation(negotiated)))
    }
}

extension SocketEndpoint {
    /// The address itself, without a look-up.
    func socketAddress() throws(SecureSocketError) -> SocketAddress {
        do {
            if self.host.contains("%"), let scoped = try HostResolver.lookUp(self.host, self.port, .v6).first {
                return scoped
            }
            return try SocketAddress(ipAddress: PeerName(self.host).description, port: self.port)
        } catch {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring, "\(self.host) is not an internet address",
                advice: "Here names are not looked up: give an address of this machine, such as 127.0.0.1 or ::1",
                classicReason: "eoptions")
        }
    }
}

extension SecureSocket {
    /// Connects to a server: looks its name up, connects, completes the handshake and verifies whom it has met.
    ///
    /// - Parameters:
    ///   - host: A host name or an address. Of a name's addresses those that answer first are used (RFC 8305).
    ///   - port: 1 to 65535.
    ///   - tls: What is trusted and checked. Default: chain and name, with the system's trust.
    ///   - options: Of the socket.
    ///   - timeout: For everything together; nil: for ever. Default: 30 seconds.
    ///   - group: The event loops to choose one from. A group of SwiftNIO's must not be shut down before its sockets are
    ///     closed: nothing that is asked of them after that is answered.
    /// - Throws: ``SecureSocketError``: `nameNotFound`, `connectionRefused`, `unreachable`, `timedOut`, `certificateRefused` with the
    ///   reason, `refusedByPeer`, `protocolError`, `endedInHandshake`, `cancelled`, and others. Nothing is left open.
    nonisolated(nonsending) public static func connect(
        to host: String,
        port: Int,
        tls: TLSConfiguration? = nil,
        options: SocketOptions = SocketOptions(),
        timeout: Duration? = .seconds(30),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared
    ) async throws(SecureSocketError) -> SecureSocket {
        guard (1...65_535).contains(port) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .connecting, "\(port) is not a port; 1 to 65535 are",
                classicReason: "einval")
        }
        guard !host.isEmpty, !host.utf8.contains(0) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .connecting, "the host is empty, or not a name",
                classicReason: "nxdomain")
        }
        let options = try options.validated()
        let tls = if let tls { tls } else { try TLSConfiguration.defaultClient() }
        try tls.require(.client)
        // A task that runs on one of these loops keeps its sockets there.
        let loop = group.any()
        return try await ConnectAttempt(host: host, port: port, tls: tls, options: options, loop: loop).run(timeout: timeout)
    }
}

extension TLSConfiguration {
    func require(_ role: TLSSettings.Role) throws(SecureSocketError) {
        guard self.context.settings.role != role else { return }
        throw SecureSocketError(
            .invalidConfiguration, blame: .caller, step: .configuring,
            role == .client
                ? "a server's TLS configuration was given for connecting"
                : "a client's TLS configuration was given for listening",
            advice: role == .client ? "Use TLSConfiguration.client()" : "Use TLSConfiguration.server(identity)",
            classicReason: "eoptions")
    }
}
