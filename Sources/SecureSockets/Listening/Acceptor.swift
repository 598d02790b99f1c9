import Logging
import NIOCore
import SocketCore
import Synchronization
import TLSEngine

/// The implementation of a listener, which performs the decisions of `AcceptMachine`.
///
/// Theory of operation. The machine's state is protected by a lock, and every loop of the listener's group queries it independently: each
/// loop takes connections from the operating system's queue (`ListeningSocket`), creates the connections that it is assigned, runs their
/// handshakes and starts their handlers. No loop waits for another, and a loop that a handler blocks keeps only the connections it has. The
/// objects of a decision are looked up under the lock. The decision is performed after the lock is released, on the loop that it concerns.
final class Acceptor: Sendable {
    /// One of the group's loops, with the lane of its handlers.
    struct Place: Sendable {
        let loop: any EventLoop
        let lane: ServingLane
        let traffic = TrafficCounter()
    }

    let places: [Place]
    private let options: SocketOptions
    private let listening: ListenerOptions
    /// The present TLS policy; nil for a listener of plain connections.
    let policy: LiveServerContext?
    private let decisions: DecisionLimits?
    private let watched: WatchedPeers?
    let logger: Logger
    private let state: Mutex<State>

    fileprivate struct State {
        var machine: AcceptMachine
        var listeningSocket: (any ListeningSocket)?
        /// The connections that are in their handshake, waiting for a call, or lingering.
        var connections: [AcceptMachine.ID: Connection] = [:]
        let loops: [any EventLoop]
        /// The number of connections that each loop's lane was given.
        var runs: [Int]
        /// The established connections whose handlers do not run yet.
        var sockets: [AcceptMachine.ID: StreamSocket] = [:]
        var errors: [AcceptMachine.ID: SecureSocketError] = [:]
        var calls: [AcceptMachine.Call: CallState] = [:]
        var lastCall: AcceptMachine.Call = 0
        var failed: (@Sendable (SecureSocketError, SocketEndpoint?) -> Void)?
        var isPortFree = false
        var portWaiters = EventWaiters()
        var departureWaiters = EventWaiters()
        var wakeDeadline: NIODeadline?
        /// The destination of established connections if the program iterates over them; nil for the lanes of `serve`.
        var unclaimed: UnclaimedSockets?
        var statistics = ListenerStatistics()
        /// Whether the task of `serve` was cancelled.
        var isAbandoned = false
        var log: ListenerLog
    }

    fileprivate enum CallState {
        /// The call has not begun to wait.
        case new
        /// The call was cancelled before it began to wait.
        case cancelled
        case waiting(UnsafeContinuation<Result<StreamSocket, SecureSocketError>, Never>, timer: Scheduled<Void>?)
    }

    /// - Parameter loops: The loops of the connections; at least one.
    init(
        loops: [any EventLoop], canChooseLoop: Bool, tls: TLSServerConfiguration?, options: SocketOptions,
        listening: ListenerOptions,
        logger: Logger
    ) {
        self.places = loops.map { Place(loop: $0, lane: ServingLane(on: EventLoopExecutor.of($0))) }
        self.policy = tls.map { LiveServerContext($0.context, ticketKeys: (listening.ticketKeys ?? TicketKeys()).ring) }
        self.decisions = tls.map { _ in DecisionLimits(listening.maximumDecisions) }
        self.logger = logger
        tls?.logUnusableIdentities(logger)
        self.watched = self.policy.flatMap { policy in WatchedPeers(listening.openConnections) { policy.current } }
        self.options = options
        self.listening = listening
        var limits = AcceptMachine.Limits(handshakes: listening.maximumHandshakes, lingering: listening.maximumLingering)
        if !canChooseLoop { limits.handOversPerLoop = .max }
        let machine = AcceptMachine(limits: limits, loops: canChooseLoop ? loops.count : 1)
        self.state = Mutex(State(machine: machine, loops: loops, runs: loops.map { _ in 0 }, log: ListenerLog(logger)))
    }

    // MARK: Decisions and effects

