import NIOCore

/// A task of ours that runs on an event loop: a handler of `serve`, or one of another interface over this one.
///
/// A call that waits installs a cancellation handler, as a rule, and that is a tenth of what a small message costs. Such a task needs none:
/// its waits on its own loop are registered here, and the code that cancels the task calls `wasCancelled`. That holds for this very task and
/// not for its children, or for others that it starts, which are cancelled on their own; `TaskIdentity` tells them apart.
///
/// Sendable without a check because everything is touched on the loop only.
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

    /// From now on the calling task's waits may be registered here. The first thing that a task does that prefers `taskExecutor`.
    package func begin() {
        self.identity = .current
        if let identity { self.executor.add(self, identity) }
    }

    /// The last thing that the task does.
    package func end() {
        if let identity { self.executor.removeTask(identity) }
        self.identity = nil
        self.place = nil
    }

    /// Ends the task's wait. To be called by whoever has cancelled the task, after that.
    package func wasCancelled() {
        self.executor.onLoop { self.place?.cancelWait(of: self) }
    }

    /// Whether the caller, on the loop, is this task.
    var isCalling: Bool {
        guard let identity, let current = TaskIdentity.current else { return false }
        return current == identity
    }

    /// The same, asked on any thread.
    var isCallingOnLoop: Bool { self.executor.isOnLoop && self.isCalling }

    enum WaitRegistration { case registered, taskIsCancelled }

    /// Registers where the task is about to wait, unless it has been cancelled.
    func registerWait(at place: any WaitingPlace) -> WaitRegistration {
        if Task.isCancelled { return .taskIsCancelled }
        if self.place !== place { self.place = place }
        return .registered
    }

    /// Releases a place where the task will not wait any more.
    func unregisterWait(at place: any WaitingPlace) {
        if self.place === place { self.place = nil }
    }
}

/// Something that tasks wait at.
protocol WaitingPlace: AnyObject {
    /// Ends the wait of a task that has been cancelled, if it waits here. On the task's loop.
    func cancelWait(of task: LoopTask)
}
