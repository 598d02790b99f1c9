import DequeModule
import NIOCore
import SocketCore

/// A connection of `serve`, with its identifier in the listener.
struct ServedSocket: Sendable {
    let id: AcceptMachine.ID
    let socket: StreamSocket
}

/// The queue of connections of one event loop whose handlers are to start, for the task of `serve` that starts them.
///
/// Sendable without a check because its state is touched on its loop only.
final class ServingLane: @unchecked Sendable {
    let executor: EventLoopExecutor
    private var sockets = Deque<ServedSocket>()
    private var waiter: UnsafeContinuation<ServedSocket?, Never>?
    /// The number of connections that were added.
    private var count = 0
    /// The final number of connections, once it is known.
    private var total: Int?

    init(on executor: EventLoopExecutor) {
        self.executor = executor
    }

    /// Adds a connection. Called on the lane's loop.
    func append(_ socket: ServedSocket) {
        self.count += 1
        if let waiter {
            self.waiter = nil
            waiter.resume(returning: socket)
        } else {
            self.sockets.append(socket)
        }
    }

    /// Sets the final number of connections, some of which may still be in transit from another loop. Called on any thread.
    func end(after total: Int) {
        self.executor.onLoop {
            self.total = total
            guard self.isOver else { return }
            self.waiter?.resume(returning: nil)
            self.waiter = nil
        }
    }

    private var isOver: Bool { self.count == self.total }

    /// Returns the next connection; nil when there will be no more. Called by one task, which prefers `executor`.
    func next() async -> ServedSocket? {
        await withUnsafeContinuation { continuation in
            self.executor.onLoop {
                if let socket = self.sockets.popFirst() {
                    continuation.resume(returning: socket)
                } else if self.isOver {
                    continuation.resume(returning: nil)
                } else {
                    self.waiter = continuation
                }
            }
        }
    }
}
