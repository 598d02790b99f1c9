import NIOCore
import SocketCore
import Testing

@Suite struct `A log limiter` {
    @Test func `lets ten events of ten seconds through, and then says how many it did not`() {
        var limiter = LogLimiter()
        func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(1_000_000_000) + .seconds(seconds) }
        for _ in 0..<10 { #expect(limiter.decide(at: at(0)) == .log(suppressed: 0)) }
        for _ in 0..<500 { #expect(limiter.decide(at: at(9)) == .suppress) }
        #expect(limiter.decide(at: at(10)) == .log(suppressed: 500))
        #expect(limiter.decide(at: at(10)) == .log(suppressed: 0))
    }
}
