import DequeModule
import Synchronization

/// Established connections that the program has not taken yet, for ``SecureListener/connections``, and the calls that wait for one.
///
/// The listener bounds their number: `AcceptMachine` counts them as running until they are taken.
final class UnclaimedSockets: Sendable {
    /// The maximum number of established connections that wait for the program. Further clients wait in their handshake or in the operating
    /// system's queue.
    static let limit = 64

    private struct Call {
        let id: UInt64
        let continuation: UnsafeContinuation<Result<ServedSocket?, SecureSocketError>, Never>
    }

    private struct State {
        var sockets = Deque<ServedSocket>()
        var calls = Deque<Call>()
        var lastCall: UInt64 = 0
        /// The calls that were cancelled before they began to wait.
        var cancelled: Set<UInt64> = []
        /// Whether the program takes no more connections.
        var isAbandoned = false
        /// The number of connections that were added.
        var count = 0
        /// The final number of connections, once it is known.
        var total: Int?

        var isOver: Bool { self.count == self.total }
    }

    private let state = Mutex(State())

    enum Addition { case added, isAbandoned }

    func append(_ socket: ServedSocket) -> Addition {
        let (addition, call): (Addition, Call?) = self.state.withLock { state in
            state.count += 1
            if state.isAbandoned { return (.isAbandoned, nil) }
            if let call = state.calls.popFirst() { return (.added, call) }
            state.sockets.append(socket)
            return (.added, nil)
        }
        call?.continuation.resume(returning: .success(socket))
        self.endCallsIfOver()
        return addition
    }

    /// Sets the final number of connections, some of which may still be in transit from another loop.
    func end(after total: Int) {
        self.state.withLock { $0.total = total }
        self.endCallsIfOver()
    }

    private func endCallsIfOver() {
        let calls = self.state.withLock { state in
            guard state.isOver else { return Deque<Call>() }
            defer { state.calls.removeAll() }
            return state.calls
        }
        for call in calls { call.continuation.resume(returning: .success(nil)) }
    }

    /// Returns the next connection; nil when there will be no more.
    func next() async throws(SecureSocketError) -> ServedSocket? {
        let id = self.state.withLock { state in
            state.lastCall += 1
            return state.lastCall
        }
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let outcome = self.state.withLock { state -> Result<ServedSocket?, SecureSocketError>? in
                    if state.cancelled.remove(id) != nil { return .failure(.cancelled(.accepting)) }
                    if let socket = state.sockets.popFirst() { return .success(socket) }
                    if state.isOver { return .success(nil) }
                    state.calls.append(Call(id: id, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            let call: Call? = self.state.withLock { state in
                guard let index = state.calls.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.calls.remove(at: index)
            }
            call?.continuation.resume(returning: .failure(.cancelled(.accepting)))
        }
        // The call may have been cancelled after its outcome.
        self.state.withLock { _ = $0.cancelled.remove(id) }
        return try outcome.get()
    }

    /// Removes and returns the connections that wait. Connections that arrive later are not added.
    func abandon() -> [ServedSocket] {
        self.state.withLock { state in
            state.isAbandoned = true
            defer { state.sockets.removeAll() }
            return Array(state.sockets)
        }
    }
}
