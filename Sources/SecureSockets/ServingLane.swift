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
    let turn: LoopTurn
    private var sockets = Deque<ServedSocket>()
    private var waiter: UnsafeContinuation<ServedSocket?, Never>?
    private var isOver = false

    init(on turn: LoopTurn) {
        self.turn = turn
    }

    /// On the lane's loop.
    func append(_ socket: ServedSocket) {
        if let waiter {
            self.waiter = nil
            waiter.resume(returning: socket)
        } else {
            self.sockets.append(socket)
        }
    }

    /// No more will come. From any thread.
    func end() {
        self.turn.onLoop {
            self.isOver = true
            self.waiter?.resume(returning: nil)
            self.waiter = nil
        }
    }

    /// The next socket; nil when there will be no more. For one task, which prefers `turn`.
    nonisolated(nonsending) func next() async -> ServedSocket? {
        await withUnsafeContinuation { continuation in
            self.turn.onLoop {
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
