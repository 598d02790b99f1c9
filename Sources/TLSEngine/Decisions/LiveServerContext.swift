import Synchronization

/// The present context of a listener, which can be replaced, and its ticket keys, which remain.
package final class LiveServerContext: Sendable {
    private struct State {
        var context: TLSContext
        var generation: Int
        /// The number of removals of all ticket keys after which the context has forgotten its own sessions.
        var removals: Int
    }

    private let state: Mutex<State>
    package let ticketKeys: TicketKeyRing

    package init(_ context: TLSContext, ticketKeys: TicketKeyRing) {
        self.state = Mutex(State(context: context, generation: 1, removals: ticketKeys.removalCount))
        self.ticketKeys = ticketKeys
    }

    package var current: TLSContext {
        self.state.withLock { state in
            // Every handshake comes here before it looks for a session.
            let removals = self.ticketKeys.removalCount
            if state.removals != removals {
                state.removals = removals
                state.context.forgetSessions()
            }
            return state.context
        }
    }

    /// The number of contexts so far: 1 before the first replacement.
    package var generation: Int { self.state.withLock { $0.generation } }

    /// Returns the former context.
    @discardableResult
    package func replace(with context: TLSContext) -> TLSContext {
        self.state.withLock { state in
            defer {
                state.context = context
                state.generation += 1
            }
            return state.context
        }
    }
}
