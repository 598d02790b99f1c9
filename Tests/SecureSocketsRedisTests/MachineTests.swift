import Testing

@testable import SecureSocketsRedis

@Suite struct `The life of a connection` {
    private let start = ContinuousClock.now
    private let reason = RedisError(.connectionFailed, "the server is down")

    private func machine() -> RedisConnectionMachine {
        RedisConnectionMachine(backoff: Backoff(minimum: .milliseconds(100), maximum: .seconds(5)), server: "redis:6379")
    }

    @Test func `begins with the first command, and others wait for it`() {
        var machine = self.machine()
        #expect(machine.send() == .connect)
        #expect(machine.send() == .wait)
        #expect(machine.connected(at: self.start) == true)
        #expect(machine.send() == .write)
    }

    @Test func `refuses commands from the first failure to the next success`() {
        var machine = self.machine()
        _ = machine.send()
        #expect(machine.ended(self.reason, at: self.start, jitter: 1) == .retry(after: .milliseconds(100)))
        #expect(machine.send() == .refuse(self.reason))
        #expect(machine.backoffEnded() == true)
        #expect(machine.send() == .refuse(self.reason))
        #expect(machine.connected(at: self.start) == true)
        #expect(machine.send() == .write)
    }

    @Test func `quotes the last failure when it refuses`() {
        var machine = self.machine()
        _ = machine.send()
        _ = machine.ended(self.reason, at: self.start, jitter: 1)
        guard case .refuse(let error) = machine.send() else {
            Issue.record("the command was not refused")
            return
        }
        #expect(error.message == "there is no connection to Redis at redis:6379 (last failure: the server is down)")
    }

    @Test func `keeps the code of a failed authentication`() {
        var machine = self.machine()
        let reason = RedisError(.authenticationFailed, "wrong password", replyCode: "WRONGPASS")
        _ = machine.send()
        _ = machine.ended(reason, at: self.start, jitter: 1)
        #expect(machine.send() == .refuse(reason))
    }

    @Test func `waits longer after each failure, also after connections that are lost soon`() {
        var machine = self.machine()
        _ = machine.send()
        var delays: [Duration] = []
        for _ in 1...8 {
            _ = machine.connected(at: self.start)
            if case .retry(let delay) = machine.ended(self.reason, at: self.start + .seconds(4), jitter: 1) {
                delays.append(delay)
            }
            #expect(machine.backoffEnded() == true)
        }
        #expect(delays == [100, 200, 400, 800, 1600, 3200, 5000, 5000].map { .milliseconds($0) })
        _ = machine.connected(at: self.start)
        #expect(machine.ended(self.reason, at: self.start + .seconds(5), jitter: 1) == .retry(after: .milliseconds(100)))
    }

    @Test func `is closed in every state for good`() {
        for events in 0...4 {
            var machine = self.machine()
            if events > 0 { _ = machine.send() }
            if events > 1 { _ = machine.connected(at: self.start) }
            if events > 2 { _ = machine.ended(self.reason, at: self.start, jitter: 0) }
            if events > 3 { _ = machine.backoffEnded() }
            #expect(machine.close() == true)
            #expect(machine.close() == false)
            #expect(machine.isClosed)
            #expect(machine.send() == .refuse(.closed))
            #expect(machine.connected(at: self.start) == false)
            #expect(machine.ended(self.reason, at: self.start, jitter: 0) == .stop)
            #expect(machine.backoffEnded() == false)
        }
    }

    @Test func `spreads attempts from zero to the ceiling`() {
        var backoff = Backoff(minimum: .milliseconds(100), maximum: .milliseconds(300))
        #expect(backoff.next(jitter: 0) == .zero)
        #expect(backoff.next(jitter: 0.5) == .milliseconds(100))
        #expect(backoff.next(jitter: 1) == .milliseconds(300))
        backoff.reset()
        #expect(backoff.next(jitter: 1) == .milliseconds(100))
    }
}
