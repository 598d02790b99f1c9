import SocketCore
import Testing

@Suite struct `A short queue` {
    @Test func `gives back what was put in, in its order`() {
        var queue = ShortQueue<Int>()
        #expect(queue.isEmpty)
        #expect(queue.popFirst() == nil)
        for number in 1...4 { queue.append(number) }
        #expect(queue.count == 4)
        #expect(queue.first == 1)
        #expect(Array(queue) == [1, 2, 3, 4])
        #expect((0..<5).map { _ in queue.popFirst() } == [1, 2, 3, 4, nil])
        queue.append(5)
        #expect(queue.popFirst() == 5)
        #expect(queue.isEmpty)
    }

    @Test(arguments: 1...4)
    func `lets go of one, wherever it stands`(which: Int) {
        var queue = ShortQueue<Int>()
        for number in 1...4 { queue.append(number) }
        #expect(queue.remove { $0 == which } == which)
        #expect(queue.remove { $0 == which } == nil)
        #expect(queue.count == 3)
        queue.append(5)
        #expect(queue.removeAll() == [1, 2, 3, 4, 5].filter { $0 != which })
        #expect(queue.isEmpty)
        #expect(queue.remove { _ in true } == nil)
    }
}