    /// An action to perform after the lock is released.
    fileprivate enum Work {
        case wake(any ListeningSocket)
        case begin(Connection, AcceptMachine.ID)
        case abandon(Connection, isCrowded: Bool)
        case abandonIfSilent(Connection, AcceptMachine.ID, isCrowded: Bool)
        case drop(Connection)
        case close(StreamSocket)
        case answer(CallState, Result<StreamSocket, SecureSocketError>)
        case report(SecureSocketError, SocketEndpoint?)
        case log(ListenerLog.Line)
        case run(ServedSocket, place: Int)
        case endLanes(after: [Int])
        case hand(ServedSocket, UnclaimedSockets)
        case endConnections(UnclaimedSockets, after: Int)
        case resume([UnsafeContinuation<Void, Never>])
    }

    /// Passes an event to the machine and performs the resulting effects.
    private func update(_ event: (inout AcceptMachine) -> [AcceptMachine.Effect]) {
        self.perform(self.state.withLock { $0.work(for: event(&$0.machine)) })
    }

    private func perform(_ work: [Work]) {
        for work in work {
            switch work {
            case .wake(let listeningSocket): listeningSocket.wake()
            case .begin(let connection, let id): connection.onLoop { self.beginHandshake(connection, id) }
            case .abandon(let connection, let isCrowded): connection.onLoop { self.abandon(connection, isCrowded) }
            case .abandonIfSilent(let connection, let id, let isCrowded):
                // The connection's bytes may have arrived while its loop was busy.
                connection.onLoop {
                    if connection.hasSpoken || connection.transport.hasUnreadBytes {
                        self.state.withLock { $0.machine.hasSpoken(id) }
                    } else {
                        self.abandon(connection, isCrowded)
                    }
                }
            case .drop(let connection): connection.onLoop { connection.drop() }
            case .close(let socket): socket.close()
            case .answer(let call, let result): Self.end(call, result)
            case .report(let error, let endpoint): self.report(error, endpoint)
            case .log(let line): line.write()
            case .run(let served, let place): self.run(served, self.places[place].lane)
            case .endLanes(let runs): for (place, count) in zip(self.places, runs) { place.lane.end(after: count) }
            case .hand(let served, let unclaimed):
                if unclaimed.append(served) == .isAbandoned { self.closeUnclaimed(served) }
            case .endConnections(let unclaimed, let count): unclaimed.end(after: count)
            case .resume(let waiters): for waiter in waiters { waiter.resume() }
            }
        }
    }

    private func abandon(_ connection: Connection, _ isCrowded: Bool) {
        guard connection.isHandshaking else { return }
        if isCrowded { self.state.withLock { $0.statistics.displacedHandshakes += 1 } }
        connection.abandonHandshake(isCrowded ? .crowdedOut(connection.peerText) : .listenerClosed)
    }

    private static func end(_ call: CallState, _ result: Result<StreamSocket, SecureSocketError>) {
        // A socket that no call takes is closed when its handle is deallocated.
        guard case .waiting(let continuation, let timer) = call else { return }
        timer?.cancel()
        continuation.resume(returning: result)
    }

    // MARK: Events of the listening socket

    func listen(on listeningSocket: any ListeningSocket) {
        self.state.withLock { $0.listeningSocket = listeningSocket }
    }

    /// Admits a connection: returns the place of its loop, or nil if none may be accepted now.
    func admit() -> Int? {
        let now = NIODeadline.now()
        switch self.state.withLock({ $0.admit(now) }) {
        case .take(let loop): return loop
        case .refuse(let deadline):
            if let deadline { self.wake(at: deadline) }
            return nil
        }
    }

    /// The loop for a timer: the caller's own, which is not blocked, if it is one of the listener's.
    private var timerLoop: any EventLoop { (self.places.first { $0.loop.inEventLoop } ?? self.places[0]).loop }

    /// The delay after which a timer's loop is considered blocked. Another timer is set then.
    static let mostDelay = TimeAmount.milliseconds(50)

    /// Schedules a wake-up of the listening socket. One timer serves all requests for the same time or a later one.
    private func wake(at deadline: NIODeadline) {
        let isNeeded = self.state.withLock { state in
            // An overdue timer is on a blocked loop.
            if let pending = state.wakeDeadline, pending <= deadline, pending + Self.mostDelay >= .now() { return false }
            state.wakeDeadline = deadline
            return true
        }
        guard isNeeded else { return }
        self.timerLoop.scheduleTask(deadline: deadline) {
            let listeningSocket = self.state.withLock { state in
                if state.wakeDeadline == deadline { state.wakeDeadline = nil }
                return state.listeningSocket
            }
            listeningSocket?.wake()
        }
    }

