import NIOCore

/// A call that waits for a result from its connection.
///
/// Sendable without a check because it is used on its connection's loop only. Other threads only pass it there.
final class Waiter<Success: Sendable>: @unchecked Sendable {
    typealias Outcome = Result<Success, SecureSocketError>

    private enum State {
        case new
        /// Cancelled before the call reached the loop.
        case cancelledEarly
        case waiting(UnsafeContinuation<Outcome, Never>)
        case done
    }

    private var state = State.new
    private var timer: EventLoopExecutor.Timer?
    /// The identifier of this call in the connection's queues.
    var id: UInt64 = 0
    /// Whether the call ends, with nil, when a graceful shutdown begins.
    var endsAtShutdown = false

    /// The calling task, if it needs no cancellation handler.
    let task: LoopTask?

    init(of task: LoopTask? = nil) {
        self.task = task
    }

    /// Begins to wait. If the call was already cancelled, ends it and returns false.
    func wait(_ continuation: UnsafeContinuation<Outcome, Never>, step: SecureSocketError.Step) -> Bool {
        if case .cancelledEarly = self.state {
            self.state = .done
            continuation.resume(returning: .failure(.cancelled(step)))
            return false
        }
        self.state = .waiting(continuation)
        return true
    }

    /// Begins to wait, even if it has waited before. Holders of an earlier reference must compare `id` to detect that this is another wait.
    func waitAgain(_ continuation: UnsafeContinuation<Outcome, Never>) {
        self.state = .waiting(continuation)
    }

    /// Ends the call. Only the first outcome counts.
    func resume(_ outcome: Outcome) {
        guard case .waiting(let continuation) = self.state else { return }
        self.state = .done
        self.timer?.cancel()
        self.timer = nil
        continuation.resume(returning: outcome)
    }

    /// Records a cancellation. Returns true if the call is waiting, so that its connection has to forget it.
    func cancel() -> Bool {
        switch self.state {
        case .new:
            self.state = .cancelledEarly
            return false
        case .waiting: return true
        case .cancelledEarly, .done: return false
        }
    }

    var isWaiting: Bool {
        if case .waiting = self.state { true } else { false }
    }

    /// Runs `expired` in a tick when the call has waited for `timeout`.
    func limit(to timeout: Duration?, on executor: EventLoopExecutor, expired: @escaping () -> Void) {
        guard let timeout, self.isWaiting else { return }
        self.timer = executor.after(TimeAmount(timeout), expired)
    }
}

extension SecureSocketError {
    static func cancelled(_ step: Step) -> SecureSocketError {
        SecureSocketError(
            .cancelled, blame: .caller, step: step, "the task was cancelled while it waited")
    }

    package static func timedOut(_ step: Step, _ message: String) -> SecureSocketError {
        SecureSocketError(.timedOut, blame: .network, step: step, message)
    }

    static func closed(_ step: Step) -> SecureSocketError {
        SecureSocketError(.closed, blame: .caller, step: step, "the socket has been closed here")
    }
}

extension TimeAmount {
    /// Converts a duration. One that is too long for nanoseconds becomes the longest possible.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow2) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        // A third of the range leaves room for adding it to a point in time.
        let longest = Int64.max / 3
        self = .nanoseconds(overflow || overflow2 ? (seconds < 0 ? 0 : longest) : min(sum, longest))
    }
}
