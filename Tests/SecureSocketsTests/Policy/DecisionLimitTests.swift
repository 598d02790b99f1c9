import NIOCore
import Synchronization
import TLSEngine
import TestSupport
import Testing

@testable import SecureSockets

@Suite(.timeLimit(.minutes(5))) struct `The decisions under way at a listener` {
    private let executor = EventLoopExecutor.of(SocketEventLoopGroup.shared.any())

    /// Decisions that are made when the test says so, in order of their start.
    private final class Decisions: Sendable {
        private struct State {
            var started: [CheckedContinuation<Void, Never>] = []
            var arrival: CheckedContinuation<Void, Never>?
            var isOver = false
        }

        private let state = Mutex(State())

        func decide() async -> HandshakeDecision {
            await withCheckedContinuation { continuation in
                let resumed = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
                    if state.isOver { return [continuation] }
                    state.started.append(continuation)
                    defer { state.arrival = nil }
                    return [state.arrival].compactMap(\.self)
                }
                for continuation in resumed { continuation.resume() }
            }
            return .accept
        }

        /// Waits until a decision has been started, and ends it.
        func endOne() async {
            await withCheckedContinuation { continuation in
                let isReady = self.state.withLock { state in
                    if state.started.isEmpty { state.arrival = continuation }
                    return !state.started.isEmpty
                }
                if isReady { continuation.resume() }
            }
            self.state.withLock { $0.started.removeFirst() }.resume()
        }

        /// Ends all decisions, also those that start later.
        func endAll() {
            let started = self.state.withLock { state in
                state.isOver = true
                defer { state.started = [] }
                return state.started
            }
            for continuation in started { continuation.resume() }
        }
    }

    @Test func `do not keep those that were cancelled while they waited`() async throws {
        let limit = DecisionLimit(1)
        let decisions = Decisions()
        let (made, continuation) = AsyncStream.makeStream(of: String.self)
        func run(_ name: String) -> DecisionRun {
            DecisionRun(limit: limit, onLoop: self.executor.onLoop) {
                await decisions.decide()
            } completion: { _ in
                continuation.yield(name)
            }
        }
        let first = run("first")
        let last = run("last")
        for _ in 0..<100_000 { run("cancelled").cancel() }
        #expect(limit.waitingCount < 4)
        // Many that are cancelled one after another do not exhaust the stack of the one that ends before them.
        let crowd = (0..<100_000).map { run("\($0)") }
        for run in crowd.prefix(49_000) { run.cancel() }
        var names = made.makeAsyncIterator()
        for name in ["first", "last", "49000"] {
            await decisions.endOne()
            #expect(await names.next() == name)
        }
        for run in crowd { run.cancel() }
        decisions.endAll()
        #expect(limit.waitingCount < 4)
        withExtendedLifetime((first, last)) {}
    }
}
