public import NIOCore
import SocketCore
import TLSEngine

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// One call of `connect`: look-up, transport and handshake under one deadline; with `retriesWithoutMLKEM`, possibly a second transport and
/// handshake (`MLKEMRetry`).
///
/// Sendable without a check because all of its state is used on `loop` only, as are its connector and its connection.
final class ConnectAttempt: @unchecked Sendable {
    private let host: String
    private let target: ConnectTarget
    /// The TLS settings; nil for a plain connection.
    private let tls: TLSClientConfiguration?
    private let options: SocketOptions
    private let family: ConnectOptions.AddressFamily
    private let loop: any EventLoop
    private let executor: EventLoopExecutor
    private let resolver: HostResolver
    private let addressConnector: (any AddressConnector)?
    private var connector: HostConnector?
    private var connection: Connection?
    private var waiter: Waiter<StreamSocket>?
    /// `resolving` until the first address is tried, `connecting` until one has connected.
    private var step = SecureSocketError.Step.resolving
    private var tried = TriedAddresses()
    private var retry: MLKEMRetry
    /// The time that `retry` waits for an answer; nil for the one that follows from the timeout. For tests.
    private let answerLimit: Duration?
    private var timeout: Duration?
    private var answerTimer: EventLoopExecutor.Timer?
    private var addresses: [IPFamily: [SocketAddress]] = [:]
    /// The failure of the first attempt, during the second one.
    private var firstFailure: SecureSocketError?
    private var isOver = false
    #if TracingSupport
        /// Set before the loop is involved.
        private var span: TLSSpan?
    #endif

    /// - Parameters:
    ///   - resolver: Resolves the host's name.
    ///   - addressConnector: Connects to its addresses; nil uses the one for `loop`.
    ///   - answerLimit: The time after which a hello counts as unanswered; nil for the one that `MLKEMRetry` determines.
    init(
        host: String, target: ConnectTarget, tls: TLSClientConfiguration?, options: SocketOptions,
        family: ConnectOptions.AddressFamily, retriesWithoutMLKEM: Bool = false, loop: any EventLoop,
        resolver: HostResolver = .shared, addressConnector: (any AddressConnector)? = nil, answerLimit: Duration? = nil
    ) {
        self.host = host.withoutBrackets
        self.target = target
        self.tls = tls
        self.options = options
        self.family = family
        self.loop = loop
        self.executor = EventLoopExecutor.of(loop)
        self.resolver = resolver
        self.addressConnector = addressConnector
        self.retry = MLKEMRetry(isEnabled: retriesWithoutMLKEM, isPossible: tls?.context.settings.canOmitMLKEM ?? false)
        self.answerLimit = answerLimit
        if case .address = target.host { self.step = .connecting }
    }

    private var peer: String {
        if case .address(let address) = self.target.host, address.isUnix, let endpoint = SocketEndpoint(address) {
            return endpoint.description
        }
        return SocketEndpoint(host: self.host, port: self.target.port).description
    }

