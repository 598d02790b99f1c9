import Synchronization

/// A clock of one task, which stands still while the task sleeps on it, until the test wakes the task.
package final class SteppedClock: Clock {
    package struct Instant: InstantProtocol {
        fileprivate let offset: Duration

        package func advanced(by duration: Duration) -> Instant { Instant(offset: self.offset + duration) }
        package func duration(to other: Instant) -> Duration { other.offset - self.offset }
        package static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private struct State {
        var now = Instant(offset: .zero)
        var sleeper: (deadline: Instant, continuation: CheckedContinuation<Void, any Error>)?
        var isCancelled = false
    }

    private let state = Mutex(State())
    private let sleeps: AsyncStream<Duration>
    private let begun: AsyncStream<Duration>.Continuation

    package init() { (self.sleeps, self.begun) = AsyncStream.makeStream() }

    package var now: Instant { self.state.withLock { $0.now } }
    package var minimumResolution: Duration { .nanoseconds(1) }

    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let isCancelled = self.state.withLock { state in
                    if !state.isCancelled { state.sleeper = (deadline, continuation) }
                    return state.isCancelled
                }
                if isCancelled { return continuation.resume(throwing: CancellationError()) }
                self.begun.yield(self.now.duration(to: deadline))
            }
        } onCancel: {
            self.state.withLock { state in
                state.isCancelled = true
                defer { state.sleeper = nil }
                return state.sleeper?.continuation
            }?.resume(throwing: CancellationError())
        }
    }

    /// Waits until a task sleeps, and returns for how long.
    package func nextSleep() async -> Duration? {
        for await duration in self.sleeps { return duration }
        return nil
    }

    /// Ends the sleep, at its deadline.
    package func wake() {
        self.state.withLock { state in
            defer { state.sleeper = nil }
            if let sleeper = state.sleeper { state.now = sleeper.deadline }
            return state.sleeper?.continuation
        }?.resume()
    }
}
