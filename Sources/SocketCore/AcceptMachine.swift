package import NIOCore

/// The state of a listener: who waits for a connection, what becomes of the connections that arrive, and which of them have to leave
/// when there are too many.
///
/// Events come in as method calls, decisions go out as values; the acceptor performs them. A connection goes through these states:
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
/// ¹ A call waits for which none is on its way; or `serve` is below `maximumConnections`, and below `maximumHandshakes` or able to make
///   room: at the limit, the connection that has waited longest without having sent anything leaves, once `silentPatience` has passed;
///   if all have sent something, the oldest whose handshake has taken `slowPatience`.
/// ² Taken from the operating system's queue before the port was closed.
/// ³ Running below `maximumConnections`; above, it is ready until a handler ends.
package struct AcceptMachine {
    /// Connections by a number that is never used again.
    package typealias ID = UInt64
    /// Calls of `accept`, likewise.
    package typealias Call = UInt64

    package struct Limits: Sendable {
        /// Connections of `serve` whose handshake is under way.
        package var handshakes: Int
        /// Connections of `serve` that are closed on this side and still there; fewer if it serves only a few.
        package var lingering: Int
        /// Connections that one event loop may have been given without having taken them: a loop that is blocked gets no more.
        package var handOversPerLoop = 32

        package init(handshakes: Int, lingering: Int) {
            self.handshakes = handshakes
            self.lingering = lingering
        }
    }

    /// How long a connection may stay silent while others wait for its place. A client sends its first bytes together with the last
    /// packet of TCP's handshake, so this is not a matter of its distance.
    package static let silentPatience = TimeAmount.milliseconds(100)
    /// How long a handshake that has begun may take while others wait for its place.
    package static let slowPatience = TimeAmount.seconds(2)
    /// However few connections a listener serves, so many may be closed on this side and still there.
    package static let fewestLingering = 64
    /// How many connections make room at one time when the process has no descriptors left.
    package static let roomPerShortage = 16

    package enum Admission: Equatable {
        /// One connection may be taken; it goes to this loop.
        case take(loop: Int)
        /// None is wanted; a change is announced by `wake`, or comes with time.
        case refuse(until: NIODeadline?)
    }

    package enum Arrival: Equatable {
        case handshake(ID)
        /// No call is there for it yet.
        case wait(ID)
        case drop
    }

    package enum Effect: Equatable {
        /// More may be admitted.
        case wake
        /// Begin the handshake of a connection that has waited.
        case begin(ID)
        /// Give up a handshake: others need its place, or nobody waits for its end.
        case abandon(ID, isCrowded: Bool)
        /// The same, unless the connection has sent something that its loop has not read yet; then `hasSpoken` follows.
        case abandonIfSilent(ID, isCrowded: Bool)
        /// Drop a connection that waits or lingers.
        case drop(ID)
        /// The call has its connection.
        case answer(Call, ID)
        /// The call's connection has failed.
        case fail(Call, ID)
        /// The call ends without a connection: the listener is closed.
        case refuse(Call)
        /// A handshake of `serve` has failed.
        case report(ID)
        /// Run the handler.
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
        /// Handshakes that have not been seen to say anything, and the others; each in the order of their beginning.
        var silent = ArrivalQueue<ID>()
        var speaking = ArrivalQueue<ID>()
        var lingering = ArrivalQueue<ID>()
        /// All that have arrived and not gone.
        var present: Set<ID> = []
        let mostLingering: Int
        /// Handshakes that have not come to an end, abandoned ones included.
        var unfinished = 0
        var isOver = false

        /// Those that have a place.
        var handshakes: Int { self.silent.count + self.speaking.count }
    }

    private struct Loop {
        /// Connections that it has not taken yet.
        var underway = 0
        /// It has left some untaken for too long, and gets none until it does something.
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
    /// What each loop has been given.
    private var loops: [Loop]
    private var nextLoop = 0
    /// No descriptors are left; nothing is admitted until then.
    private var shortageUntil: NIODeadline?
    /// The port has not asked yet, or was refused.
    private var wasRefused = true

    package init(limits: Limits, loops: Int) {
        self.limits = limits
        self.loops = Array(repeating: Loop(), count: max(loops, 1))
    }

    // MARK: What the operating system has

    /// Whether a connection may be taken from the operating system's queue. One that may is announced by `arrived` or `notTaken`.
    ///
    /// - Parameter hasSpoken: Whether a connection has sent anything yet.
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

    /// The loop that a call wants, or the next that takes what it is given.
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

    /// A loop has not taken a connection for too long: it gets no more, and this one goes to another; nil if there is none.
    package mutating func moveFromStalled(_ loop: Int) -> Int? {
        self.loops[loop].isStalled = true
        guard let other = self.loop(wanted: nil) else { return nil }
        self.loops[loop].underway -= 1
        self.loops[other].underway += 1
        return other
    }

    /// A loop that had stalled does something.
    package mutating func resumed(loop: Int) -> [Effect] {
        guard self.loops[loop].isStalled else { return [] }
        self.loops[loop].isStalled = false
        return self.endOfChange([])
    }

    /// There was none, or it was gone before it was a connection.
    package mutating func notTaken(loop: Int) -> [Effect] {
        self.loops[loop].underway -= 1
        return self.endOfChange([])
    }

    /// The process or the system has no descriptors left. Connections that can be spared make room; those that wait in the operating
    /// system's queue stay there for a moment.
    ///
    /// - Parameter canMakeRoom: Whether others than this listener's connections make room.
    /// - Returns: Who makes room, and the call of `accept` that fails if nothing can.
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

    /// Who has to leave if there are too many handshakes.
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

    /// A connection that was admitted is on its loop.
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

    /// A handshake is to be given up. Its failure is reported as any other when it comes; from here on it does not count, because its place is
    /// another's.
    private mutating func leavePlace(_ id: ID) {
        _ = self.serving?.silent.remove(id)
        _ = self.serving?.speaking.remove(id)
    }

    /// One that was to be given up because it was silent has sent something. It has a place again, although that may be one too many.
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

    /// Runs those that are ready, as far as the limit allows.
    private mutating func runReady() -> [Effect] {
        var effects: [Effect] = []
        while let serving, serving.running < serving.maximumConnections, let id = self.serving?.ready.popFirst() {
            self.serving?.running += 1
            effects.append(.run(id))
        }
        return effects
    }

    /// A handler has ended, and its connection is closed on this side.
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
        // No copy of `serving` may be held while it changes, or its queues are copied.
        guard let most = self.serving?.mostLingering, self.serving?.present.contains(id) == true else { return [] }
        self.serving?.lingering.append(id)
        guard (self.serving?.lingering.count ?? 0) > most, let oldest = self.serving?.lingering.popFirst() else { return [] }
        return [.drop(oldest)]
    }

    /// A connection has gone, and its descriptor is free. Its handshake may not have begun: then nothing was reported of it.
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

    // MARK: Calls of accept

    /// - Parameter loop: Where the connection is to be; nil: anywhere.
    package mutating func acceptCalled(_ call: Call, loop: Int?, now: NIODeadline) -> [Effect] {
        guard self.phase == .listening else { return [.refuse(call)] }
        if let id = self.waiting.popFirst() {
            self.beginForCall(call, id, now: now)
            return [.begin(id)]
        }
        self.calls.append((call, loop))
        return self.endOfChange([])
    }

    /// A call has run out of time or was cancelled. A connection in its handshake for it is dropped.
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

    // MARK: The end

    package var isListening: Bool { self.phase == .listening }
    package var isClosed: Bool { self.phase == .closed }

    /// The port is about to close: what the operating system has is admitted at once, although loops have not taken what they were given.
    package mutating func portCloses() {
        self.limits.handOversPerLoop = .max
    }

    /// - Parameter isGraceful: What `serve` has in its handshake, or ready, is still served; otherwise it is dropped.
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

    /// While draining: those that have not sent anything for a while are not waited for.
    ///
    /// - Returns: When to ask again; nil: not at all.
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
        // What a loop has not taken yet may be silent as well.
        if next == nil, self.loops.contains(where: { $0.underway > 0 }) { next = now + Self.silentPatience }
        return (effects, next)
    }

    /// While draining: handshakes have had their time.
    package mutating func dropHandshakes() -> [Effect] {
        guard self.phase == .draining else { return [] }
        return self.handshakes.keys.map { .abandon($0, isCrowded: false) }
    }

    /// What every change may bring about.
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
