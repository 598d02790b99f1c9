import SocketCore
import TestSupport
import Testing

@Suite struct `An arrival queue` {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `keeps the order of arrival, whoever leaves`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = ArrivalQueue<Int>()
        var list: [Int] = []
        for name in 0..<5000 {
            queue.append(name)
            list.append(name)
            for _ in 0..<Int.random(in: 0..<3, using: &random) {
                if Bool.random(using: &random) {
                    let first = queue.popFirst()
                    #expect(first == list.first)
                    if !list.isEmpty { list.removeFirst() }
                } else if let leaving = list.randomElement(using: &random) {
                    let (wasHere, isHere) = (queue.remove(leaving), queue.remove(leaving))
                    #expect(wasHere && !isHere)
                    list.removeAll { $0 == leaving }
                }
            }
            let first = queue.first
            #expect(first == list.first)
            #expect(queue.count == list.count)
        }
        let rest = queue.removeAll()
        #expect(rest == list)
        #expect(queue.isEmpty)
    }
}