    func run(timeout: Duration?) async throws(SecureSocketError) -> StreamSocket {
        let waiter = Waiter<StreamSocket>()
        #if TracingSupport
            let span = self.tls.map { _ in TLSSpan(connectingTo: self.host, port: self.target.port) }
            self.span = span
        #endif
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                self.onLoop {
                    if waiter.wait(continuation, step: self.step) { self.start(waiter, timeout) }
                }
            }
        } onCancel: {
            self.onLoop { if waiter.cancel() { self.end(.failure(.cancelled(self.step))) } }
        }
        #if TracingSupport
            span?.end(outcome)
        #endif
        return try outcome.get()
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        self.executor.onLoop(body)
    }

    private func start(_ waiter: Waiter<StreamSocket>, _ timeout: Duration?) {
        self.waiter = waiter
        #if os(Linux)
            // A loop that has been shut down takes no descriptor, and a timer on it would cost Dispatch a descriptor.
            if let loop = self.loop as? EpollEventLoop, loop.hasEnded {
                let error = IOError(errnoCode: ECANCELED, reason: "the event loop has been shut down")
                return self.end(.failure(.transport(error, step: self.step, "cannot connect to \(self.peer)")))
            }
        #endif
        if let timeout {
            if timeout <= .zero { return self.timedOut(timeout) }
            waiter.limit(to: timeout, on: self.executor) { self.timedOut(timeout) }
        }
        self.timeout = timeout
        self.connect(to: self.target)
    }

    private func connect(to target: ConnectTarget) {
        let connector = HostConnector(
            on: self.executor, self.addressConnector ?? self.makeAddressConnector(), family: self.family,
            resolver: self.resolver)
        self.connector = connector
        connector.start(target) { address in
            // A second attempt is part of the handshake.
            if self.firstFailure == nil { self.step = .connecting }
            self.tried.append(address)
        } completion: { result in
            self.connected(result)
        }
    }

    private func makeAddressConnector() -> any AddressConnector {
        #if os(Linux)
            if let loop = self.loop as? EpollEventLoop { return EpollConnector(on: loop, options: self.options) }
        #endif
        return ChannelConnector(on: self.loop, options: self.options)
    }

    private func timedOut(_ timeout: Duration) {
        // For an address, the peer's text contains it already.
        let addresses = if case .name = self.target.host { self.tried.description } else { "" }
        let (doing, advice): (String, String?) =
            switch self.step {
            case .resolving:
                ("the host name \(self.host) was not resolved", "Check that this machine's name server can be reached")
            case .handshake:
                (
                    "the handshake with \(self.peer)\(addresses) was not complete",
                    self.advice(
                        "Does this port speak TLS? A server that waits to be spoken to stays silent",
                        isAnswered: self.connection?.hasSpoken ?? false)
                )
            default: ("\(self.peer)\(addresses) did not answer", nil)
            }
        self.end(
            .failure(
                SecureSocketError(
                    .timedOut, blame: .network, step: self.step, "\(doing) within \(timeout)", advice: advice)))
    }

    private func connected(_ result: Result<ConnectedTransport, any Error>) {
        if let connector { self.addresses = connector.addresses }
        self.connector = nil
        switch result {
        case .failure(let error): self.end(.failure(self.firstFailure ?? self.error(of: error)))
        case .success(let transport):
            guard !self.isOver else { return transport.close() }
            do {
                try transport.begin { self.handshake(over: $0) }
            } catch {
                transport.close()
                self.end(.failure(self.firstFailure ?? self.error(of: error, .connecting)))
            }
        }
    }

    private func makeEngine() throws(TLSFailure) -> StreamEngine {
        guard let tls else { return PlainEngine() }
        let engine = try TLSEngine(client: tls.settings, for: self.host, at: self.peer)
        if self.firstFailure != nil { try engine.omitMLKEM() }
        return engine
    }

    private func handshake(over transport: any Transport) -> Connection? {
        self.step = .handshake
        if let address = transport.remoteAddress { self.tried = TriedAddresses(address) }
        #if TracingSupport
            self.span?.setPeer(transport.remoteAddress)
        #endif
        do {
            let engine = try self.makeEngine()
            let connection = Connection(transport: transport, engine: engine, options: self.options, peerName: self.peer)
            self.connection = connection
            // The deadline of the whole call applies, not one for the handshake.
            self.loop.execute {
                if !self.isOver { self.limitAnswer(of: connection) }
                connection.start(timeout: nil) { outcome in self.handshakeEnded(connection, outcome) }
            }
            return connection
        } catch {
            self.end(.failure(SecureSocketError(error, role: .client, step: .handshake, peer: self.peer)))
            return nil
        }
    }

    private func handshakeEnded(_ connection: Connection, _ outcome: Result<Void, SecureSocketError>) {
        // The connection of a first attempt that was given up reports its end as well.
        guard !self.isOver, connection === self.connection else { return }
        switch outcome {
        case .success:
            let handle = connection.makeHandle(.handshake)
            if case .success(let socket) = handle { self.tls?.watch(connection, socket) }
            self.end(handle)
        case .failure(let error):
            let isLost = error.code == .connectionReset || error.code == .endedInHandshake
            guard isLost else { return self.end(.failure(error)) }
            let isAnswered = connection.hasSpoken
            if self.retry.begins(isAnswered: isAnswered) { return self.connectAgain(after: error) }
            let advice = self.advice(error.advice, isAnswered: isAnswered)
            self.end(.failure(advice.map(error.withAdvice) ?? error))
        }
    }

    // MARK: The second attempt

    private func limitAnswer(of connection: Connection) {
        guard let limit = self.retry.wait(of: self.timeout).map({ self.answerLimit ?? $0 }) else { return }
        self.answerTimer = self.executor.after(TimeAmount(limit)) {
            guard !self.isOver, connection === self.connection, self.retry.begins(isAnswered: connection.hasSpoken) else {
                return
            }
            self.connectAgain(
                after: .timedOut(.handshake, "\(self.peer) did not answer the first ClientHello within \(limit.roundedText)"))
        }
    }

    private func connectAgain(after failure: SecureSocketError) {
        let first = self.connection
        self.connection = nil
        self.firstFailure = failure
        self.tried = TriedAddresses()
        self.cancelAnswerTimer()
        first?.abandonHandshake(failure)
        self.connect(to: ConnectTarget(host: .addresses(self.addresses), port: self.target.port, local: self.target.local))
    }

    private func cancelAnswerTimer() {
        self.answerTimer?.cancel()
        self.answerTimer = nil
    }

    /// Adds to the advice on a connection that was lost or timed out in the handshake what ML-KEM has to do with it.
    private func advice(_ advice: String?, isAnswered: Bool) -> String? {
        guard !isAnswered, self.tls?.context.settings.canOmitMLKEM == true else { return advice }
        let addition =
            self.firstFailure == nil
            ? "A ClientHello with X25519MLKEM768 seldom fits into one TCP segment, and some devices on the path drop it: to try once more "
                + "without it, set `ConnectOptions.retriesWithoutMLKEM`, or remove it from `TLSParameters.groups`"
            : "The server answered neither a ClientHello with X25519MLKEM768 nor one without it"
        return advice.map { "\($0). \(addition)" } ?? addition
    }

    private func end(_ outcome: Result<StreamSocket, SecureSocketError>) {
        guard !self.isOver else { return }
        self.isOver = true
        self.cancelAnswerTimer()
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
        if let failure = error as? ConnectFailure, failure.attempts.isEmpty { return self.error(ofLookups: failure.lookups) }
        return self.error(of: error, self.step)
    }

    private func error(of error: any Error, _ step: SecureSocketError.Step) -> SecureSocketError {
        let error = SecureSocketError.transport(error, step: step, "cannot connect to \(self.peer)")
        if case .address(let address) = self.target.host, address.isUnix { return error.aboutUnixSocket() }
        return error
    }

    /// Selects, from the failures of both families, the one that has to be fixed first.
    private func error(ofLookups failures: [HostResolver.Failure]) -> SecureSocketError {
        for case .system(let number) in failures {
            return .system(number, step: .resolving, "cannot resolve the host name \(self.host)")
        }
        for case .rejected(let rejection) in failures {
            return SecureSocketError(
                .tooManyLookups, blame: .system, step: .resolving,
                "the host name \(self.host) was not looked up: \(rejection.text)",
                advice: "Check that the name servers answer, and connect to fewer hosts at a time")
        }
        let errors = failures.compactMap { if case .resolver(let number) = $0 { number } else { nil } }
        // A name that does not exist has addresses of neither family.
        if !errors.contains(EAI_NONAME), let temporary = errors.first(where: { [EAI_AGAIN, EAI_FAIL, EAI_MEMORY].contains($0) }) {
            return SecureSocketError(
                .unreachable, blame: .network, step: .resolving,
                "the host name \(self.host) could not be looked up (\(SystemResolver.text(of: temporary)))",
                advice: "Check that this machine's name server can be reached, and try again")
        }
        let text = errors.first.map { " (\(SystemResolver.text(of: $0)))" } ?? ""
        return SecureSocketError(
            .nameNotFound, blame: .configuration, step: .resolving, "the host name \(self.host) is not known\(text)",
            advice: "Check its spelling, and that this machine can resolve names")
    }
}

