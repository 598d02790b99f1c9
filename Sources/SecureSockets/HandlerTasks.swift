import Synchronization

/// The tasks that run a listener's handlers: what a task group is, at a cost that does not grow with their number.
///
/// A task group looks for each child that ends in a list of all (`swift::TaskGroup::removeChildTask`): with 20,000 open connections that
/// took more time than the handshakes. So these are tasks of their own, which inherit priority and task-local values as children would;
/// being waited for and being cancelled with their parent is what this type does for them.
final class HandlerTasks: Sendable {
    private struct State {
        /// nil: begun, and not known yet.
        var tasks: [UInt64: Task<Void, Never>?] = [:]
        var isCancelled = false
        var waiter: UnsafeContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Runs a socket's handler in a task on its connection's loop. To be called by the task whose child it would be.
    func add(_ socket: SecureSocket, _ handler: @escaping @Sendable () async -> Void) {
        let id = socket.id
        let connection = socket.connection
        let loopTask = LoopTask(on: connection.turn)
        self.state.withLock { $0.tasks[id] = .some(nil) }
        let task = Task(executorPreference: connection.turn) {
            connection.handler = loopTask
            await loopTask.run(handler)
            connection.handlerHasEnded()
            self.ended(id)
        }
        let isCancelled = self.state.withLock { state in
            // It may have ended by now.
            if state.tasks[id] != nil { state.tasks[id] = task }
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
    }

    private func ended(_ id: UInt64) {
        let waiter: UnsafeContinuation<Void, Never>? = self.state.withLock { state in
            state.tasks[id] = nil
            guard state.tasks.isEmpty else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Cancels all, and those that are added from now on.
    func cancelAll() {
        let tasks = self.state.withLock { state in
            state.isCancelled = true
            return state.tasks.values.compactMap { $0 }
        }
        for task in tasks { task.cancel() }
    }

    /// Waits until all have ended. To be called once, when no more are added.
    func waitForAll() async {
        await withUnsafeContinuation { continuation in
            let isOver = self.state.withLock { state in
                if !state.tasks.isEmpty { state.waiter = continuation }
                return state.tasks.isEmpty
            }
            if isOver { continuation.resume() }
        }
    }
}
