import NIOCore

/// A call that waits for a result of its connection.
///
/// Sendable without a check because it is touched on its connection's loop only; other threads do no more than pass it there.
final class Waiter<Success: Sendable>: @unchecked Sendable {
    typealias Outcome = Result<Success, SecureSocketError>

    private enum State {
        case new
        /// Cancelled before the call has reached the loop.
        case cancelledEarly
        case waiting(UnsafeContinuation<Outcome, Never>)
        case done
    }

    private var state = State.new
    private var timer: EventLoopExecutor.Timer?
    /// The name under which the connection's queues know this call.
    var id: UInt64 = 0

    /// The task whose call it is, if that is one that needs no cancellation handler.
    let task: LoopTask?

    init(of task: LoopTask? = nil) {
        self.task = task
    }

    /// Starts to wait; false, and the call ends at once, if it was cancelled already.
    func wait(_ continuation: UnsafeContinuation<Outcome, Never>, step: SecureSocketError.Step) -> Bool {
        if case .cancelledEarly = self.state {
            self.state = .done
            continuation.resume(returning: .failure(.cancelled(step)))
            return false
        }
        self.state = .waiting(continuation)
        return true
    }

    /// Starts to wait, also if it has waited before. Whoever knows it from then must look whether it is still the same wait (`id`).
    func waitAgain(_ continuation: UnsafeContinuation<Outcome, Never>) {
        self.state = .waiting(continuation)
    }

    /// Ends the call. Only the first end counts.
    func resume(_ outcome: Outcome) {
        guard case .waiting(let continuation) = self.state else { return }
        self.state = .done
        self.timer?.cancel()
        self.timer = nil
        continuation.resume(returning: outcome)
    }

    /// Notes a cancellation; true if the call is waiting and its connection has to forget it.
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

    /// Runs `expired`, as a tick, when the call has waited that long.
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

    static func timedOut(_ step: Step, _ message: String) -> SecureSocketError {
        SecureSocketError(.timedOut, blame: .network, step: step, message)
    }

    static func closed(_ step: Step) -> SecureSocketError {
        SecureSocketError(.closed, blame: .caller, step: step, "the socket has been closed here")
    }
}

extension TimeAmount {
    /// The same span; one too long to count in nanoseconds is cut to the longest that can be.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow2) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        // A third of the range leaves room for adding it to a point in time.
        let longest = Int64.max / 3
        self = .nanoseconds(overflow || overflow2 ? (seconds < 0 ? 0 : longest) : min(sum, longest))
    }
}