extension LookupQueue.Rejection {
    fileprivate var text: String {
        switch self {
        case .full(let waiting): "\(waiting) look-ups are waiting already"
        case .domainFull(let domain, let waiting): "\(waiting) look-ups under \(domain) are waiting already"
        }
    }
}

/// The addresses of a name that were tried, for messages: the first few, and how many more there were.
struct TriedAddresses: CustomStringConvertible {
    private static let mostInText = 4

    private var first: [String] = []
    private var count = 0

    init() {}

    init(_ address: SocketAddress) {
        self.append(address)
    }

    mutating func append(_ address: SocketAddress) {
        self.count += 1
        if self.first.count < Self.mostInText, let text = address.ipAddress { self.first.append(text) }
    }

    /// ` (127.0.0.1, ::1)`, or empty if there are none.
    var description: String {
        if self.first.isEmpty { return "" }
        let more = self.count - self.first.count
        return " (\(self.first.joined(separator: ", "))\(more > 0 ? " and \(more) more" : ""))"
    }
}

extension TLSEngine {
    /// Creates a client's engine for a host: requests its name, and expects its certificate as far as the settings require.
    ///
    /// - Parameters:
    ///   - host: The host name or address; nil for a server without either, whose name is then not verified.
    ///   - endpoint: The server's endpoint, whose sessions are kept and resumed; nil neither keeps nor resumes one, unless the settings have
    ///     a group.
    convenience init(
        client settings: TLSClientConfiguration.Settings, for host: String?, at endpoint: String?
    ) throws(TLSFailure) {
        let name = (settings.serverName ?? host).map { PeerName($0) }
        let asked: String? = if case .dns(let name)? = name { name } else { nil }
        try self.init(
            client: settings.context, serverName: asked, expecting: settings.verification == .full ? name : nil,
            // An endpoint contains no NUL character.
            sessionsOf: settings.sessionGroup.map { "\0\($0)" } ?? endpoint, requestedAs: asked)
    }
}