    /// Moves a connection that its loop has not taken in time. Returns the place of the loop that gets it instead.
    func moveFromStalled(place: Int) -> Int? {
        let (other, lines) = self.state.withLock { state in (state.machine.moveFromStalled(place), state.log.loopIsBlocked()) }
        for line in lines { line.write() }
        return other
    }

    func resumed(place: Int) {
        self.update { $0.resumed(loop: place) }
    }

    func notTaken(place: Int) {
        self.update { $0.notTaken(loop: place) }
    }

    /// The time until the next attempt after a shortage, if no descriptor is freed before.
    private static let pauseInShortage = TimeAmount.milliseconds(50)

    /// Handles a shortage: the process or the system has no descriptors left.
    func ranShort(place: Int, _ error: any Error) {
        let failure = SecureSocketError.transport(error, step: .accepting, "cannot accept a connection")
        let now = NIODeadline.now()
        let canMakeRoom = LingeringLimits.total.load(ordering: .relaxed) > 0
        let work: [Work] = self.state.withLock { state in
            let connections = state.connections
            let (effects, refused) = state.machine.ranShort(
                loop: place, now: now, retryAt: now + Self.pauseInShortage, canMakeRoom: canMakeRoom
            ) { connections[$0]?.hasSpoken ?? true }
            let call = refused.flatMap { state.calls.removeValue(forKey: $0) }
            return state.work(for: effects) + (call.map { [.answer($0, .failure(failure))] } ?? [])
                + state.log.ranShort(failure, at: now).map { .log($0) }
        }
        self.perform(work)
        self.wake(at: now + Self.pauseInShortage)
        guard canMakeRoom else { return }
        for place in self.places {
            place.lane.executor.onLoop { place.lane.executor.dropOldestLingering(AcceptMachine.roomPerShortage) }
        }
    }

    /// Creates the connection over an admitted transport. Called on the transport's loop. The handshake begins when the transport reports
    /// `transportBegan`.
    func makeConnection(place: Int, over transport: any Transport) -> Connection? {
        guard let engine = self.makeEngine() else {
            self.notTaken(place: place)
            return nil
        }
        let connection = Connection(transport: transport, engine: engine, options: self.options)
        connection.decisionLimits = self.decisions
        connection.traffic = self.places[place].traffic
        let now = NIODeadline.now()
        let (arrival, work) = self.state.withLock { state in
            state.arrived(connection, place, now)
        }
        defer { self.perform(work) }
        switch arrival {
        case .drop: return nil
        case .wait(let id): connection.gone = { self.gone(id, $0) }
        case .handshake(let id):
            connection.gone = { self.gone(id, $0) }
            connection.began = { [unowned connection] in self.beginHandshake(connection, id) }
        }
        return connection
    }

    private func makeEngine() -> StreamEngine? {
        guard let policy else { return PlainEngine() }
        return try? TLSEngine(server: policy)
    }

    private func gone(_ id: AcceptMachine.ID, _ connection: Connection) {
        let wasEstablished = connection.isEstablished
        if wasEstablished { self.watched?.gone(connection) }
        let work: [Work] = self.state.withLock { state in
            state.connections[id] = nil
            if wasEstablished { state.statistics.openConnections -= 1 }
            return state.work(for: state.machine.gone(id))
        }
        self.perform(work)
    }

    // MARK: Handshakes

    private func beginHandshake(_ connection: Connection, _ id: AcceptMachine.ID) {
        connection.gone = { self.gone(id, $0) }
        #if TracingSupport
            let span = self.policy.map { _ in TLSSpan(handshakeOf: connection) }
        #endif
        connection.start(timeout: self.listening.handshakeTimeout) { outcome in
            let result = outcome.flatMap { connection.makeHandle(.handshake) }
            #if TracingSupport
                span?.end(result)
            #endif
            if case .success(let socket) = result { self.watch(connection, socket) }
            self.perform(self.state.withLock { $0.handshakeEnded(id, result) })
        }
        // The transport was lost while the connection waited for a call.
        if connection.isTransportGone, connection.successor == nil { self.gone(id, connection) }
    }

