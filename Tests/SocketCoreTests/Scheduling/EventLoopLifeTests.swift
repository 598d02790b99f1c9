import SocketCore
import Testing

@Suite struct `The life of an event loop` {
    @Test func `runs until it is stopped`() {
        var life = EventLoopLife.running
        for _ in 0..<1000 { #expect(life.nextRound(hasWork: false) == .run) }
        #expect(life == .running)
        #expect(life.acceptsScheduledTasks)
    }

    @Test func `closes the descriptors once when it is stopped, and ends at once without work`() {
        var life = EventLoopLife.running
        #expect(life.stop() == .closeDescriptors)
        #expect(life.stop() == .nothing)
        #expect(life.acceptsScheduledTasks)
        #expect(life.nextRound(hasWork: false) == .end)
        #expect(!life.hasEnded)
    }

    @Test func `finishes its work first, but not for ever`() {
        var life = EventLoopLife.running
        _ = life.stop()
        for _ in 0..<EventLoopLife.roundsOfStopping { #expect(life.nextRound(hasWork: true) == .run) }
        #expect(life.nextRound(hasWork: true) == .end)
        // To stop again gives it no more time.
        #expect(life.stop() == .nothing)
        #expect(life.nextRound(hasWork: true) == .end)
    }

    @Test(arguments: [false, true])
    func `gives everything up, closes what may still be there, and then has ended`(wasStopped: Bool) {
        var life = EventLoopLife.running
        if wasStopped { _ = life.stop() }
        life.end()
        #expect(!life.hasEnded)
        #expect(life.threadEnds() == .closeDescriptors)
        #expect(life == .ending)
        #expect(!life.acceptsScheduledTasks)
        #expect(life.threadEnds() == .nothing)
        life.end()
        #expect(life.hasEnded)
    }

    @Test(arguments: [EventLoopLife.ending, .ended])
    func `does not begin again`(_ state: EventLoopLife) {
        var life = state
        #expect(life.stop() == .nothing)
        #expect(life.threadEnds() == .nothing)
        #expect(life.nextRound(hasWork: true) == .end)
        #expect(!life.acceptsScheduledTasks)
        #expect(life == state)
    }
}
