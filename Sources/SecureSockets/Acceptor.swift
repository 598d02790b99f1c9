import DequeModule
import NIOCore
import TLSEngine

/// The listening side's state: who waits for a connection, and which connections wait for somebody.
///
/// Connections are taken from the operating system's queue only when somebody wants one: a call of `accept`, or `serve` below its
/// limits. One that is taken and then not wanted any more, because its `accept` gave up, waits here for the next.
///
/// Sendable without a check because its state is touched on `loop` only.
final class Acceptor: @unchecked Sendable {
    private struct Serving {
        let limit: Int
        let failed: (@Sendable (SecureSocketError, SocketEndpoint?) -> Void)?
        /// Connections in their handshake, waiting for their handler, or with it.
        var busy = 0
        var handshaking: [ObjectIdentifier: (connection: Connection, begun: NIODeadline)] = [:]
        var ready = Deque<SecureSocket>()
        var waiter: Waiter<SecureSocket?>?
    }

    /// A call of `accept` that has no connection yet.
    private struct Accepting {
        let waiter: Waiter<SecureSocket>
        /// Where its connection is to be; nil: wherever.
        let loop: (any EventLoop)?
    }

    /// Handshakes and waiting sockets at one time while serving; more stay in the operating system's queue.
    var handshakesAtOnce = 1024
    /// How long a handshake may take while there are so many that nobody else gets a turn.
    private static let patienceInACrowd = TimeAmount.seconds(2)
    private var isRelieving = false

    let loop: any EventLoop
    let turn: LoopTurn
    private let tls: TLSConfiguration
    let options: SocketOptions
    private var port: (any ListeningPort)?
    private var accepting: Deque<Accepting> = []
    private var waitingConnections: Deque<Connection> = []
    private var serving: Serving?
    private var isClosed = false
    private var isAskedToRead = false
    private var isOutOfResources = false
    /// Channels that were taken from the operating system's queue and whose connections have not arrived here: their loop is busy
    /// with them.
    private var underway: Set<ObjectIdentifier> = []
    /// Connections of `serve` that have a descriptor.
    private var served: Set<ObjectIdentifier> = []
    private var lastLeaves: [Waiter<Void>] = []

    init(loop: any EventLoop, tls: TLSConfiguration, options: SocketOptions) {
        self.loop = loop
        self.turn = LoopTurn.of(loop)
        self.tls = tls
        self.options = options
    }

    func onLoop(_ body: @escaping @Sendable () -> Void) {
        self.turn.onLoop(body)
    }

    func listen(at port: any ListeningPort) {
        self.port = port
    }

    // MARK: The operating system's queue

    private var wantsMore: Bool {
        if self.accepting.count > self.underway.count { return true }
        guard let serving else { return false }
        return serving.busy + self.underway.count < serving.limit
            && serving.handshaking.count + serving.ready.count + self.underway.count < self.handshakesAtOnce
    }

    /// Asks for one more connection if somebody wants it.
    private func readOn() {
        guard !self.isClosed, !self.isAskedToRead, !self.isOutOfResources else { return }
        guard self.wantsMore else { return self.relieveTheCrowd() }
        self.isAskedToRead = true
        self.port?.takeOne()
    }

    private var isCrowded: Bool { self.serving.map { $0.handshaking.count >= self.handshakesAtOnce } ?? false }

    /// Sees to it that silent clients do not keep the others out until the end of their time: the slow ones give way.
    private func relieveTheCrowd() {
        guard !self.isRelieving, self.isCrowded else { return }
        self.isRelieving = true
        self.turn.after(Self.patienceInACrowd) {
            self.isRelieving = false
            // Nobody has to give way when there is room by now.
            guard self.isCrowded else { return self.readOn() }
            let latest = self.loop.now - Self.patienceInACrowd
            for (connection, begun) in self.serving?.handshaking.values ?? [:].values where begun <= latest {
                let error = SecureSocketError.timedOut(
                    .handshake, "\(connection.peerText) did not complete the handshake, and others were waiting")
                connection.onLoop { connection.abandonHandshake(error) }
            }
            self.readOn()
        }
    }

    /// Where the connection that is taken next should be: nil, wherever. It goes to the first call that waits, behind those under way.
    var wantedLoop: (any EventLoop)? {
        self.underway.count < self.accepting.count ? self.accepting[self.underway.count].loop : nil
    }

    func taken(_ id: ObjectIdentifier) {
        self.underway.insert(id)
    }

    /// It will not be a connection, or has been one.
    func leftTheWay(_ id: ObjectIdentifier) {
        if self.underway.remove(id) != nil { self.readOn() }
    }

    func readCompleted() {
        self.isAskedToRead = false
        self.readOn()
    }