extension Connection {
    /// Creates the public handle. Called once, when the handshake is complete.
    func makeHandle(_ step: SecureSocketError.Step) -> Result<StreamSocket, SecureSocketError> {
        guard let tls else { return .success(PlainSocket(self)) }
        guard let negotiated = tls.negotiated else { return .failure(self.connectionLost(step)) }
        return .success(SecureSocket(self, ConnectionInformation(negotiated, wasRetriedWithoutMLKEM: tls.omitsMLKEM)))
    }
}

extension ConnectAttempt {
    /// Checks the arguments of a call and performs it.
    ///
    /// - Parameter tls: The TLS settings; nil for a plain connection.
    static func connect(
        to host: String, port: Int, tls: TLSClientConfiguration?, socketOptions: SocketOptions, options: ConnectOptions,
        timeout: Duration?, on group: any EventLoopGroup
    ) async throws(SecureSocketError) -> StreamSocket {
        guard (1...65_535).contains(port) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .connecting, "\(port) is not a port; 1 to 65535 are")
        }
        let target = ConnectTarget(
            host: try ConnectTarget.Host(host, port: port), port: port, local: try options.localEndpoint?.socketAddress())
        return try await self.connect(
            to: target, host: host, tls: tls, socketOptions: socketOptions, options: options, timeout: timeout, on: group)
    }

    /// - Parameter host: The server's name.
    static func connect(
        to target: ConnectTarget, host: String, tls: TLSClientConfiguration?, socketOptions: SocketOptions,
        options: ConnectOptions, timeout: Duration?, on group: any EventLoopGroup
    ) async throws(SecureSocketError) -> StreamSocket {
        let socketOptions = try socketOptions.validated()
        // A task that runs on one of these loops keeps its sockets there.
        let loop = try group.started(for: .connecting).any()
        let attempt = ConnectAttempt(
            host: host, target: target, tls: tls, options: socketOptions, family: options.addressFamily,
            retriesWithoutMLKEM: options.retriesWithoutMLKEM, loop: loop)
        return try await attempt.run(timeout: timeout)
    }
}

