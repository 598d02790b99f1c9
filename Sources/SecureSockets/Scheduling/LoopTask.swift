import NIOCore

/// A registered task that runs on an event loop: a handler of `serve`, or a task of another interface over this one.
///
/// As a rule, a waiting call installs a cancellation handler, which is a tenth of the cost of a small message. A registered task needs
/// none: its waits on its own loop are registered here, and the code that cancels the task calls `wasCancelled`. This applies to this task
/// only and not to its children or other tasks that it starts, which are cancelled separately; `TaskIdentity` distinguishes them.
///
/// Sendable without a check because everything is used on the loop only.
package final class LoopTask: @unchecked Sendable {
    let executor: EventLoopExecutor
    /// The task that runs; nil before its beginning and after its end.
    @exclusivity(unchecked) private var identity: TaskIdentity?
    @exclusivity(unchecked) private var place: (any WaitingPlace)?

    init(on executor: EventLoopExecutor) {
        self.executor = executor
    }

    /// The executor that the task has to prefer.
    package var taskExecutor: any TaskExecutor { self.executor }

    /// Allows the calling task's waits to be registered here. Must be the first call of a task that prefers `taskExecutor`.
    package func begin() {
        self.identity = .current
        if let identity { self.executor.add(self, identity) }
    }

    /// Must be the last call of the task.
    package func end() {
        if let identity { self.executor.removeTask(identity) }
        self.identity = nil
        self.place = nil
    }

    /// Ends the task's wait. The code that cancels the task must call this afterwards.
    package func wasCancelled() {
        self.executor.onLoop { self.place?.cancelWait(of: self) }
    }

    /// Whether the caller, on the loop, is this task.
    var isCalling: Bool {
        guard let identity, let current = TaskIdentity.current else { return false }
        return current == identity
    }

    /// Like `isCalling`, for use on any thread.
    var isCallingOnLoop: Bool { self.executor.isOnLoop && self.isCalling }

    enum WaitRegistration { case registered, taskIsCancelled }

    /// Registers the place where the task is about to wait, unless it has been cancelled.
    func registerWait(at place: any WaitingPlace) -> WaitRegistration {
        if Task.isCancelled { return .taskIsCancelled }
        if self.place !== place { self.place = place }
        return .registered
    }

    /// Removes a place where the task will not wait any more.
    func unregisterWait(at place: any WaitingPlace) {
        if self.place === place { self.place = nil }
    }
}

/// An object at which tasks wait.
protocol WaitingPlace: AnyObject {
    /// Ends the wait of a task that has been cancelled, if it waits here. Called on the task's loop.
    func cancelWait(of task: LoopTask)
}
