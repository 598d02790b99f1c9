import DequeModule
import NIOCore
import SocketCore

/// A connection of `serve`, and the listener's name for it.
struct ServedSocket: Sendable {
    let id: AcceptMachine.ID
    let socket: SecureSocket
}

/// The connections of one event loop whose handlers are to begin, for the task of `serve` that begins them.
///
/// Sendable without a check because its state is touched on its loop only.
final class ServingLane: @unchecked Sendable {
    let executor: EventLoopExecutor
    private var sockets = Deque<ServedSocket>()
    private var waiter: UnsafeContinuation<ServedSocket?, Never>?
    /// How many have come.
    private var count = 0
    /// How many will have come in the end, once that is known.
    private var total: Int?

    init(on executor: EventLoopExecutor) {
        self.executor = executor
    }

    /// On the lane's loop.
    func append(_ socket: ServedSocket) {
        self.count += 1
        if let waiter {
            self.waiter = nil
            waiter.resume(returning: socket)
        } else {
            self.sockets.append(socket)
        }
    }

    /// No more will come than so many in all, some of which may still be on their way from another loop. From any thread.
    func end(after total: Int) {
        self.executor.onLoop {
            self.total = total
            guard self.isOver else { return }
            self.waiter?.resume(returning: nil)
            self.waiter = nil
        }
    }

    private var isOver: Bool { self.count == self.total }

    /// The next socket; nil when there will be no more. For one task, which prefers `executor`.
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