    /// Taking a connection has failed: no descriptors, as a rule. The connection stays in the operating system's queue.
    func readFailed(_ error: any Error) {
        let failure = SecureSocketError.transport(error, step: .accepting, "cannot accept a connection")
        if let accepting = self.accepting.popFirst() {
            accepting.waiter.resume(.failure(failure))
        } else {
            self.serving?.failed?(failure, nil)
        }
        // Trying again at once would only burn time.
        self.isOutOfResources = true
        self.isAskedToRead = false
        self.port?.pause()
        self.turn.after(.milliseconds(50)) {
            self.isOutOfResources = false
            self.readOn()
        }
    }

    // MARK: Connections

    /// Makes the connection of a transport that was `taken` under this name. On the transport's own loop.
    func makeConnection(as id: ObjectIdentifier, over transport: any Transport) -> Connection? {
        guard let engine = try? TLSEngine(server: self.tls.context) else { return nil }
        let connection = Connection(transport: transport, engine: engine, options: self.options)
        connection.gone = { self.onLoop { self.connectionGone(connection) } }
        self.onLoop { self.arrived(connection, id) }
        return connection
    }

    private func arrived(_ connection: Connection, _ id: ObjectIdentifier) {
        self.underway.remove(id)
        defer { self.readOn() }
        if self.isClosed {
            connection.onLoop { connection.drop() }
        } else if let accepting = self.accepting.popFirst() {
            self.handshake(connection, for: accepting.waiter)
        } else if self.serving != nil {
            self.handshakeForServing(connection)
        } else {
            self.waitingConnections.append(connection)
        }
    }

    private func connectionGone(_ connection: Connection) {
        self.waitingConnections.removeAll { $0 === connection }
        guard self.served.remove(ObjectIdentifier(connection)) != nil, self.served.isEmpty else { return }
        for waiter in self.lastLeaves { waiter.resume(.success(())) }
        self.lastLeaves.removeAll()
    }

    // MARK: Accept

