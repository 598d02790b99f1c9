/// The calls that wait for an event of a listener: one continuation for each call that waits.
struct EventWaiters {
    typealias ID = UInt64

    private var waiting: [ID: UnsafeContinuation<Void, Never>] = [:]
    private var last: ID = 0

    /// Returns the identifier of a call that is about to wait.
    mutating func newID() -> ID {
        self.last += 1
        return self.last
    }

    mutating func add(_ continuation: UnsafeContinuation<Void, Never>, as id: ID) {
        self.waiting[id] = continuation
    }

    /// Removes the call that gives up; nil if it does not wait.
    mutating func remove(_ id: ID) -> UnsafeContinuation<Void, Never>? {
        self.waiting.removeValue(forKey: id)
    }

    /// Removes all calls, for the event itself.
    mutating func removeAll() -> [UnsafeContinuation<Void, Never>] {
        defer { self.waiting.removeAll() }
        return Array(self.waiting.values)
    }
}
