import NIOCore

/// A task of ours that runs on an event loop: a handler of `serve`, or one of another interface over this one.
///
/// Whoever waits installs a cancellation handler, as a rule, and that is a tenth of what a small message costs. Such a task needs none: its
/// waits on its own loop are noted here, and whoever cancels it says so here as well. That holds for this very task and not for its
/// children, or for others that it starts, which are cancelled on their own; they are told apart by asking who is calling.
///
/// Sendable without a check because everything is touched on the loop only.
package final class LoopTask: @unchecked Sendable {
    let turn: LoopTurn
    /// The task that runs; nil before its beginning and after its end.
    @exclusivity(unchecked) private var identity: TaskIdentity?
    @exclusivity(unchecked) private var place: (any WaitingPlace)?

    init(on turn: LoopTurn) {
        self.turn = turn
    }

    /// What the task has to prefer.
    package var executor: any TaskExecutor { self.turn }

    /// From now on the calling task's waits may be noted here. The first thing that a task does that prefers `executor`.
    package func begin() {
        self.identity = .current
        if let identity { self.turn.add(self, identity) }
    }

    /// The last thing that the task does.
    package func end() {
        if let identity { self.turn.removeTask(identity) }
        self.identity = nil
        self.place = nil
    }

    /// Ends the task's wait. To be called by whoever has cancelled the task, after that.
    package func wasCancelled() {
        self.turn.onLoop { self.place?.endWait(of: self) }
    }

    /// Whether the caller, on the loop, is this task.
    var isCalling: Bool {
        guard let identity, let current = TaskIdentity.current else { return false }
        return current == identity
    }

    /// The same, asked on any thread.
    var isCallingOnLoop: Bool { self.turn.isOnLoop && self.isCalling }

    /// Notes where the task is about to wait; false if it has been cancelled, and is not to wait.
    func waits(at place: any WaitingPlace) -> Bool {
        if Task.isCancelled { return false }
        if self.place !== place { self.place = place }
        return true
    }

    /// Lets go of a place where the task will not wait any more.
    func leaves(_ place: any WaitingPlace) {
        if self.place === place { self.place = nil }
    }
}

/// Something that tasks wait at.
protocol WaitingPlace: AnyObject {
    /// Ends the wait of a task that has been cancelled, if it waits here. On the task's loop.
    func endWait(of task: LoopTask)
}
