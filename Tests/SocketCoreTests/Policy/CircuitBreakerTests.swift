import NIOCore
import SocketCore
import Testing

@Suite struct `A circuit breaker` {
    private func admitted(_ breaker: inout CircuitBreaker, at now: NIODeadline) {
        let isAdmitted = breaker.admits(at: now)
        #expect(isAdmitted)
    }

    private func refused(_ breaker: inout CircuitBreaker, at now: NIODeadline) {
        let isAdmitted = breaker.admits(at: now)
        #expect(!isAdmitted)
    }

    private func breaker(failures: Int, at now: NIODeadline = .uptimeNanoseconds(0)) -> CircuitBreaker {
        var breaker = CircuitBreaker()
        for _ in 0..<failures { breaker.failed(at: now, random: 1) }
        return breaker
    }

    @Test func `admits requests until five have failed in succession`() {
        var breaker = self.breaker(failures: 4)
        self.admitted(&breaker, at: .uptimeNanoseconds(1))
        breaker.succeeded()
        for _ in 1...4 { breaker.failed(at: .uptimeNanoseconds(0)) }
        #expect(breaker.state == .closed(failures: 4))
        breaker.failed(at: .uptimeNanoseconds(0))
        self.refused(&breaker, at: .uptimeNanoseconds(1))
    }

    @Test func `admits one request after its pause, and the others when that has succeeded`() {
        var breaker = self.breaker(failures: 5)
        let end = NIODeadline.uptimeNanoseconds(0) + CircuitBreaker.shortestPause
        #expect(breaker.state == .open(until: end))
        self.refused(&breaker, at: end - .nanoseconds(1))
        self.admitted(&breaker, at: end)
        self.refused(&breaker, at: end)
        breaker.succeeded()
        self.admitted(&breaker, at: end)
        self.admitted(&breaker, at: end)
    }

    @Test func `pauses twice as long after each request that fails, up to a limit`() {
        var breaker = self.breaker(failures: 5)
        var pauses: [TimeAmount] = []
        for _ in 1...8 {
            guard case .open(let until) = breaker.state else { break }
            self.admitted(&breaker, at: until)
            breaker.failed(at: until, random: 1)
            if case .open(let next) = breaker.state { pauses.append(next - until) }
        }
        #expect(pauses.first == CircuitBreaker.shortestPause * 2)
        #expect(pauses.last == CircuitBreaker.longestPause)
        #expect(pauses == pauses.sorted())
    }

    @Test func `pauses at least half as long, whatever the random number`() {
        for (random, part) in [(0.0, 0.5), (1.0, 1.0), (-7.0, 0.5), (.infinity, 1.0)] {
            var breaker = CircuitBreaker()
            for _ in 1...5 { breaker.failed(at: .uptimeNanoseconds(0), random: random) }
            let length = Int64(Double(CircuitBreaker.shortestPause.nanoseconds) * part)
            #expect(breaker.state == .open(until: .uptimeNanoseconds(UInt64(length))))
        }
    }

    @Test func `is not changed by late outcomes while it is open`() {
        var breaker = self.breaker(failures: 5)
        let state = breaker.state
        breaker.succeeded()
        breaker.failed(at: .uptimeNanoseconds(1))
        #expect(breaker.state == state)
    }
}
