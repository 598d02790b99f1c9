import DequeModule
import NIOCore
import Synchronization
package import TLSEngine

/// The bounds on a listener's decisions. Those about hellos have one of their own, so that unauthenticated clients do not delay those whose
/// certificates were verified. Those about tickets have none here: their store has a bound, at which they are made at once.
package final class DecisionLimits: Sendable {
    private let hellos: DecisionLimit
    private let peers: DecisionLimit

    /// - Parameter limit: The largest number of decisions of each kind under way, at least 1.
    package init(_ limit: Int) {
        self.hellos = DecisionLimit(limit)
        self.peers = DecisionLimit(limit)
    }

    /// Returns the bound on decisions of a kind; nil if there is none.
    package func limit(of subject: PendingDecision.Subject) -> DecisionLimit? {
        switch subject {
        case .identity: self.hellos
        case .ticket: nil
        case .session, .peer: self.peers
        }
    }
}

/// A bound on the number of decisions that a listener's handshakes wait for at the same time. Further ones wait in order of arrival. Their
/// number is bounded by that of handshakes (`ListenerOptions.maximumHandshakes`): cancelled ones release what they hold at once, and are
/// removed before they are half of the queue.
package final class DecisionLimit: Sendable {
    private struct State {
        var running = 0
        var waiting = Deque<DecisionRun>()
        /// The number of cancelled decisions among the waiting.
        var cancelled = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: The largest number of decisions under way, at least 1.
    package init(_ limit: Int) { self.limit = limit }

    /// The number of decisions in the queue, cancelled ones included.
    var waitingCount: Int { self.state.withLock { $0.waiting.count } }

    /// Starts a decision now, or when others have ended.
    func add(_ run: DecisionRun) {
        let starts = self.state.withLock { state in
            guard state.running < self.limit else {
                state.waiting.append(run)
                return false
            }
            state.running += 1
            return true
        }
        if starts, !run.start() { self.ended() }
    }

    /// Records that a decision has ended, and starts the next one.
    func ended() {
        while true {
            let next = self.state.withLock { state -> DecisionRun? in
                guard let next = state.waiting.popFirst() else {
                    state.running -= 1
                    return nil
                }
                return next
            }
            guard let next else { return }
            if next.start() { return }
            self.state.withLock { $0.cancelled -= 1 }
        }
    }

    /// Records that a waiting decision was cancelled.
    func waitingWasCancelled() {
        self.state.withLock { state in
            state.cancelled += 1
            guard state.cancelled * 2 > state.waiting.count else { return }
            let before = state.waiting.count
            state.waiting.removeAll(where: \.isCancelled)
            state.cancelled -= before - state.waiting.count
        }
    }
}

/// The task that makes one decision for a handshake.
///
///     state       start      cancel        the task ends
///     waiting     running    cancelled     -
///     running     -          cancelled     ended: the completion is called
///     cancelled   ended      -             ended
///
/// A cancelled decision counts as under way until its task ends, so that functions that ignore their cancellation stay bounded.
package final class DecisionRun: Sendable {
    package typealias OnLoop = @Sendable (@escaping @Sendable () -> Void) -> Void

    private struct Job {
        let body: @Sendable () async -> HandshakeDecision
        let completion: @Sendable (HandshakeDecision) -> Void
    }

    private enum State {
        case waiting(Job)
        case running(Task<Void, Never>?)
        case cancelled
        case ended
    }

    private let limit: DecisionLimit?
    private let onLoop: OnLoop
    private let state: Mutex<State>

    /// - Parameters:
    ///   - limit: The listener's bound; nil for a client, which makes one decision for each call of `connect`.
    ///   - onLoop: Runs `completion` on the connection's event loop, unless the decision is cancelled first.
    package init(
        limit: DecisionLimit?, onLoop: @escaping OnLoop, _ body: @escaping @Sendable () async -> HandshakeDecision,
        completion: @escaping @Sendable (HandshakeDecision) -> Void
    ) {
        self.limit = limit
        self.onLoop = onLoop
        self.state = Mutex(.waiting(Job(body: body, completion: completion)))
        if let limit { limit.add(self) } else { _ = self.start() }
    }

    var isCancelled: Bool { self.state.withLock { if case .cancelled = $0 { true } else { false } } }

    /// Starts the decision. Returns false if it was cancelled.
    func start() -> Bool {
        let job = self.state.withLock { state -> Job? in
            guard case .waiting(let job) = state else {
                state = .ended
                return nil
            }
            state = .running(nil)
            return job
        }
        guard let job else { return false }
        let task = Task {
            let decision = await job.body()
            let counts = self.state.withLock { state in
                defer { state = .ended }
                if case .running = state { return true }
                return false
            }
            self.limit?.ended()
            if counts { self.onLoop { job.completion(decision) } }
        }
        let isCancelled = self.state.withLock { state in
            switch state {
            case .running:
                state = .running(task)
                return false
            case .cancelled: return true
            case .waiting, .ended: return false
            }
        }
        if isCancelled { task.cancel() }
        return true
    }

    package func cancel() {
        enum Effect {
            case nothing, leavesQueue
            case cancels(Task<Void, Never>?)
        }
        let effect = self.state.withLock { state -> Effect in
            switch state {
            case .waiting:
                state = .cancelled
                return .leavesQueue
            case .running(let task):
                state = .cancelled
                return .cancels(task)
            case .cancelled, .ended: return .nothing
            }
        }
        switch effect {
        case .nothing: break
        case .leavesQueue: self.limit?.waitingWasCancelled()
        case .cancels(let task): task?.cancel()
        }
    }
}
