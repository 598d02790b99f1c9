import Synchronization

/// The tasks that run a listener's handlers: a replacement for a task group whose cost per task does not grow with their number.
///
/// When a child of a task group ends, the group searches a list of all children for it (`swift::TaskGroup::removeChildTask`). With 20,000
/// open connections, that took more time than the handshakes. Handlers are therefore unstructured tasks, which inherit priority and
/// task-local values as child tasks do. This type waits for them and cancels them with their parent.
final class HandlerTasks: Sendable {
    private struct Running {
        let connection: Connection
        let loopTask: LoopTask
        /// The handler's task; nil until it is stored after its start.
        var task: Task<Void, Never>?

        func cancel() {
            self.task?.cancel()
            self.loopTask.wasCancelled()
        }

        func beginShutdown() {
            let connection = self.connection
            connection.onLoop { (connection.successor ?? connection).beginShutdown() }
        }
    }

    private struct State {
        var running: [UInt64: Running] = [:]
        var isCancelled = false
        var isShuttingDown = false
        var waiter: UnsafeContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Runs a socket's handler in a task on its connection's loop, and then closes the socket. Called by the task that acts as its parent.
    ///
    /// The task's frames, down to the handler's wait for bytes, are a good part of an idle connection's memory. With little between this
    /// closure and the handler, and without a cancellation handler, they fit into one block of 1 KiB.
    func add<Socket: StreamSocket>(
        _ socket: Socket, _ handler: @escaping @concurrent @Sendable (Socket) async throws -> Void,
        ended: @escaping @Sendable ((any Error)?) -> Void
    ) {
        let loopTask = LoopTask(on: socket.connection.executor)
        let running = Running(connection: socket.connection, loopTask: loopTask)
        let isShuttingDown = self.state.withLock { state in
            state.running[socket.id] = running
            return state.isShuttingDown
        }
        if isShuttingDown { running.beginShutdown() }
        let task = Task(executorPreference: socket.connection.executor) {
            self.begin(socket, loopTask)
            do {
                try await handler(socket)
                self.end(socket, loopTask, nil, ended)
            } catch {
                self.end(socket, loopTask, error, ended)
            }
        }
        let cancelled: Running? = self.state.withLock { state in
            // The task may already have ended.
            state.running[socket.id]?.task = task
            return state.isCancelled ? state.running[socket.id] : nil
        }
        cancelled?.cancel()
    }

    private func begin(_ socket: StreamSocket, _ loopTask: LoopTask) {
        loopTask.begin()
        socket.connection.handler = loopTask
    }

    private func end(
        _ socket: StreamSocket, _ loopTask: LoopTask, _ error: (any Error)?, _ ended: @Sendable ((any Error)?) -> Void
    ) {
        loopTask.end()
        socket.connection.handlerHasEnded()
        if error == nil { socket.close() } else { socket.closeWithoutNotify() }
        if let successor = socket.connection.successor {
            successor.handlerHasEnded()
            successor.close(sendsCloseNotify: error == nil)
            socket.connection.successorHandle = nil
        }
        ended(error)
        self.forget(socket.id)
    }

    private func forget(_ id: UInt64) {
        let waiter: UnsafeContinuation<Void, Never>? = self.state.withLock { state in
            state.running[id] = nil
            guard state.running.isEmpty else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Cancels all tasks, including those that are added later.
    func cancelAll() {
        let running = self.state.withLock { state in
            state.isCancelled = true
            return Array(state.running.values)
        }
        for running in running { running.cancel() }
    }

    /// Begins a graceful shutdown for the connections of all tasks, including those that are added later.
    func beginShutdown() {
        let running = self.state.withLock { state in
            state.isShuttingDown = true
            return Array(state.running.values)
        }
        for running in running { running.beginShutdown() }
    }

    /// Waits until all tasks have ended. Called once, when no more are added.
    func waitForAll() async {
        await withUnsafeContinuation { continuation in
            let isOver = self.state.withLock { state in
                if !state.running.isEmpty { state.waiter = continuation }
                return state.running.isEmpty
            }
            if isOver { continuation.resume() }
        }
    }
}
