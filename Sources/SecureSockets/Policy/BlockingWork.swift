import Synchronization

/// Work that may block its thread, such as reading files.
enum BlockingWork {
    /// Runs `work` on a thread of its own, which ends with it. If no thread can be started, `work` runs on the current one.
    ///
    /// - Returns: The result of `work`; nil if the task is cancelled before it is there. Work that has begun then ends in the background, and its
    ///   result is discarded.
    static func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value? {
        let call = Call<Value>()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard call.begin(continuation) else { return }
                let isStarted = DetachedThread.start(name: "tls-files") { call.end(work()) } == 0
                if !isStarted { call.end(work()) }
            }
        } onCancel: {
            call.end(nil)
        }
    }

    /// A call that ends once: with the result, or when the task is cancelled.
    private final class Call<Value: Sendable>: Sendable {
        private enum State {
            case new
            case waiting(CheckedContinuation<Value?, Never>)
            case ended
        }

        private let state = Mutex(State.new)

        /// Returns whether the work is to be done. If the call has already ended, the continuation is resumed here.
        func begin(_ continuation: CheckedContinuation<Value?, Never>) -> Bool {
            let isNew = self.state.withLock { state in
                guard case .new = state else { return false }
                state = .waiting(continuation)
                return true
            }
            if !isNew { continuation.resume(returning: nil) }
            return isNew
        }

        func end(_ value: Value?) {
            let waiting = self.state.withLock { state -> CheckedContinuation<Value?, Never>? in
                defer { state = .ended }
                if case .waiting(let continuation) = state { return continuation }
                return nil
            }
            waiting?.resume(returning: value)
        }
    }
}