extension SocketEndpoint {
    /// Converts the address itself, without a look-up.
    func socketAddress() throws(SecureSocketError) -> SocketAddress {
        if let host = try? ConnectTarget.Host(self.host, port: self.port), case .address(let address) = host { return address }
        throw SecureSocketError(
            .invalidArgument, blame: .caller, step: .configuring, "\(self.host.escapedForDisplay) is not an internet address",
            advice: "Here names are not looked up: give an address of this machine, such as 127.0.0.1 or ::1")
    }
}

extension SecureSocket {
    /// Connects to a server: resolves its name, connects, completes the handshake and verifies the server.
    ///
    /// Calls with the same name share its look-up. At most 64 look-ups run at a time, on separate threads, and 1024 wait; names with the
    /// same last two labels may use a quarter of each. The system's resolver cannot be interrupted, so a look-up that all callers have
    /// abandoned counts until it returns. Addresses, `localhost` and names under it need no look-up.
    ///
    /// - Parameters:
    ///   - host: The host name or address. The addresses of a name are raced, and the first that connects is used (RFC 8305). A name is in
    ///     ASCII; an internationalized name is written with A-labels (`xn--…`).
    ///   - port: The port, 1 to 65535.
    ///   - tls: The TLS settings. Default: nil; chain and name are verified, with the system's trust.
    ///   - socketOptions: The options of the socket.
    ///   - options: The local endpoint, the address family, and whether to try once more without ML-KEM.
    ///   - timeout: The time limit for all steps together; nil means no limit. Default: 30 seconds.
    ///   - group: The event loops from which one is chosen. Shut down a group of SwiftNIO's only after its sockets are closed: calls made
    ///     afterwards never return.
    /// - Throws: ``SecureSocketError``: `nameNotFound`, `tooManyLookups`, `connectionRefused`, `unreachable`, `timedOut`,
    ///   `certificateVerificationFailed` with the reason, `alertReceived`, `protocolError`, `endedInHandshake`, `cancelled`, and others.
    ///   Nothing is left open.
    public static func connect(
        to host: String,
        port: Int,
        tls: TLSClientConfiguration? = nil,
        socketOptions: SocketOptions = SocketOptions(),
        options: ConnectOptions = ConnectOptions(),
        timeout: Duration? = .seconds(30),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared
    ) async throws(SecureSocketError) -> SecureSocket {
        let tls = if let tls { tls } else { try TLSClientConfiguration.standard() }
        return try await ConnectAttempt.connect(
            to: host, port: port, tls: tls, socketOptions: socketOptions, options: options, timeout: timeout, on: group
        ).secure()
    }

    /// Connects to a server, runs `body` with the socket, and closes the socket however `body` ends.
    ///
    /// ```swift
    /// let answer = try await SecureSocket.withConnection(to: "example.org", port: 443) { socket in
    ///     try await socket.send("HEAD / HTTP/1.0\r\n\r\n")
    ///     return try await socket.receiveLine()
    /// }
    /// ```
    ///
    /// When `body` returns, the socket is closed as by ``close()``: the bytes that `send` accepted are still delivered. When it throws,
    /// they are delivered too, but without `close_notify`: the peer detects that the stream is incomplete.
    ///
    /// - Parameters:
    ///   - connectTimeout: The time limit for connecting; nil means no limit. It does not limit `body`. Default: 30 seconds.
    ///   - body: The use of the socket. The other parameters are those of
    ///     ``connect(to:port:tls:socketOptions:options:timeout:on:)``.
    /// - Returns: The result of `body`.
    /// - Throws: The errors of ``connect(to:port:tls:socketOptions:options:timeout:on:)`` and of `body`.
    public static func withConnection<Value>(
        to host: String,
        port: Int,
        tls: TLSClientConfiguration? = nil,
        socketOptions: SocketOptions = SocketOptions(),
        options: ConnectOptions = ConnectOptions(),
        connectTimeout: Duration? = .seconds(30),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared,
        _ body: (SecureSocket) async throws -> Value
    ) async throws -> Value {
        let socket = try await self.connect(
            to: host, port: port, tls: tls, socketOptions: socketOptions, options: options, timeout: connectTimeout, on: group)
        do {
            let value = try await body(socket)
            socket.close()
            return value
        } catch {
            socket.closeWithoutNotify()
            throw error
        }
    }
}
