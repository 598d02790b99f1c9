import NIOCore
import SocketCore
import Testing

@Suite struct `A listener's states` {
    private func machine(handshakes: Int = 100, lingering: Int = 1000, loops: Int = 1) -> AcceptMachine {
        AcceptMachine(limits: .init(handshakes: handshakes, lingering: lingering), loops: loops)
    }

    private func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(1_000_000_000) + .milliseconds(milliseconds) }
    private func silent(_ id: AcceptMachine.ID) -> Bool { false }
    private func speaking(_ id: AcceptMachine.ID) -> Bool { true }

    private func admit(_ machine: inout AcceptMachine, at time: Int64 = 0) -> AcceptMachine.Admission {
        machine.admit(now: self.at(time), hasSpoken: self.silent)
    }

    /// One connection from the operating system's queue to its loop.
    private func arrive(
        _ machine: inout AcceptMachine, at time: Int64 = 0, loop: Int = 0
    ) -> (arrival: AcceptMachine.Arrival, effects: [AcceptMachine.Effect]) {
        #expect(self.admit(&machine, at: time) == .take(loop: loop))
        return machine.arrived(loop: loop, now: self.at(time), hasSpoken: self.silent)
    }

    // MARK: Connections that the program takes

    @Test func `counts an established connection until the program takes it, also if it has gone meanwhile`() {
        var machine = self.machine()
        _ = machine.serve(maximumConnections: 1, now: self.at(0))
        #expect(self.arrive(&machine).arrival == .handshake(1))
        #expect(self.arrive(&machine).arrival == .handshake(2))
        #expect(machine.handshakeCompleted(1).contains(.run(1)))
        #expect(!machine.handshakeCompleted(2).contains(.run(2)))
        #expect(self.admit(&machine) == .refuse(until: nil))
        _ = machine.gone(1)
        #expect(self.admit(&machine) == .refuse(until: nil))
        #expect(machine.taken(1).contains(.run(2)))
        _ = machine.taken(2)
        #expect(self.admit(&machine) == .take(loop: 0))
        #expect(machine.isDeserted)
    }

    // MARK: Accept

    @Test func `takes as many connections as calls wait for`() {
        var machine = self.machine()
        #expect(self.admit(&machine) == .refuse(until: nil))
        #expect(machine.acceptCalled(1, loop: nil, now: self.at(0)) == [.wake])
        #expect(self.admit(&machine) == .take(loop: 0))
        // One is on its way for the only call.
        #expect(self.admit(&machine) == .refuse(until: nil))
        let (arrival, effects) = machine.arrived(loop: 0, now: self.at(0), hasSpoken: self.silent)
        #expect(arrival == .handshake(1))
        #expect(effects == [.wake])
        #expect(self.admit(&machine) == .refuse(until: nil))
        #expect(machine.handshakeCompleted(1) == [.answer(1, 1), .wake])
        #expect(self.admit(&machine) == .refuse(until: nil))
    }

    @Test func `gives connections to calls in the order of the calls`() {
        var machine = self.machine()
        for call in 1...3 as ClosedRange<UInt64> { _ = machine.acceptCalled(call, loop: nil, now: self.at(0)) }
        for id in 1...3 as ClosedRange<UInt64> { #expect(self.arrive(&machine).arrival == .handshake(id)) }
        #expect(machine.handshakeCompleted(2) == [.answer(2, 2)])
        #expect(machine.handshakeFailed(1) == [.fail(1, 1)])
        #expect(machine.handshakeCompleted(3) == [.answer(3, 3)])
    }

    @Test func `keeps a connection whose call has given up before it came for the next call`() {
        var machine = self.machine()
        _ = machine.acceptCalled(1, loop: nil, now: self.at(0))
        #expect(self.admit(&machine) == .take(loop: 0))
        #expect(machine.callGaveUp(1) == [])
        #expect(machine.arrived(loop: 0, now: self.at(0), hasSpoken: self.silent).arrival == .wait(1))
        #expect(machine.acceptCalled(2, loop: nil, now: self.at(0)) == [.begin(1)])
        #expect(machine.handshakeCompleted(1) == [.answer(2, 1)])
    }

    @Test func `a call whose connection goes before its handshake begins gets the next one`() {
        var machine = self.machine()
        _ = machine.acceptCalled(1, loop: nil, now: self.at(0))
        #expect(self.arrive(&machine).arrival == .handshake(1))
        #expect(machine.gone(1) == [])
        #expect(self.arrive(&machine).arrival == .handshake(2))
        #expect(machine.handshakeCompleted(2) == [.answer(1, 2)])
    }

    @Test func `a call whose connection goes before its handshake begins ends with the listener`() {
        var machine = self.machine()
        _ = machine.acceptCalled(1, loop: nil, now: self.at(0))
        _ = self.arrive(&machine)
        #expect(machine.close(isGraceful: true) == [.abandon(1, isCrowded: false)])
        #expect(machine.gone(1).first == .refuse(1))
    }

    @Test func `a connection that goes before its handshake begins is not waited for at the end`() {
        var machine = self.machine()
        _ = machine.serve(maximumConnections: 10, now: self.at(0))
        #expect(self.arrive(&machine).arrival == .handshake(1))
        #expect(machine.close(isGraceful: true) == [])
        #expect(machine.gone(1) == [.allAreServed, .allAreGone])
    }

    @Test func `drops the connection in its handshake for a call that gives up`() {
        var machine = self.machine()
        _ = machine.acceptCalled(1, loop: nil, now: self.at(0))
        _ = self.arrive(&machine)
        #expect(machine.callGaveUp(1) == [.abandon(1, isCrowded: false)])
        #expect(machine.handshakeFailed(1) == [.fail(1, 1)])
    }

    // MARK: Serve

    @Test func `runs handlers up to the limit, and the rest when one has ended`() {
        var machine = self.machine()
        #expect(machine.serve(maximumConnections: 2, now: self.at(0)) == [.wake])
        for id in 1...3 as ClosedRange<UInt64> { #expect(self.arrive(&machine).arrival == .handshake(id)) }
        #expect(machine.handshakeCompleted(2) == [.run(2)])
        #expect(machine.handshakeCompleted(1) == [.run(1)])
        #expect(self.admit(&machine) == .refuse(until: nil))
        // The third was in its handshake before the limit was reached, and is ready until a handler ends.
        #expect(machine.handshakeCompleted(3) == [.wake])
        #expect(self.admit(&machine) == .refuse(until: nil))
        #expect(machine.handlerEnded(1) == [.run(3), .wake])
        #expect(self.admit(&machine) == .refuse(until: nil))
        #expect(machine.handlerEnded(2) == [.wake])
        #expect(self.admit(&machine) == .take(loop: 0))
    }

    @Test func `does not count handshakes as served connections`() {
        var machine = self.machine()
        _ = machine.serve(maximumConnections: 2, now: self.at(0))
        for _ in 0..<50 { _ = self.arrive(&machine) }
        #expect(self.arrive(&machine).arrival == .handshake(51))
        #expect(machine.handshakeCompleted(51) == [.run(51)])
    }

    @Test func `at the limit of handshakes the one that has been silent longest leaves, after a moment`() {
        var machine = self.machine(handshakes: 3)
        _ = machine.serve(maximumConnections: .max, now: self.at(0))
        for time in [0, 10, 20] as [Int64] { _ = self.arrive(&machine, at: time) }
        #expect(self.admit(&machine, at: 99) == .refuse(until: self.at(100)))
        // The second has spoken by now, and stays.
        #expect(machine.admit(now: self.at(100)) { $0 == 2 } == .take(loop: 0))
        let (arrival, effects) = machine.arrived(loop: 0, now: self.at(101)) { $0 == 2 }
        #expect(arrival == .handshake(4))
        #expect(effects == [.abandonIfSilent(1, isCrowded: true)])
        #expect(machine.handshakeFailed(1) == [.report(1)])
        #expect(machine.admit(now: self.at(119)) { $0 == 2 } == .refuse(until: self.at(120)))
    }

    @Test func `one that was to leave as silent has a place again when it turns out to have spoken`() {
        var machine = self.machine(handshakes: 1)
        _ = machine.serve(maximumConnections: 10, now: self.at(0))
        #expect(self.arrive(&machine).arrival == .handshake(1))
        #expect(self.admit(&machine, at: 100) == .take(loop: 0))
        let (_, effects) = machine.arrived(loop: 0, now: self.at(100), hasSpoken: self.silent)
        #expect(effects == [.abandonIfSilent(1, isCrowded: true)])
        machine.hasSpoken(1)
        // Two have places where one is allowed, so no other is taken until the silent one has had its time.
        #expect(self.admit(&machine, at: 100) == .refuse(until: self.at(200)))
        #expect(machine.handshakeCompleted(1) == [.run(1), .wake])
    }

    @Test func `if all have spoken the slowest leaves, after two seconds`() {
        var machine = self.machine(handshakes: 2)
        _ = machine.serve(maximumConnections: .max, now: self.at(0))
        for time in [0, 10] as [Int64] { _ = self.arrive(&machine, at: time) }
        #expect(machine.admit(now: self.at(1999), hasSpoken: self.speaking) == .refuse(until: self.at(2000)))
        #expect(machine.admit(now: self.at(2000), hasSpoken: self.speaking) == .take(loop: 0))
        #expect(machine.arrived(loop: 0, now: self.at(2000), hasSpoken: self.speaking).effects == [.abandon(1, isCrowded: true)])
    }

    @Test func `a handshake that completes makes room at once`() {
        var machine = self.machine(handshakes: 1)
        _ = machine.serve(maximumConnections: .max, now: self.at(0))
        _ = self.arrive(&machine)
        #expect(self.admit(&machine) == .refuse(until: self.at(100)))
        #expect(machine.handshakeCompleted(1) == [.run(1), .wake])
        #expect(self.admit(&machine) == .take(loop: 0))
    }

    @Test func `of too many that linger the oldest is dropped`() {
        var machine = self.machine(lingering: 3)
        _ = machine.serve(maximumConnections: .max, now: self.at(0))
        for id in 1...5 as ClosedRange<UInt64> {
            _ = self.arrive(&machine)
            _ = machine.handshakeCompleted(id)
        }
        #expect(machine.handlerEnded(1) == [])
        #expect(machine.handlerEnded(2) == [])
        #expect(machine.handlerEnded(3) == [])
        #expect(machine.gone(2) == [])
        #expect(machine.handlerEnded(4) == [])
        #expect(machine.handlerEnded(5) == [.drop(1)])
    }

    @Test func `a listener that serves a few lets a few more linger, whatever the limit`() {
        var machine = self.machine(lingering: 1000)
        _ = machine.serve(maximumConnections: 1, now: self.at(0))
        var dropped: [AcceptMachine.Effect] = []
        for id in 1...100 as ClosedRange<UInt64> {
            _ = self.arrive(&machine)
            _ = machine.handshakeCompleted(id)
            dropped += machine.handlerEnded(id)
        }
        #expect(dropped == (1...36).map { .drop($0) })
    }

    // MARK: Shortages

    @Test func `without descriptors those that linger make room, then those that are silent`() {
        var machine = self.machine()
        _ = machine.serve(maximumConnections: .max, now: self.at(0))
        for id in 1...3 as ClosedRange<UInt64> {
            _ = self.arrive(&machine)
            if id < 3 { _ = machine.handshakeCompleted(id) }
        }
        _ = machine.handlerEnded(1)
        #expect(self.admit(&machine, at: 200) == .take(loop: 0))
        let short = machine.ranShort(loop: 0, now: self.at(200), retryAt: self.at(250), hasSpoken: self.silent)
        #expect(short.effects == [.drop(1), .abandonIfSilent(3, isCrowded: true)])
        #expect(short.refused == nil)
        #expect(self.admit(&machine, at: 201) == .refuse(until: self.at(250)))
        // A descriptor is free before that.
        #expect(machine.gone(1) == [.wake])
        #expect(self.admit(&machine, at: 202) == .take(loop: 0))
    }

    @Test func `without descriptors and with nothing to spare a call of accept fails`() {
        var machine = self.machine()
        _ = machine.acceptCalled(1, loop: nil, now: self.at(0))
        _ = machine.acceptCalled(2, loop: nil, now: self.at(0))
        #expect(self.admit(&machine) == .take(loop: 0))
        #expect(machine.ranShort(loop: 0, now: self.at(0), retryAt: self.at(50), hasSpoken: self.silent).refused == 1)
        #expect(self.admit(&machine, at: 49) == .refuse(until: self.at(50)))
        #expect(self.admit(&machine, at: 50) == .take(loop: 0))
    }

    // MARK: Loops

    @Test func `spreads connections over the loops, and over those that take them if one does not`() {
        var machine = self.machine(handshakes: 10_000, loops: 3)
        _ = machine.serve(maximumConnections: .max, now: self.at(0))
        var given: [Int: Int] = [:]
        for _ in 0..<900 {
            guard case .take(let loop) = self.admit(&machine) else { break }
            given[loop, default: 0] += 1
            // The second is blocked.
            if loop != 1 { _ = machine.arrived(loop: loop, now: self.at(0), hasSpoken: self.silent) }
        }
        #expect(given == [0: 434, 1: 32, 2: 434])
    }

    @Test func `a loop that leaves a connection untaken gets no more until it does something`() {
        var machine = self.machine(loops: 2)
        _ = machine.serve(maximumConnections: .max, now: self.at(0))
        #expect(self.admit(&machine) == .take(loop: 0))
        #expect(self.admit(&machine) == .take(loop: 1))
        _ = machine.arrived(loop: 1, now: self.at(0), hasSpoken: self.silent)
        #expect(machine.moveFromStalled(0) == 1)
        for _ in 0..<5 { #expect(self.admit(&machine) == .take(loop: 1)) }
        #expect(machine.resumed(loop: 0) == [])
        #expect(self.admit(&machine) == .take(loop: 0))
        // If all have stalled nothing is moved, and nothing is admitted.
        #expect(machine.moveFromStalled(0) == 1)
        #expect(machine.moveFromStalled(1) == nil)
        #expect(self.admit(&machine) == .refuse(until: nil))
        #expect(machine.resumed(loop: 1) == [.wake])
        #expect(self.admit(&machine) == .take(loop: 1))
    }

    @Test func `while the port closes a loop is given all that the operating system has`() {
        var machine = self.machine()
        _ = machine.serve(maximumConnections: 1000, now: self.at(0))
        for _ in 1...32 { #expect(self.admit(&machine) == .take(loop: 0)) }
        #expect(self.admit(&machine) == .refuse(until: nil))
        machine.portCloses()
        for _ in 1...32 { #expect(self.admit(&machine) == .take(loop: 0)) }
    }

    @Test func `a call gets its connection on the loop that it asks for`() {
        var machine = self.machine(loops: 4)
        _ = machine.acceptCalled(1, loop: 2, now: self.at(0))
        _ = machine.acceptCalled(2, loop: 3, now: self.at(0))
        #expect(self.admit(&machine) == .take(loop: 2))
        #expect(self.admit(&machine) == .take(loop: 3))
    }

    // MARK: The end

    @Test func `a graceful end serves what is in its handshake or ready, and takes no more`() {
        var machine = self.machine()
        _ = machine.serve(maximumConnections: 1, now: self.at(0))
        for _ in 1...4 { _ = self.arrive(&machine) }
        _ = machine.handshakeCompleted(1)
        _ = machine.handshakeCompleted(2)
        #expect(machine.close(isGraceful: true) == [])
        #expect(self.admit(&machine) == .refuse(until: nil))
        #expect(machine.acceptCalled(1, loop: nil, now: self.at(0)) == [.refuse(1)])
        #expect(machine.handlerEnded(1) == [.run(2)])
        #expect(machine.handshakeCompleted(3) == [])
        #expect(machine.handlerEnded(2) == [.run(3)])
        // The fourth stays silent, and is not waited for.
        var (effects, next) = machine.dropSilent(now: self.at(99), hasSpoken: self.silent)
        #expect(effects == [])
        #expect(next == self.at(100))
        (effects, next) = machine.dropSilent(now: self.at(100), hasSpoken: self.silent)
        #expect(effects == [.abandonIfSilent(4, isCrowded: false)])
        #expect(next == nil)
        #expect(machine.handshakeFailed(4) == [.report(4), .allAreServed])
        #expect(machine.handlerEnded(3) == [])
        for id in 1...3 as ClosedRange<UInt64> { #expect(machine.gone(id) == []) }
        #expect(machine.gone(4) == [.allAreGone])
    }

    @Test func `a graceful end waits for what a loop has been given and has not taken`() {
        var machine = self.machine()
        _ = machine.serve(maximumConnections: 1, now: self.at(0))
        #expect(self.admit(&machine) == .take(loop: 0))
        #expect(machine.close(isGraceful: true) == [])
        #expect(machine.arrived(loop: 0, now: self.at(0), hasSpoken: self.silent).arrival == .handshake(1))
        #expect(machine.handshakeCompleted(1) == [.run(1), .allAreServed])
    }

    @Test func `an end that is not graceful drops everything but what runs`() {
        var machine = self.machine()
        _ = machine.serve(maximumConnections: 1, now: self.at(0))
        for _ in 1...3 { _ = self.arrive(&machine) }
        _ = machine.handshakeCompleted(1)
        _ = machine.handshakeCompleted(2)
        #expect(machine.close(isGraceful: false) == [.abandon(3, isCrowded: false), .drop(2)])
        #expect(machine.handshakeFailed(3) == [.report(3), .allAreServed])
        #expect(machine.handlerEnded(1) == [])
        _ = machine.gone(1)
        _ = machine.gone(2)
        #expect(machine.gone(3) == [.allAreGone])
    }

    @Test func `calls and what waits for them end with the listener`() {
        var machine = self.machine()
        _ = machine.acceptCalled(1, loop: nil, now: self.at(0))
        _ = machine.acceptCalled(2, loop: nil, now: self.at(0))
        _ = self.arrive(&machine)
        #expect(machine.close(isGraceful: true) == [.refuse(2), .abandon(1, isCrowded: false)])
        #expect(machine.close(isGraceful: true) == [])
        #expect(machine.isClosed)
    }
}