    nonisolated(nonsending) func accept(
        timeout: Duration?, on loop: (any EventLoop)?
    ) async throws(SecureSocketError) -> SecureSocket {
        let attempt = AcceptAttempt()
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                self.onLoop {
                    if attempt.waiter.wait(continuation, step: .accepting) { self.start(attempt, timeout, on: loop) }
                }
            }
        } onCancel: {
            self.onLoop { if attempt.waiter.cancel() { self.giveUp(attempt, .cancelled(.accepting)) } }
        }
        return try outcome.get()
    }

    /// A call of `accept`, and the connection that is in its handshake for it.
    ///
    /// Sendable without a check because it is touched on the acceptor's loop only.
    private final class AcceptAttempt: @unchecked Sendable {
        let waiter = Waiter<SecureSocket>()
    }

    /// The connections whose handshake is for a call of `accept`.
    private var handshaking: [ObjectIdentifier: Connection] = [:]

    private func start(_ attempt: AcceptAttempt, _ timeout: Duration?, on loop: (any EventLoop)?) {
        let waiter = attempt.waiter
        if self.isClosed { return waiter.resume(.failure(Self.closed)) }
        if self.tls.context.settings.identity?.hasCertificate != true {
            return waiter.resume(
                .failure(
                    SecureSocketError(
                        .identityMissing, blame: .configuration, step: .accepting, "this listener has no certificate",
                        advice: "Give the server an identity", classicReason: "enoservercert")))
        }
        // No handshake takes no time: a client that was taken would only be dropped.
        if let timeout, timeout <= .zero { return waiter.resume(.failure(Self.timedOut(timeout))) }
        if let connection = self.waitingConnections.popFirst() {
            self.handshake(connection, for: waiter)
        } else {
            self.accepting.append(Accepting(waiter: waiter, loop: loop))
            self.readOn()
        }
        guard let timeout, waiter.isWaiting else { return }
        waiter.limit(to: timeout, on: self.turn) { self.giveUp(attempt, Self.timedOut(timeout)) }
    }

    private func handshake(_ connection: Connection, for waiter: Waiter<SecureSocket>) {
        self.handshaking[ObjectIdentifier(waiter)] = connection
        self.start(connection) { result in
            self.handshaking[ObjectIdentifier(waiter)] = nil
            // A handle that nobody takes closes its connection.
            waiter.resume(result)
        }
    }

    private func giveUp(_ attempt: AcceptAttempt, _ error: SecureSocketError) {
        guard attempt.waiter.isWaiting else { return }
        self.accepting.removeAll { $0.waiter === attempt.waiter }
        if let connection = self.handshaking.removeValue(forKey: ObjectIdentifier(attempt.waiter)) {
            connection.onLoop { connection.abandonHandshake(error) }
        }
        attempt.waiter.resume(.failure(error))
    }

    /// Runs a connection's handshake; `completion` runs on the acceptor's loop.
    private func start(
        _ connection: Connection, completion: @escaping @Sendable (Result<SecureSocket, SecureSocketError>) -> Void
    ) {
        connection.onLoop {
            connection.start(timeout: self.options.handshakeTimeout) { outcome in
                let result = outcome.flatMap { connection.makeHandle(.handshake) }
                self.onLoop { completion(result) }
            }
        }
    }

    // MARK: Serve

    /// Begins to accept on its own account; false if it does so already.
    func beginServing(
        limit: Int, failed: (@Sendable (SecureSocketError, SocketEndpoint?) -> Void)?
    ) -> Result<Void, SecureSocketError> {
        if self.isClosed { return .failure(Self.closed) }
        guard self.serving == nil else {
            return .failure(
                SecureSocketError(
                    .wrongMode, blame: .caller, step: .accepting, "this listener is being served already",
                    classicReason: "einval"))
        }
        self.serving = Serving(limit: min(limit, Int.max - 1), failed: failed)
        while let connection = self.waitingConnections.popFirst() { self.handshakeForServing(connection) }
        self.readOn()
        return .success(())
    }

    private func handshakeForServing(_ connection: Connection) {
        let failed = self.serving?.failed
        self.serving?.busy += 1
        self.served.insert(ObjectIdentifier(connection))
        self.serving?.handshaking[ObjectIdentifier(connection)] = (connection, self.loop.now)
        self.start(connection) { result in
            self.serving?.handshaking[ObjectIdentifier(connection)] = nil
            switch result {
            case .success(let socket):
                if let waiter = self.serving?.waiter {
                    self.serving?.waiter = nil
                    waiter.resume(.success(socket))
                } else {
                    self.serving?.ready.append(socket)
                }
            case .failure(let error):
                failed?(error, connection.remoteEndpoint)
                self.handlerEnded()
            }
        }
    }

    /// The next established connection; nil when the listener has been closed.
    nonisolated(nonsending) func nextForServing() async throws(SecureSocketError) -> SecureSocket? {
        let waiter = Waiter<SecureSocket?>()
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                self.onLoop {
                    guard waiter.wait(continuation, step: .accepting) else { return }
                    if let socket = self.serving?.ready.popFirst() {
                        waiter.resume(.success(socket))
                    } else if self.isClosed || self.serving == nil {
                        waiter.resume(.success(nil))
                    } else {
                        self.serving?.waiter = waiter
                    }
                }
            }
        } onCancel: {
            self.onLoop {
                guard waiter.cancel() else { return }
                self.serving?.waiter = nil
                waiter.resume(.failure(.cancelled(.accepting)))
            }
        }
        return try outcome.get()
    }

    /// Ends serving: nobody takes what is in its handshake or ready by now.
    func endServing() {
        guard let serving = self.serving else { return }
        self.serving = nil
        for (connection, _) in serving.handshaking.values {
            connection.onLoop { connection.abandonHandshake(Self.closed) }
        }
        for socket in serving.ready { socket.close() }
    }

    func handlerEnded() {
        self.serving?.busy -= 1
        self.readOn()
    }

    /// Waits until the last connection of `serve` has gone. Not to be cancelled: every connection goes, within its linger time at the latest.
    nonisolated(nonsending) func waitUntilAllAreGone() async {
        let waiter = Waiter<Void>()
        _ = await withUnsafeContinuation { continuation in
            self.onLoop {
                guard waiter.wait(continuation, step: .closing) else { return }
                if self.served.isEmpty { waiter.resume(.success(())) } else { self.lastLeaves.append(waiter) }
            }
        }
    }

    // MARK: Close

    func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.port?.close()
        for accepting in self.accepting { accepting.waiter.resume(.failure(Self.closed)) }
        self.accepting.removeAll()
        for connection in self.waitingConnections { connection.onLoop { connection.drop() } }
        self.waitingConnections.removeAll()
        for connection in self.handshaking.values { connection.onLoop { connection.abandonHandshake(Self.closed) } }
        self.serving?.waiter?.resume(.success(nil))
        self.serving?.waiter = nil
    }

    // MARK: The port

    private var isPortFree = false
    private var portWaiters: [Waiter<Void>] = []

    /// The port's last word.
    func portIsFree() {
        self.isPortFree = true
        self.port = nil
        for waiter in self.portWaiters { waiter.resume(.success(())) }
        self.portWaiters.removeAll()
        self.close()
    }

    /// Waits until the port is free. Not to be cancelled: a port that is closed is free at once.
    nonisolated(nonsending) func waitUntilPortIsFree() async {
        let waiter = Waiter<Void>()
        _ = await withUnsafeContinuation { continuation in
            self.onLoop {
                guard waiter.wait(continuation, step: .closing) else { return }
                if self.isPortFree { waiter.resume(.success(())) } else { self.portWaiters.append(waiter) }
            }
        }
    }

    private static func timedOut(_ timeout: Duration) -> SecureSocketError {
        .timedOut(.accepting, "no client completed a connection within \(timeout)")
    }

    private static let closed = SecureSocketError(
        .closed, blame: .caller, step: .accepting, "the listener has been closed", classicReason: "closed")
}
