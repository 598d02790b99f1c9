import Synchronization

/// The immutable values of one type that are in use, each kept once. Settings that are loaded again share what has not changed, so that
/// open connections, which keep the settings of their handshake, do not keep copies of it.
///
/// Bounded by the values in use: entries of values that were freed are removed when the number of entries has doubled.
final class SharedValues<Key: Hashable & Sendable, Value: AnyObject & Sendable>: Sendable {
    private struct Entry {
        weak var value: Value?
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        /// The number of entries at which those of freed values are removed.
        var limit = SharedValues.leastLimit
    }

    private static var leastLimit: Int { 64 }

    private let state = Mutex(State())

    /// The number of entries, those of freed values included.
    var count: Int { self.state.withLock { $0.entries.count } }

    /// Returns the value that is in use for this key or, if there is none, `value`, which is then in use.
    func shared(_ value: Value, for key: Key) -> Value {
        self.state.withLock { state in
            if let present = state.entries[key]?.value { return present }
            state.entries[key] = Entry(value: value)
            if state.entries.count >= state.limit {
                state.entries = state.entries.filter { $0.value.value != nil }
                state.limit = max(2 * state.entries.count, Self.leastLimit)
            }
            return value
        }
    }
}
