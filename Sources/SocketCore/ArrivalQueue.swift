import DequeModule

/// Names in the order of their arrival, any of which can be removed at any time. Every operation takes constant time on average.
package struct ArrivalQueue<Name: Hashable & Sendable>: Sendable {
    private var order = Deque<Name>()
    private var present: Set<Name> = []

    package init() {}

    package var count: Int { self.present.count }
    package var isEmpty: Bool { self.present.isEmpty }

    package func contains(_ name: Name) -> Bool { self.present.contains(name) }

    /// Appends a name.
    /// - Parameter name: A name that was never in the queue before.
    package mutating func append(_ name: Name) {
        self.order.append(name)
        self.present.insert(name)
    }

    /// The name that has been in the queue longest.
    package var first: Name? {
        mutating get {
            while let first = self.order.first {
                if self.present.contains(first) { return first }
                self.order.removeFirst()
            }
            return nil
        }
    }

    package mutating func popFirst() -> Name? {
        guard let first = self.first else { return nil }
        self.order.removeFirst()
        self.present.remove(first)
        return first
    }

    /// Removes a name at any place. Returns false if it is not in the queue.
    package mutating func remove(_ name: Name) -> Bool {
        guard self.present.remove(name) != nil else { return false }
        // Removed names stay in `order` until they reach its front, but they never outnumber the others by more than 16.
        if self.order.count > 2 * self.present.count + 16 { self.order.removeAll { !self.present.contains($0) } }
        return true
    }

    /// Removes and returns all names in order.
    package mutating func removeAll() -> [Name] {
        defer { self = ArrivalQueue() }
        return self.order.filter { self.present.contains($0) }
    }
}
