import DequeModule
import NIOCore
import Synchronization
import TLSEngine

/// A bound on the number of decisions that a listener's handshakes wait for at the same time. Further ones wait in order of arrival. Their
/// number is bounded by that of handshakes (`ListenerOptions.maximumHandshakes`).
final class DecisionLimit: Sendable {
    private struct State {
        var running = 0
        var waiting = Deque<DecisionRun>()
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: The largest number of decisions under way, at least 1.
    init(_ limit: Int) { self.limit = limit }

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
        if starts { run.start() }
    }

    /// Records that a decision has ended.
    func ended() {
        let next = self.state.withLock { state -> DecisionRun? in
            if let next = state.waiting.popFirst() { return next }
            state.running -= 1
            return nil
        }
        next?.start()
    }
}

/// The task that makes one decision for a handshake.
///
///     state       start          cancel        the task ends
///     waiting     running        cancelled     -
///     running     -              cancelled     ended: the completion is called
///     cancelled   ended          -             ended
///
/// A cancelled decision counts as under way until its task ends, so that functions that ignore their cancellation stay bounded.
final class DecisionRun: Sendable {
    private enum State {
        case waiting
        case running(Task<Void, Never>?)
        case cancelled
        case ended
    }

    private let limit: DecisionLimit?
    private let executor: EventLoopExecutor
    private let body: @Sendable () async -> HandshakeDecision
    private let completion: @Sendable (HandshakeDecision) -> Void
    private let state = Mutex(State.waiting)

    /// - Parameters:
    ///   - limit: The listener's bound; nil for a client, which makes one decision for each call of `connect`.
    ///   - executor: The loop on which `completion` is called, unless the decision is cancelled first.
    init(
        limit: DecisionLimit?, on executor: EventLoopExecutor, _ body: @escaping @Sendable () async -> HandshakeDecision,
        completion: @escaping @Sendable (HandshakeDecision) -> Void
    ) {
        self.limit = limit
        self.executor = executor
        self.body = body
        self.completion = completion
        if let limit { limit.add(self) } else { self.start() }
    }

    func start() {
        let starts = self.state.withLock { state in
            guard case .waiting = state else {
                state = .ended
                return false
            }
            state = .running(nil)
            return true
        }
        guard starts else {
            self.limit?.ended()
            return
        }
        let task = Task {
            let decision = await self.body()
            let counts = self.state.withLock { state in
                defer { state = .ended }
                if case .running = state { return true }
                return false
            }
            self.limit?.ended()
            if counts { self.executor.onLoop { self.completion(decision) } }
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
    }

    func cancel() {
        let task = self.state.withLock { state -> Task<Void, Never>? in
            switch state {
            case .waiting:
                state = .cancelled
                return nil
            case .running(let task):
                state = .cancelled
                return task
            case .cancelled, .ended: return nil
            }
        }
        task?.cancel()
    }
}
