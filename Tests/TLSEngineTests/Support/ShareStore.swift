import Synchronization
import TLSEngine

/// A store of shares in memory, which can be made to fail.
final class ShareStore: SingleUseTicketStore {
    private struct State {
        var shares: [[UInt8]: [UInt8]] = [:]
        var failure: ReasonForFullHandshake?
        var keeps = true
        var lookups = 0
    }

    private let state = Mutex(State())

    var count: Int { self.state.withLock { $0.shares.count } }
    var lookups: Int { self.state.withLock { $0.lookups } }

    /// The reason that each lookup has from now on; nil if it is made.
    func fail(_ reason: ReasonForFullHandshake?) { self.state.withLock { $0.failure = reason } }

    func refuseToKeep() { self.state.withLock { $0.keeps = false } }

    /// Replaces all shares by others.
    func falsify() { self.state.withLock { $0.shares = $0.shares.mapValues { _ in Array(repeating: 7, count: 32) } } }

    func keep(_ share: [UInt8], of ticket: [UInt8], lifetime: UInt64) -> Bool {
        self.state.withLock { state in
            if state.keeps { state.shares[ticket] = share }
            return state.keeps
        }
    }

    func take(_ ticket: [UInt8], isRecent: Bool) async -> Result<[UInt8], NoTicketShare> {
        self.state.withLock { state in
            state.lookups += 1
            if let failure = state.failure { return .failure(NoTicketShare(failure)) }
            return state.shares.removeValue(forKey: ticket).map { .success($0) } ?? .failure(NoTicketShare(.alreadyUsed))
        }
    }
}
