import NIOCore
import Testing

@testable import SecureSockets

@Suite struct `Timers` {
    private static func deadline(_ number: UInt64) -> NIODeadline { .uptimeNanoseconds(number) }

    /// Takes out everything that is due, in order.
    private static func run(_ heap: inout TimerHeap, at now: NIODeadline) {
        while let body = heap.takeDue(at: now) { body() }
    }

    @Test func `are due in the order of their deadlines, and those of the same in the order of their making`() {
        var heap = TimerHeap()
        var happened: [Int] = []
        for (index, time) in [30, 10, 20, 10, 40, 5, 30].enumerated() {
            _ = heap.add(at: Self.deadline(UInt64(time))) { happened.append(index) }
        }
        #expect(heap.next == Self.deadline(5))
        Self.run(&heap, at: Self.deadline(20))
        #expect(happened == [5, 1, 3, 2])
        Self.run(&heap, at: Self.deadline(100))
        #expect(happened == [5, 1, 3, 2, 0, 6, 4])
        #expect(heap.next == nil)
    }

    @Test func `that are cancelled do not happen, whichever they are`() {
        let times = (0..<60).map { UInt64($0 * 37 % 23) }
        for cancelled in times.indices {
            var heap = TimerHeap()
            var happened: [UInt64] = []
            let timers = times.map { time in heap.add(at: Self.deadline(time)) { happened.append(time) } }
            #expect(heap.cancel(timers[cancelled]) != nil)
            #expect(heap.cancel(timers[cancelled]) == nil)
            Self.run(&heap, at: Self.deadline(1000))
            var expected = times
            expected.remove(at: cancelled)
            #expect(happened == expected.sorted())
            // Nothing to cancel any more.
            #expect(heap.cancel(timers[(cancelled + 1) % times.count]) == nil)
            #expect(heap.next == nil)
        }
    }

    @Test func `that are cancelled let go of what they hold`() {
        final class Held {}
        var heap = TimerHeap()
        var held: Held? = Held()
        weak let seen = held
        let timer = heap.add(at: Self.deadline(1)) { [held] in withExtendedLifetime(held) {} }
        held = nil
        #expect(seen != nil)
        _ = heap.cancel(timer)
        #expect(seen == nil)
    }
}
