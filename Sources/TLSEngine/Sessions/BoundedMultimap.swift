/// A bounded collection of values under keys, a few for each key; the oldest are removed first. Every operation takes constant time,
/// whatever the keys.
///
/// The values form a list from the oldest to the newest, linked by their slot numbers. A dictionary maps a key to its slots.
package struct BoundedMultimap<Key: Hashable, Value> {
    private struct Slot {
        var key: Key
        var value: Value
        var older: Int?
        var newer: Int?
    }

    private let capacity: Int
    private let valuesPerKey: Int
    private var slots: [Slot?] = []
    private var freeSlots: [Int] = []
    private var oldest: Int?
    private var newest: Int?
    /// The slots of each key, oldest first.
    private var slotsOfKeys: [Key: [Int]] = [:]

    /// - Parameters:
    ///   - capacity: The largest number of values, at least 1.
    ///   - valuesPerKey: The largest number of values under one key, at least 1.
    package init(capacity: Int, valuesPerKey: Int) {
        self.capacity = max(capacity, 1)
        self.valuesPerKey = max(valuesPerKey, 1)
    }

    package var count: Int { self.slots.count - self.freeSlots.count }

    package func contains(_ key: Key) -> Bool { self.slotsOfKeys[key] != nil }

    /// All values with their keys, oldest first.
    package var all: [(key: Key, value: Value)] {
        var all: [(key: Key, value: Value)] = []
        all.reserveCapacity(self.count)
        var next = self.oldest
        while let index = next, let slot = self.slots[index] {
            all.append((slot.key, slot.value))
            next = slot.newer
        }
        return all
    }

    package mutating func removeAll() {
        self = BoundedMultimap(capacity: self.capacity, valuesPerKey: self.valuesPerKey)
    }

    /// Adds a value as the newest. If its key, or the collection, is full, the oldest value of that key, or of all, is removed.
    ///
    /// - Parameter onRemoval: Called with the key of a value that is removed.
    package mutating func append(_ value: Value, for key: Key, onRemoval: (Key) -> Void = { _ in }) {
        if let slots = self.slotsOfKeys[key], slots.count >= self.valuesPerKey, let first = slots.first {
            self.remove(first)
            onRemoval(key)
        }
        if self.count >= self.capacity, let oldest, let removed = self.slots[oldest]?.key {
            self.remove(oldest)
            onRemoval(removed)
        }
        let slot = Slot(key: key, value: value, older: self.newest, newer: nil)
        let index: Int
        if let free = self.freeSlots.popLast() {
            index = free
            self.slots[free] = slot
        } else {
            index = self.slots.count
            self.slots.append(slot)
        }
        if let newest { self.slots[newest]?.newer = index } else { self.oldest = index }
        self.newest = index
        self.slotsOfKeys[key, default: []].append(index)
    }

    /// Returns the newest value of a key, and removes it if `removing` returns true for it.
    package mutating func newest(for key: Key, removing: (Value) -> Bool) -> Value? {
        guard let index = self.slotsOfKeys[key]?.last, let value = self.slots[index]?.value else { return nil }
        if removing(value) { self.remove(index) }
        return value
    }

    private mutating func remove(_ index: Int) {
        guard let slot = self.slots[index] else { return }
        if let older = slot.older { self.slots[older]?.newer = slot.newer } else { self.oldest = slot.newer }
        if let newer = slot.newer { self.slots[newer]?.older = slot.older } else { self.newest = slot.older }
        self.slotsOfKeys[slot.key]?.removeAll { $0 == index }
        if self.slotsOfKeys[slot.key]?.isEmpty ?? false { self.slotsOfKeys[slot.key] = nil }
        self.slots[index] = nil
        self.freeSlots.append(index)
    }
}
