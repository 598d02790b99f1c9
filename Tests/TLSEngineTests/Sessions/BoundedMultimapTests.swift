import Synchronization
import TLSEngine
import TestSupport
import Testing

@Suite struct `A bounded multimap` {
    @Test func `finds the newest value of a key, and takes it out if told to`() {
        var map = BoundedMultimap<String, Int>(capacity: 10, valuesPerKey: 2)
        map.append(1, for: "a")
        map.append(2, for: "a")
        map.append(3, for: "b")
        #expect(map.newest(for: "a") { _ in false } == 2)
        #expect(map.newest(for: "a") { _ in true } == 2)
        #expect(map.newest(for: "a") { _ in true } == 1)
        #expect(map.newest(for: "a") { _ in true } == nil)
        #expect(map.count == 1)
    }

    @Test func `keeps a few values of a key, and the newest of all keys`() {
        var map = BoundedMultimap<String, Int>(capacity: 3, valuesPerKey: 2)
        for number in 1...3 { map.append(number, for: "a") }
        #expect(map.count == 2)
        map.append(4, for: "b")
        map.append(5, for: "c")
        #expect(map.count == 3)
        #expect(map.newest(for: "a") { _ in true } == 3)
        #expect(map.newest(for: "a") { _ in true } == nil)
        #expect(map.newest(for: "b") { _ in true } == 4)
        #expect(map.newest(for: "c") { _ in true } == 5)
        #expect(map.count == 0)
    }

    @Test func `tells what it removes to make room, and has all values from the oldest to the newest`() {
        var map = BoundedMultimap<String, Int>(capacity: 3, valuesPerKey: 2)
        var removed: [String] = []
        for (number, key) in ["a", "a", "a", "b", "c", "d"].enumerated() {
            map.append(number, for: key) { removed.append($0) }
        }
        #expect(removed == ["a", "a", "a"])
        #expect(map.all.map(\.key) == ["b", "c", "d"] && map.all.map(\.value) == [3, 4, 5])
        #expect(map.contains("b") && !map.contains("a"))
        map.removeAll()
        #expect(map.count == 0 && map.all.isEmpty && !map.contains("b"))
        map.append(7, for: "a") { removed.append($0) }
        #expect(map.count == 1 && removed.count == 3)
    }

    /// A key that counts how often it is compared.
    private struct Key: Hashable {
        static let comparisons = Atomic<Int>(0)

        let name: Int

        static func == (left: Key, right: Key) -> Bool {
            self.comparisons.wrappingAdd(1, ordering: .relaxed)
            return left.name == right.name
        }

        func hash(into hasher: inout Hasher) { hasher.combine(self.name) }
    }

    @Test func `takes no longer for an operation when it is full`() {
        let (capacity, operations) = (10_000, 1000)
        var map = BoundedMultimap<Key, Int>(capacity: capacity, valuesPerKey: 2)
        for number in 0..<capacity { map.append(number, for: Key(name: number)) }
        let before = Key.comparisons.load(ordering: .relaxed)
        for number in 0..<operations {
            map.append(number, for: Key(name: capacity))
            _ = map.newest(for: Key(name: capacity + 1)) { _ in true }
        }
        #expect(map.count == capacity)
        // A few look-ups of each, with collisions in a dictionary that is nearly full; a search would compare all 10,000 keys.
        #expect(Key.comparisons.load(ordering: .relaxed) - before < operations * 1000)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `answers as a list does that is searched from its end`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var map = BoundedMultimap<Int, Int>(capacity: 5, valuesPerKey: 2)
        var list: [(key: Int, value: Int)] = []
        for value in 0..<5000 {
            let key = Int.random(in: 0..<6, using: &random)
            if Bool.random(using: &random) {
                map.append(value, for: key)
                let known = list.indices.filter { list[$0].key == key }
                if known.count >= 2 { list.remove(at: known[0]) }
                if list.count >= 5 { list.removeFirst() }
                list.append((key, value))
            } else {
                let removes = Bool.random(using: &random)
                let index = list.lastIndex { $0.key == key }
                #expect(map.newest(for: key) { _ in removes } == index.map { list[$0].value })
                if removes, let index { list.remove(at: index) }
            }
            #expect(map.count == list.count)
        }
    }
}