    private func watch(_ connection: Connection, _ socket: StreamSocket) {
        guard let watched, let information = (socket as? SecureSocket)?.information else { return }
        watched.watch(connection, information) { [unowned connection] error in
            let lines = self.state.withLock { state in
                state.statistics.refusedOpenConnections += 1
                return state.log.peerRefused(error, peer: connection.peerText, at: .now())
            }
            for line in lines { line.write() }
        }
    }

    /// Replaces the TLS policy, and checks open connections if they are to end when it refuses them.
    func replacePolicy(with context: TLSContext) {
        guard let policy else { return }
        let former = policy.replace(with: context)
        if !context.verifiesAlike(former) { self.watched?.check() }
    }

    var statistics: ListenerStatistics {
        var statistics = self.state.withLock { state in
            var statistics = state.statistics
            statistics.handshakesInProgress = state.machine.handshakesInProgress
            statistics.lingeringConnections = state.machine.lingeringConnections
            return statistics
        }
        for place in self.places {
            statistics.receivedBytes += place.traffic.receivedBytes
            statistics.sentBytes += place.traffic.sentBytes
        }
        if let policy {
            statistics.configurationGeneration = policy.generation
            statistics.describe(policy.current)
        }
        return statistics
    }

    private func report(_ error: SecureSocketError, _ endpoint: SocketEndpoint?) {
        let (failed, lines) = self.state.withLock { state in
            (state.failed, state.failed == nil ? state.log.handshakeFailed(error, at: .now()) : [])
        }
        failed?(error, endpoint)
        for line in lines { line.write() }
    }

    // MARK: Accept

