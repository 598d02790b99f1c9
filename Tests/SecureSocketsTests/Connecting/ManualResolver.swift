import Foundation
import NIOCore
import SocketCore
import Synchronization

@testable import SecureSockets

/// A system's resolver that blocks until the test answers.
///
/// Sendable without a check because its state is touched while `condition` is locked only.
final class ManualResolver: @unchecked Sendable {
    private let condition = NSCondition()
    private var answers: [String: [IPFamily: HostResolver.Answer]] = [:]
    private var asked: [LookupQueue.Lookup] = []
    private var isOpen = false

    /// A host resolver that asks this one.
    func hostResolver(
        limits: LookupQueue.Limits = .init(), idleTime: DispatchTimeInterval = .seconds(10)
    ) -> HostResolver {
        HostResolver(limits: limits, idleTime: idleTime) { self.resolve($0) }
    }

    private func resolve(_ lookup: LookupQueue.Lookup) -> HostResolver.Answer {
        self.condition.withLock {
            self.asked.append(lookup)
            self.condition.broadcast()
            while true {
                if let answer = self.answers[lookup.name]?[lookup.family] { return answer }
                if self.isOpen { return .failure(.resolver(EAI_NONAME)) }
                self.condition.wait()
            }
        }
    }

    /// Answers for a name, now and from now on.
    func answer(_ name: String, _ family: IPFamily, _ answer: HostResolver.Answer) {
        self.condition.withLock {
            self.answers[name, default: [:]][family] = answer
            self.condition.broadcast()
        }
    }

    /// Answers for a name: it has these IPv4 addresses, and no other.
    func answer(_ name: String, _ addresses: String...) throws {
        let addresses = try addresses.map { try SocketAddress(ipAddress: $0, port: 0) }
        self.answer(name, .v4, .success(addresses))
        self.answer(name, .v6, .failure(.resolver(EAI_NONAME)))
    }

    /// From now on, all names without an answer are unknown, and nothing blocks.
    func open() {
        self.condition.withLock {
            self.isOpen = true
            self.condition.broadcast()
        }
    }

    /// Waits until so many look-ups have begun.
    func waitUntilAsked(_ count: Int) async throws {
        let hasBeenAsked = try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                let deadline = Date(timeIntervalSinceNow: 120)
                let hasBeenAsked = self.condition.withLock {
                    while self.asked.count < count { guard self.condition.wait(until: deadline) else { return false } }
                    return true
                }
                continuation.resume(with: Result<Bool, any Error>.success(hasBeenAsked))
            }
        }
        guard hasBeenAsked else { throw TooFewLookups() }
    }

    struct TooFewLookups: Error {}

    /// How many look-ups have begun.
    var count: Int { self.condition.withLock { self.asked.count } }
}

extension HostResolver {
    /// The numbers of threads, of those that are not idle, of look-ups that wait for one, and of callers.
    var counts: (threads: Int, running: Int, waiting: Int, callers: Int) {
        self.state.withLock { state in
            (state.queue.threadCount, state.queue.running.count, state.queue.waiting.count, state.completions.count)
        }
    }
}
