import NIOCore
import NIOEmbedded
import NIOPosix
import TestSupport
import Testing

@testable import SecureSocketsNIO

/// The time limits of handlers, which share one task of their loop.
@Suite(.timeLimit(.minutes(1))) struct `The time limits of handlers` {
    private final class Reached: @unchecked Sendable {
        // Unchecked: used on the loop, and read after the future that the loop has completed.
        var limits: [Int] = []
    }

    @Test func `are reached in the order of their times, but for those that are cancelled`() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let reached = Reached()
        let last = loop.makePromise(of: Void.self)
        try await loop.submit {
            func start(_ milliseconds: Int64) -> HandlerTimer {
                .start(after: .milliseconds(milliseconds), on: loop) { reached.limits.append(Int(milliseconds)) }
            }
            _ = start(9)
            let cancelled = [start(3), start(1), start(12)]
            _ = start(6)
            for timer in cancelled { timer.cancel() }
            // A limit that is reached may start another.
            _ = HandlerTimer.start(after: .milliseconds(20), on: loop) {
                _ = start(1)
                _ = HandlerTimer.start(after: .milliseconds(2), on: loop) { last.succeed() }
            }
        }.get()
        try await last.futureResult.get()
        #expect(reached.limits == [6, 9, 1])
        try await group.shutdownGracefully()
    }

    @Test func `share nothing between loops, and none with a loop that has no thread of its own`() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var timers: [ObjectIdentifier] = []
        for loop in group.makeIterator() {
            let found = try await loop.submit { LoopTimers.of(loop).map { ObjectIdentifier($0) } }.get()
            if let found { timers.append(found) }
        }
        #expect(Set(timers).count == 2)
        let embedded = EmbeddedEventLoop()
        let reached = Reached()
        #expect(LoopTimers.of(embedded) == nil)
        let cancelled = HandlerTimer.start(after: .seconds(1), on: embedded) { reached.limits.append(1) }
        _ = HandlerTimer.start(after: .seconds(2), on: embedded) { reached.limits.append(2) }
        cancelled.cancel()
        embedded.advanceTime(by: .seconds(3))
        #expect(reached.limits == [2])
        try await group.shutdownGracefully()
    }
}