    func accept(
        timeout: Duration?, on loop: (any EventLoop)?
    ) async throws(SecureSocketError) -> StreamSocket {
        if let refusal = self.refusalOfAccept(timeout) { throw refusal }
        let call = self.state.withLock { state in
            state.lastCall += 1
            state.calls[state.lastCall] = .new
            return state.lastCall
        }
        let place = loop.flatMap { loop in self.places.firstIndex { $0.loop === loop } }
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in self.begin(call, continuation, timeout, place) }
        } onCancel: {
            self.giveUp(call, .cancelled(.accepting))
        }
        // The call may have been cancelled after its answer.
        self.state.withLock { _ = $0.calls.removeValue(forKey: call) }
        return try outcome.get()
    }

    private func refusalOfAccept(_ timeout: Duration?) -> SecureSocketError? {
        if self.state.withLock({ $0.machine.isClosed }) { return .listenerClosed }
        if let policy, policy.current.settings.identity?.hasCertificate != true {
            return SecureSocketError(
                .identityMissing, blame: .configuration, step: .accepting, "this listener has no certificate",
                advice: "Give the server an identity")
        }
        // No handshake completes in no time: an accepted client would only be dropped.
        if let timeout, timeout <= .zero { return Self.timedOut(timeout) }
        return nil
    }

    private func begin(
        _ call: AcceptMachine.Call, _ continuation: UnsafeContinuation<Result<StreamSocket, SecureSocketError>, Never>,
        _ timeout: Duration?, _ place: Int?
    ) {
        let timer = timeout.map { timeout in
            self.places[place ?? 0].loop.scheduleTask(in: TimeAmount(timeout)) {
                self.giveUp(call, Self.timedOut(timeout))
            }
        }
        let work: [Work] = self.state.withLock { state in
            let waiting = CallState.waiting(continuation, timer: timer)
            if case .cancelled? = state.calls.removeValue(forKey: call) {
                return [.answer(waiting, .failure(.cancelled(.accepting)))]
            }
            state.calls[call] = waiting
            return state.work(for: state.machine.acceptCalled(call, loop: place, now: .now()))
        }
        self.perform(work)
    }

    private func giveUp(_ call: AcceptMachine.Call, _ error: SecureSocketError) {
        let work: [Work] = self.state.withLock { state in
            switch state.calls[call] {
            case .new, .cancelled: state.calls[call] = .cancelled
            // The call has its answer.
            case nil: break
            case .waiting?:
                guard let waiting = state.calls.removeValue(forKey: call) else { break }
                return [.answer(waiting, .failure(error))] + state.work(for: state.machine.callGaveUp(call))
            }
            return []
        }
        self.perform(work)
    }

    private static func timedOut(_ timeout: Duration) -> SecureSocketError {
        .timedOut(.accepting, "no client completed a connection within \(timeout)")
    }

    // MARK: Serve

    /// Begins to accept for `serve`. Returns the error if it cannot.
    func beginServing(
        maximumConnections: Int, failed: (@Sendable (SecureSocketError, SocketEndpoint?) -> Void)?
    ) -> SecureSocketError? {
        let (refusal, work): (SecureSocketError?, [Work]) = self.state.withLock { state in
            if state.machine.isClosed { return (.listenerClosed, []) }
            if state.machine.isServed {
                return (.isServed, [])
            }
            state.failed = failed
            return (nil, state.work(for: state.machine.serve(maximumConnections: maximumConnections, now: .now())))
        }
        self.perform(work)
        return refusal
    }

    /// Returns the next connection for a program that iterates over them; nil when there will be no more.
    func nextConnection() async throws(SecureSocketError) -> StreamSocket? {
        let unclaimed = try self.beginHandingOver()
        guard let served = try await unclaimed.next() else { return nil }
        self.update { $0.taken(served.id) }
        return served.socket
    }

    /// Begins to accept for a program that iterates over the connections, if that has not begun before.
    private func beginHandingOver() throws(SecureSocketError) -> UnclaimedSockets {
        let new = UnclaimedSockets()
        let (outcome, work): (Result<UnclaimedSockets, SecureSocketError>, [Work]) = self.state.withLock { state in
            if let unclaimed = state.unclaimed { return (.success(unclaimed), []) }
            if state.machine.isServed { return (.failure(.isServed), []) }
            state.unclaimed = new
            if state.machine.isClosed {
                new.end(after: 0)
                return (.success(new), [])
            }
            return (.success(new), state.work(for: state.machine.serve(maximumConnections: UnclaimedSockets.limit, now: .now())))
        }
        self.perform(work)
        return try outcome.get()
    }

    /// Closes the established connections that the program has not taken, including those that are established later.
    func closeUnclaimed() {
        let unclaimed = self.state.withLock { $0.unclaimed }
        for served in unclaimed?.abandon() ?? [] { self.closeUnclaimed(served) }
    }

    private func closeUnclaimed(_ served: ServedSocket) {
        served.socket.close()
        self.update { $0.taken(served.id) }
    }

    /// Called on any thread, usually on the socket's loop.
    private func run(_ served: ServedSocket, _ lane: ServingLane) {
        lane.executor.onLoop { lane.append(served) }
    }

    /// Records that a socket's handler has ended and its socket is closed. Called on the socket's loop.
    func handlerEnded(_ served: ServedSocket, _ error: (any Error)?) {
        let connection = served.socket.connection.successor ?? served.socket.connection
        let (work, isAbandoned): ([Work], Bool) = self.state.withLock { state in
            if !connection.isTransportGone { state.connections[served.id] = connection }
            let lines = error.map { state.log.handlerThrew($0, peer: connection.peerText, at: .now()) } ?? []
            return (state.work(for: state.machine.handlerEnded(served.id)) + lines.map { .log($0) }, state.isAbandoned)
        }
        self.perform(work)
        if isAbandoned { connection.onLoop { connection.hasten() } }
    }

    /// Waits until the last connection of `serve` has ended. The wait cannot be cancelled: every connection ends within its linger time.
    func waitUntilAllAreGone() async {
        await self.wait(for: \.departureWaiters) { $0.machine.isDeserted }
    }

    // MARK: Close

    /// Stops listening. Connections of `serve` that are ready or in their handshake are still served. Calls of `accept` end.
    func close() {
        let (listeningSocket, isServed) = self.state.withLock { state in
            state.machine.portCloses()
            return (state.listeningSocket, state.machine.isServed)
        }
        // Before the machine stops listening, so that connections in the operating system's queue are admitted as usual.
        listeningSocket?.close(takingQueue: isServed)
        self.endListening()
    }

    /// Makes the machine stop listening, and limits the time for handshakes in progress.
    private func endListening() {
        let (work, isDraining): ([Work], Bool) = self.state.withLock { state in
            guard state.machine.isListening else { return ([], false) }
            let work = state.work(for: state.machine.close(isGraceful: true))
            return (work, !state.machine.isClosed)
        }
        self.perform(work)
        guard isDraining else { return }
        // On every loop, because any of them may be blocked.
        for place in self.places {
            self.dropSilent(at: .now() + AcceptMachine.silentPatience, on: place.loop)
            place.loop.scheduleTask(in: Self.longestDrain) { self.update { $0.dropHandshakes() } }
        }
    }

    private func dropSilent(at deadline: NIODeadline, on loop: any EventLoop) {
        loop.scheduleTask(deadline: deadline) {
            let (work, next): ([Work], NIODeadline?) = self.state.withLock { state in
                let connections = state.connections
                let (effects, next) = state.machine.dropSilent(now: .now()) { connections[$0]?.hasSpoken ?? true }
                return (state.work(for: effects), next)
            }
            self.perform(work)
            if let next { self.dropSilent(at: next, on: loop) }
        }
    }

    /// Runs `body` after a delay on every loop, because any of them may be blocked. It must be safe to run `body` several times.
    func schedule(after delay: TimeAmount, _ body: @escaping @Sendable () -> Void) -> [Scheduled<Void>] {
        self.places.map { $0.loop.scheduleTask(in: delay, body) }
    }

    /// The time limit for handshakes that are in progress when the listener is closed.
    private static let longestDrain = TimeAmount.seconds(10)

    /// Ends everything except the running handlers, and hastens lingering connections.
    func abandonServing() {
        let (work, lingering) = self.state.withLock { state in
            state.isAbandoned = true
            return (state.work(for: state.machine.close(isGraceful: false)), Array(state.connections.values))
        }
        self.perform(work)
        for connection in lingering { connection.onLoop { connection.hasten() } }
        self.closeUnclaimed()
    }

    /// Records that the listening socket is closed and its port is free. Its last call.
    func portIsFree() {
        let waiters = self.state.withLock { state in
            state.isPortFree = true
            state.listeningSocket = nil
            return state.portWaiters.removeAll()
        }
        for waiter in waiters { waiter.resume() }
        self.endListening()
    }

    /// Waits until the port is free. The wait cannot be cancelled: closing the listening socket frees the port at once.
    func waitUntilPortIsFree() async {
        await self.wait(for: \.portWaiters) { $0.isPortFree }
    }

    /// Waits until the port is free and the last connection of `serve` has ended, or the task is cancelled.
    func waitUntilEndOrCancelled() async {
        await self.waitOrCancelled(for: \.portWaiters) { $0.isPortFree }
        await self.waitOrCancelled(for: \.departureWaiters) { $0.machine.isDeserted }
    }

    private typealias Event = any WritableKeyPath<State, EventWaiters> & Sendable

    private func waitOrCancelled(for event: Event, unless hasOccurred: (State) -> Bool) async {
        let id = self.state.withLock { $0[keyPath: event].newID() }
        await withTaskCancellationHandler {
            await self.wait(for: event, as: id) { Task.isCancelled || hasOccurred($0) }
        } onCancel: {
            // A task that is cancelled before its wait was registered finds that out under the lock.
            self.state.withLock { $0[keyPath: event].remove(id) }?.resume()
        }
    }

    private func wait(for event: Event, as id: EventWaiters.ID? = nil, unless hasOccurred: (State) -> Bool) async {
        await withUnsafeContinuation { continuation in
            let isOver = self.state.withLock { state in
                if hasOccurred(state) { return true }
                let id = id ?? state[keyPath: event].newID()
                state[keyPath: event].add(continuation, as: id)
                return false
            }
            if isOver { continuation.resume() }
        }
    }
}

