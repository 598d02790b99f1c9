import SecureSockets
import Synchronization

/// A point at which the program's functions wait until they are told to continue.
final class Gate: Sendable {
    private struct State {
        var waiting: [CheckedContinuation<Void, Never>] = []
        var arrived = 0
        var observers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var isOpen = false
    }

    private let state = Mutex(State())

    /// A rule that waits here, and then admits the peer.
    var rule: PeerRule { PeerRule { _ in await self.wait() } }

    func wait() async {
        await withCheckedContinuation { continuation in
            let resumed = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
                state.arrived += 1
                let arrived = state.arrived
                let ready = state.observers.filter { $0.count <= arrived }.map(\.continuation)
                state.observers.removeAll { $0.count <= arrived }
                if state.isOpen { return ready + [continuation] }
                state.waiting.append(continuation)
                return ready
            }
            for continuation in resumed { continuation.resume() }
        }
    }

    /// Waits until this many calls have arrived.
    func hasBeenAsked(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isReady = self.state.withLock { state in
                if state.arrived < count { state.observers.append((count, continuation)) }
                return state.arrived >= count
            }
            if isReady { continuation.resume() }
        }
    }

    var count: Int { self.state.withLock { $0.arrived } }

    func open() {
        let waiting = self.state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
