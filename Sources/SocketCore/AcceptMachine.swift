package import NIOCore

/// The state of a listener: which calls wait for a connection, what happens to arriving connections, and which of them have to leave when
/// there are too many.
///
/// Events arrive as method calls and decisions are returned as values; the acceptor performs them. A connection goes through these states:
///
///     admitted ──▶ handshaking, for a call of `accept` ──▶ answered                            (no longer this machine's)
///        │    └──▶ waiting, for the next call              ▲
///        │              └──────────────────────────────────┘
///        └────────▶ handshaking, for `serve` ──▶ established: ready ──▶ running ──▶ lingering ──▶ gone
///                             └── failed ───────────────────────────────────────────▲
///
/// Where a program iterates the listener's connections, a connection runs from its establishment until the program takes it; then it is
/// no longer this machine's.
///
///     event ↓     listener →  listening                            draining              closed
///     admit                   if something is wanted ¹             refused               refused
///     arrived                 for a call, for `serve`, or waiting  for `serve` ²         dropped
///     accept called           waits, or takes a waiting one        closed                closed
///     handshake complete      answered; or running, or ready ³     running ³             dropped
///     handler ended           lingering; the first ready one runs, and more may be admitted
///     taken by the program    forgotten; the first ready one runs, and more may be admitted
///     close                   draining if it is served and the end is graceful; otherwise closed, and everything leaves
///
/// ¹ A call waits for which no connection is on its way; or `serve` is below `maximumConnections`, and below `maximumHandshakes` or able to
///   make room. At the limit, the connection that has waited longest without having sent anything leaves, once `silentPatience` has passed;
///   if all have sent something, the oldest whose handshake has taken `slowPatience`.
/// ² Taken from the operating system's queue before the listening socket was closed.
/// ³ Running below `maximumConnections`; otherwise ready until a handler ends.
package struct AcceptMachine {
    /// Identifies a connection. Never reused.
    package typealias ID = UInt64
    /// Identifies a call of `accept`. Never reused.
    package typealias Call = UInt64

    package struct Limits: Sendable {
        /// The limit of connections of `serve` whose handshake is in progress.
        package var handshakes: Int
        /// The limit of connections of `serve` that are closed on this side but not yet gone. Lower if few connections are served.
        package var lingering: Int
        /// The limit of connections that one event loop may have been given without having taken them. A blocked loop is given no more.
        package var handOversPerLoop = 32

        package init(handshakes: Int, lingering: Int) {
            self.handshakes = handshakes
            self.lingering = lingering
        }
    }

    /// How long a connection may stay silent while others wait for its place. A client sends its first bytes together with the last packet
    /// of TCP's handshake, so network distance does not matter.
    package static let silentPatience = TimeAmount.milliseconds(100)
    /// How long a handshake that has begun may take while others wait for its place.
    package static let slowPatience = TimeAmount.seconds(2)
    /// The lowest limit of connections that are closed on this side but not yet gone, however few connections the listener serves.
    package static let fewestLingering = 64
    /// The number of connections that make room at once when the process has run out of descriptors.
    package static let roomPerShortage = 16

    package enum Admission: Equatable {
        /// One connection may be taken. It is handed to this loop.
        case take(loop: Int)
        /// No connection is wanted. A change is announced by `wake`, or occurs at this time.
        case refuse(until: NIODeadline?)
    }

    package enum Arrival: Equatable {
        case handshake(ID)
        /// The connection waits until `accept` is called.
        case wait(ID)
        case drop
    }

    package enum Effect: Equatable {
        /// More connections may be admitted.
        case wake
        /// Begin the handshake of a waiting connection.
        case begin(ID)
        /// Abandon a handshake: others need its place, or no call waits for its result.
        case abandon(ID, isCrowded: Bool)
        /// Like `abandon`, unless the connection has sent something that its loop has not yet read; then `hasSpoken` follows.
        case abandonIfSilent(ID, isCrowded: Bool)
        /// Drop a waiting or lingering connection.
        case drop(ID)
        /// Return the connection to the call.
        case answer(Call, ID)
        /// Fail the call, because its connection has failed.
        case fail(Call, ID)
        /// End the call without a connection, because the listener is closed.
        case refuse(Call)
        /// Report the failed handshake of a connection of `serve`.
        case report(ID)
        /// Run the handler of the connection.
        case run(ID)
        /// No more handlers will run.
        case allAreServed
        /// The last connection of `serve` has gone.
        case allAreGone
    }

    private enum Phase { case listening, draining, closed }

    private enum Purpose {
        case call(Call)
        case serve
    }

    private struct Handshake {
        let purpose: Purpose
        let begun: NIODeadline
    }

    private struct Serving {
        let maximumConnections: Int
        var running = 0
        var ready = ArrivalQueue<ID>()
        /// Handshakes whose connections have not been seen to send anything, and the others, each in the order of their beginning.
        var silent = ArrivalQueue<ID>()
        var speaking = ArrivalQueue<ID>()
        var lingering = ArrivalQueue<ID>()
        /// All connections that have arrived and not gone.
        var present: Set<ID> = []
        let mostLingering: Int
        /// The number of handshakes that have not ended, abandoned ones included.
        var unfinished = 0
        var isOver = false

        /// The number of handshakes that occupy a place.
        var handshakes: Int { self.silent.count + self.speaking.count }
    }

    private struct Loop {
        /// The number of connections that the loop has been given and has not yet taken.
        var underway = 0
        /// Whether the loop has left connections untaken for too long. It is given no more until it makes progress.
        var isStalled = false
    }

    private var limits: Limits
    private var phase = Phase.listening
    private var lastID: ID = 0
    private var calls: [(call: Call, loop: Int?)] = []
    private var handshakes: [ID: Handshake] = [:]
    private var connectionsOfCalls: [Call: ID] = [:]
    private var waiting = ArrivalQueue<ID>()
    private var serving: Serving?
    /// The connections that each loop has been given.
    private var loops: [Loop]
    private var nextLoop = 0
    /// The time until which nothing is admitted, because there are no descriptors left.
    private var shortageUntil: NIODeadline?
    /// Whether the listening socket has not asked yet, or was refused.
    private var wasRefused = true

    package init(limits: Limits, loops: Int) {
        self.limits = limits
        self.loops = Array(repeating: Loop(), count: max(loops, 1))
    }

    /// The number of connections whose handshake has begun and not ended.
    package var handshakesInProgress: Int { self.handshakes.count }
    /// The number of connections of `serve` that are closed on this side but not yet gone.
    package var lingeringConnections: Int { self.serving?.lingering.count ?? 0 }

    // MARK: Admission

    /// Decides whether a connection may be taken from the operating system's queue. If so, `arrived` or `notTaken` must follow.
    ///
    /// - Parameter hasSpoken: Returns whether a connection has sent anything yet.
    package mutating func admit(now: NIODeadline, hasSpoken: (ID) -> Bool) -> Admission {
        self.wasRefused = true
        guard self.phase == .listening else { return .refuse(until: nil) }
        if let shortageUntil {
            guard now >= shortageUntil else { return .refuse(until: shortageUntil) }
            self.shortageUntil = nil
        }
        let underway = self.loops.reduce(0) { $0 + $1.underway }
        let isForCall = self.calls.count > underway
        if !isForCall {
            guard let serving, serving.running + serving.ready.count < serving.maximumConnections else {
                return .refuse(until: nil)
            }
            if serving.handshakes + underway >= self.limits.handshakes {
                switch self.victim(now: now, hasSpoken) {
                case .silent, .slow: break
                case .later(let deadline): return .refuse(until: deadline)
                }
            }
        }
        guard let loop = self.loop(wanted: isForCall ? self.calls[underway].loop : nil) else { return .refuse(until: nil) }
        self.loops[loop].underway += 1
        self.wasRefused = false
        return .take(loop: loop)
    }

    /// Returns the loop that a call requires, or else the next one that can take a connection.
    private mutating func loop(wanted: Int?) -> Int? {
        func takes(_ loop: Int) -> Bool {
            !self.loops[loop].isStalled && self.loops[loop].underway < self.limits.handOversPerLoop
        }
        if let wanted, takes(wanted) { return wanted }
        for _ in self.loops.indices {
            let loop = self.nextLoop
            self.nextLoop = (self.nextLoop + 1) % self.loops.count
            if takes(loop) { return loop }
        }
        return nil
    }

    /// Marks a loop that has not taken a connection for too long as stalled. Returns another loop for this connection; nil if there is
    /// none.
    package mutating func moveFromStalled(_ loop: Int) -> Int? {
        self.loops[loop].isStalled = true
        guard let other = self.loop(wanted: nil) else { return nil }
        self.loops[loop].underway -= 1
        self.loops[other].underway += 1
        return other
    }

    /// Records that a stalled loop makes progress again.
    package mutating func resumed(loop: Int) -> [Effect] {
        guard self.loops[loop].isStalled else { return [] }
        self.loops[loop].isStalled = false
        return self.endOfChange([])
    }

    /// Records that there was no connection to take, or that it was gone before it was established.
    package mutating func notTaken(loop: Int) -> [Effect] {
        self.loops[loop].underway -= 1
        return self.endOfChange([])
    }

    /// Records that the process or the system has run out of descriptors. Dispensable connections make room; those in the operating
    /// system's queue stay there for a moment.
    ///
    /// - Parameter canMakeRoom: Whether connections other than this listener's make room.
    /// - Returns: The connections that make room, or the call of `accept` that fails if none can.
    package mutating func ranShort(
        loop: Int, now: NIODeadline, retryAt: NIODeadline, canMakeRoom: Bool = false, hasSpoken: (ID) -> Bool
    ) -> (effects: [Effect], refused: Call?) {
        self.loops[loop].underway -= 1
        self.shortageUntil = retryAt
        var effects: [Effect] = []
        while effects.count < Self.roomPerShortage, let id = self.serving?.lingering.popFirst() { effects.append(.drop(id)) }
        while effects.count < Self.roomPerShortage, let effect = self.abandonVictim(now: now, hasSpoken) {
            effects.append(effect)
        }
        guard effects.isEmpty, !canMakeRoom, !self.calls.isEmpty else { return (effects, nil) }
        return ([], self.calls.removeFirst().call)
    }

    private enum Victim { case silent(ID), slow(ID), later(NIODeadline?) }

    /// Selects the connection that has to leave if there are too many handshakes.
    private mutating func victim(now: NIODeadline, _ hasSpoken: (ID) -> Bool) -> Victim {
        var earliest: NIODeadline?
        while let id = self.serving?.silent.first {
            if hasSpoken(id) {
                _ = self.serving?.silent.remove(id)
                self.serving?.speaking.append(id)
                continue
            }
            let end = (self.handshakes[id]?.begun ?? now) + Self.silentPatience
            if end <= now { return .silent(id) }
            earliest = end
            break
        }
        if let id = self.serving?.speaking.first {
            let end = (self.handshakes[id]?.begun ?? now) + Self.slowPatience
            if end <= now { return .slow(id) }
            earliest = min(earliest ?? end, end)
        }
        return .later(earliest)
    }

    // MARK: Connections

    /// Records that an admitted connection is on its loop.
    package mutating func arrived(
        loop: Int, now: NIODeadline, hasSpoken: (ID) -> Bool
    ) -> (arrival: Arrival, effects: [Effect]) {
        self.loops[loop].underway -= 1
        self.loops[loop].isStalled = false
        guard self.phase != .closed else { return (.drop, self.endOfChange([])) }
        self.lastID += 1
        let id = self.lastID
        if self.phase == .listening, !self.calls.isEmpty {
            self.beginForCall(self.calls.removeFirst().call, id, now: now)
            return (.handshake(id), self.endOfChange([]))
        }
        guard let serving else {
            self.waiting.append(id)
            return (.wait(id), self.endOfChange([]))
        }
        var effects: [Effect] = []
        if serving.handshakes >= self.limits.handshakes, let effect = self.abandonVictim(now: now, hasSpoken) {
            effects = [effect]
        }
        self.beginServing(id, now: now)
        return (.handshake(id), self.endOfChange(effects))
    }

    private mutating func beginForCall(_ call: Call, _ id: ID, now: NIODeadline) {
        self.handshakes[id] = Handshake(purpose: .call(call), begun: now)
        self.connectionsOfCalls[call] = id
    }

    private mutating func beginServing(_ id: ID, now: NIODeadline) {
        self.handshakes[id] = Handshake(purpose: .serve, begun: now)
        self.serving?.unfinished += 1
        self.serving?.silent.append(id)
        self.serving?.present.insert(id)
    }

    private mutating func abandonVictim(now: NIODeadline, _ hasSpoken: (ID) -> Bool) -> Effect? {
        switch self.victim(now: now, hasSpoken) {
        case .later: return nil
        case .silent(let id):
            self.leavePlace(id)
            return .abandonIfSilent(id, isCrowded: true)
        case .slow(let id):
            self.leavePlace(id)
            return .abandon(id, isCrowded: true)
        }
    }

    /// Removes a handshake that is to be abandoned from the count, because its place is given to another. Its failure is reported like any
    /// other when it occurs.
    private mutating func leavePlace(_ id: ID) {
        _ = self.serving?.silent.remove(id)
        _ = self.serving?.speaking.remove(id)
    }

    /// Records that a connection, to be abandoned because it was silent, has sent something. It gets a place again, even if that exceeds
    /// the limit by one.
    package mutating func hasSpoken(_ id: ID) {
        guard case .serve? = self.handshakes[id]?.purpose else { return }
        self.serving?.speaking.append(id)
    }

    package mutating func handshakeCompleted(_ id: ID) -> [Effect] {
        guard let handshake = self.handshakes.removeValue(forKey: id) else { return [.drop(id)] }
        switch handshake.purpose {
        case .call(let call):
            self.connectionsOfCalls[call] = nil
            return self.endOfChange([.answer(call, id)])
        case .serve:
            self.leaveHandshakes(id)
            guard self.phase != .closed, self.serving?.isOver == false else { return self.endOfChange([.drop(id)]) }
            self.serving?.ready.append(id)
            return self.endOfChange(self.runReady())
        }
    }

    package mutating func handshakeFailed(_ id: ID) -> [Effect] {
        guard let handshake = self.handshakes.removeValue(forKey: id) else { return [] }
        switch handshake.purpose {
        case .call(let call):
            self.connectionsOfCalls[call] = nil
            return self.endOfChange([.fail(call, id)])
        case .serve:
            self.leaveHandshakes(id)
            return self.endOfChange([.report(id)] + self.linger(id))
        }
    }

    private mutating func leaveHandshakes(_ id: ID) {
        self.serving?.unfinished -= 1
        _ = self.serving?.silent.remove(id)
        _ = self.serving?.speaking.remove(id)
    }

    /// Runs ready connections, as far as the limit permits.
    private mutating func runReady() -> [Effect] {
        var effects: [Effect] = []
        while let serving, serving.running < serving.maximumConnections, let id = self.serving?.ready.popFirst() {
            self.serving?.running += 1
            effects.append(.run(id))
        }
        return effects
    }

    /// Records that a handler has ended and its connection is closed on this side.
    package mutating func handlerEnded(_ id: ID) -> [Effect] {
        self.serving?.running -= 1
        return self.endOfChange(self.linger(id) + self.runReady())
    }

    /// The program has taken an established connection.
    package mutating func taken(_ id: ID) -> [Effect] {
        _ = self.serving?.present.remove(id)
        self.serving?.running -= 1
        return self.endOfChange(self.runReady())
    }

    private mutating func linger(_ id: ID) -> [Effect] {
        // No copy of `serving` may exist while it changes, or its queues are copied.
        guard let most = self.serving?.mostLingering, self.serving?.present.contains(id) == true else { return [] }
        self.serving?.lingering.append(id)
        guard (self.serving?.lingering.count ?? 0) > most, let oldest = self.serving?.lingering.popFirst() else { return [] }
        return [.drop(oldest)]
    }

    /// Records that a connection has gone and its descriptor is free. If its handshake had not begun, nothing was reported about it.
    package mutating func gone(_ id: ID) -> [Effect] {
        _ = self.waiting.remove(id)
        _ = self.serving?.lingering.remove(id)
        var effects: [Effect] = []
        switch self.handshakes.removeValue(forKey: id)?.purpose {
        case nil: break
        case .serve: self.leaveHandshakes(id)
        case .call(let call):
            self.connectionsOfCalls[call] = nil
            if self.phase == .listening { self.calls.insert((call, nil), at: 0) } else { effects.append(.refuse(call)) }
            effects = self.endOfChange(effects)
        }
        guard self.serving?.present.remove(id) != nil else { return effects }
        if self.shortageUntil != nil { self.shortageUntil = .uptimeNanoseconds(0) }
        return self.endOfChange(effects)
    }

    // MARK: Accept

    /// Adds a call of `accept`.
    /// - Parameter loop: The loop that the connection must be on; nil for any loop.
    package mutating func acceptCalled(_ call: Call, loop: Int?, now: NIODeadline) -> [Effect] {
        guard self.phase == .listening else { return [.refuse(call)] }
        if let id = self.waiting.popFirst() {
            self.beginForCall(call, id, now: now)
            return [.begin(id)]
        }
        self.calls.append((call, loop))
        return self.endOfChange([])
    }

    /// Records that a call has timed out or was cancelled. A connection in its handshake for that call is dropped.
    package mutating func callGaveUp(_ call: Call) -> [Effect] {
        self.calls.removeAll { $0.call == call }
        return self.connectionsOfCalls.removeValue(forKey: call).map { [.abandon($0, isCrowded: false)] } ?? []
    }

    // MARK: Serve

    package var isServed: Bool { self.serving != nil }

    package mutating func serve(maximumConnections: Int, now: NIODeadline) -> [Effect] {
        self.serving = Serving(
            maximumConnections: maximumConnections,
            mostLingering: min(self.limits.lingering, max(maximumConnections, Self.fewestLingering)))
        var effects: [Effect] = []
        while let id = self.waiting.popFirst() {
            self.beginServing(id, now: now)
            effects.append(.begin(id))
        }
        return self.endOfChange(effects)
    }

    /// Whether all connections of `serve` have gone.
    package var isDeserted: Bool { self.serving?.present.isEmpty ?? true }

    // MARK: Closing

    package var isListening: Bool { self.phase == .listening }
    package var isClosed: Bool { self.phase == .closed }

    /// Prepares for the listening socket to close: connections in the operating system's queue are admitted at once, even if loops have not
    /// taken what they were given.
    package mutating func portCloses() {
        self.limits.handOversPerLoop = .max
    }

    /// Closes the listener.
    /// - Parameter isGraceful: Whether connections of `serve` that are in their handshake, or ready, are still served. Otherwise they are
    ///   dropped.
    package mutating func close(isGraceful: Bool) -> [Effect] {
        guard self.phase == .listening || (self.phase == .draining && !isGraceful) else { return [] }
        var effects = self.calls.map { Effect.refuse($0.call) }
        self.calls.removeAll()
        effects += self.waiting.removeAll().map { .drop($0) }
        self.phase = isGraceful && self.serving != nil ? .draining : .closed
        for (id, handshake) in self.handshakes {
            switch (handshake.purpose, self.phase) {
            case (.serve, .draining): break
            default: effects.append(.abandon(id, isCrowded: false))
            }
        }
        if self.phase == .closed { effects += self.serving?.ready.removeAll().map { .drop($0) } ?? [] }
        return self.endOfChange(effects)
    }

    /// Drops connections that have not sent anything for a while; called while draining.
    ///
    /// - Returns: The time at which to call again; nil if that is not needed.
    package mutating func dropSilent(
        now: NIODeadline, hasSpoken: (ID) -> Bool
    ) -> (effects: [Effect], next: NIODeadline?) {
        guard self.phase == .draining, let serving else { return ([], nil) }
        var effects: [Effect] = []
        var next: NIODeadline?
        var silent = serving.silent
        for id in silent.removeAll() where !hasSpoken(id) {
            let end = (self.handshakes[id]?.begun ?? now) + Self.silentPatience
            if end > now {
                next = min(next ?? end, end)
            } else {
                self.leavePlace(id)
                effects.append(.abandonIfSilent(id, isCrowded: false))
            }
        }
        // Connections that a loop has not taken yet may be silent as well.
        if next == nil, self.loops.contains(where: { $0.underway > 0 }) { next = now + Self.silentPatience }
        return (effects, next)
    }

    /// Drops the remaining handshakes, whose time is up; called while draining.
    package mutating func dropHandshakes() -> [Effect] {
        guard self.phase == .draining else { return [] }
        return self.handshakes.keys.map { .abandon($0, isCrowded: false) }
    }

    /// Applies the consequences that any change may have.
    private mutating func endOfChange(_ effects: [Effect]) -> [Effect] {
        var effects = effects
        if self.wasRefused, self.phase == .listening {
            self.wasRefused = false
            effects.append(.wake)
        }
        guard self.phase != .listening, let serving, self.loops.allSatisfy({ $0.underway == 0 }) else { return effects }
        if !serving.isOver, serving.unfinished == 0, serving.ready.isEmpty {
            self.serving?.isOver = true
            effects.append(.allAreServed)
        }
        if serving.present.isEmpty { effects.append(.allAreGone) }
        return effects
    }
}