// MARK: Under the lock

extension Acceptor.State {
    /// Returns the actions for the machine's effects, with the objects that they concern.
    fileprivate mutating func work(for effects: [AcceptMachine.Effect]) -> [Acceptor.Work] {
        var work: [Acceptor.Work] = []
        for effect in effects {
            if let next = self.work(for: effect) { work.append(next) }
        }
        return work
    }

    private mutating func work(for effect: AcceptMachine.Effect) -> Acceptor.Work? {
        switch effect {
        case .wake: return self.listeningSocket.map { .wake($0) }
        case .begin(let id): return self.connections[id].map { .begin($0, id) }
        case .abandon(let id, let isCrowded): return self.connections[id].map { .abandon($0, isCrowded: isCrowded) }
        case .abandonIfSilent(let id, let isCrowded):
            return self.connections[id].map { .abandonIfSilent($0, id, isCrowded: isCrowded) }
        case .drop(let id):
            if let socket = self.sockets.removeValue(forKey: id) { return .close(socket) }
            return self.connections[id].map { .drop($0) }
        case .answer(let call, let id): return self.answer(call, self.sockets.removeValue(forKey: id).map { .success($0) })
        case .fail(let call, let id): return self.answer(call, self.errors.removeValue(forKey: id).map { .failure($0) })
        case .refuse(let call): return self.answer(call, .failure(.listenerClosed))
        case .report(let id):
            return self.errors.removeValue(forKey: id).map { .report($0, self.connections[id]?.remoteEndpoint) }
        case .run(let id):
            guard let socket = self.sockets.removeValue(forKey: id) else { return nil }
            let place = self.loops.firstIndex { $0 === socket.connection.loop } ?? 0
            self.runs[place] += 1
            let served = ServedSocket(id: id, socket: socket)
            return self.unclaimed.map { .hand(served, $0) } ?? .run(served, place: place)
        case .allAreServed:
            return self.unclaimed.map { .endConnections($0, after: self.runs.reduce(0, +)) } ?? .endLanes(after: self.runs)
        case .allAreGone:
            return .resume(self.departureWaiters.removeAll())
        }
    }

    /// Returns the answer to a call; nil if the call has given up. A socket for that call is closed when its handle is deallocated.
    private mutating func answer(
        _ call: AcceptMachine.Call, _ result: Result<StreamSocket, SecureSocketError>?
    ) -> Acceptor.Work? {
        guard let result, let state = self.calls.removeValue(forKey: call) else { return nil }
        return .answer(state, result)
    }

    fileprivate mutating func admit(_ now: NIODeadline) -> AcceptMachine.Admission {
        let connections = self.connections
        return self.machine.admit(now: now) { connections[$0]?.hasSpoken ?? true }
    }

    fileprivate mutating func arrived(
        _ connection: Connection, _ place: Int, _ now: NIODeadline
    ) -> (arrival: AcceptMachine.Arrival, work: [Acceptor.Work]) {
        let connections = self.connections
        let (arrival, effects) = self.machine.arrived(loop: place, now: now) { connections[$0]?.hasSpoken ?? true }
        switch arrival {
        case .handshake(let id), .wait(let id): self.connections[id] = connection
        case .drop: break
        }
        return (arrival, self.work(for: effects) + self.log.arrived(at: now).map { .log($0) })
    }

    fileprivate mutating func handshakeEnded(
        _ id: AcceptMachine.ID, _ result: Result<StreamSocket, SecureSocketError>
    ) -> [Acceptor.Work] {
        switch result {
        case .success(let socket):
            // Established connections are not kept here. A lingering one is added again when its handler ends.
            self.connections[id] = nil
            self.sockets[id] = socket
            self.statistics.completed((socket as? SecureSocket)?.information)
            let work = self.work(for: self.machine.handshakeCompleted(id))
            return work
        case .failure(let error):
            self.errors[id] = error
            self.statistics.failed(error)
            defer { self.errors[id] = nil }
            return self.work(for: self.machine.handshakeFailed(id))
        }
    }
}

extension SecureSocketError {
    static let listenerClosed = SecureSocketError(
        .closed, blame: .caller, step: .accepting, "the listener has been closed")

    fileprivate static let isServed = SecureSocketError(
        .wrongMode, blame: .caller, step: .accepting, "this listener is being served already")

    fileprivate static func crowdedOut(_ peer: String) -> SecureSocketError {
        .timedOut(.handshake, "\(peer) did not complete the handshake, and others were waiting")
    }
}
