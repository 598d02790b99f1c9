import DequeModule
import NIOCore
import SocketCore
import Synchronization
package import TLSEngine

/// Session tickets that can be used once in the whole fleet.
///
/// ```swift
/// let keys = try TicketKeys(derivedFrom: secret, singleUse: SingleUseTickets(store: store))
/// ```
///
/// Each ticket needs a share to be opened, 32 random bytes that the server which issues the ticket puts into a ``SessionStore``. A server to
/// which the ticket is presented takes the share out, in the middle of the handshake. A ticket that was used before, or that an attacker
/// has recorded and presents first, costs a full handshake and nothing else. Once the share has been taken, the ticket cannot be opened by
/// anyone, not even with the ticket keys: sessions that were resumed or have expired have forward secrecy. The store alone is worthless
/// as well.
///
/// ## When the store fails
///
/// The handshake waits for the store until ``Options/deadline`` at most, and is then a full one. Its ``ConnectionInformation/fullHandshakeReason``
/// is `storeTimedOut` or `storeUnavailable`. After five failures in succession the store is not asked for some time (0.1 to 10 seconds),
/// and while it cannot keep shares no tickets are issued. It is used again as soon as a request has succeeded.
///
/// ## TLS 1.2
///
/// BoringSSL does not issue a new ticket in a resumed handshake of TLS 1.2. Such a client resumes once, and then makes a full handshake.
/// Sessions of TLS 1.2 clients without tickets stay in the process and are not affected.
public final class SingleUseTickets: Sendable {
    /// Limits on the use of the store.
    public struct Options: Sendable, Hashable {
        /// The time for which a handshake waits for the store, at least one millisecond. Default: 50 milliseconds.
        public var deadline: Duration = .milliseconds(50)

        /// The maximum number of lookups under way, and of insertions. Further handshakes do not resume a session or issue no ticket.
        /// Values below 1 count as 1. Default: 4096.
        public var maximumRequests: Int = 4096

        /// Creates the default limits.
        public init() {}
    }

    /// What became of the requests to the store. Counters only increase.
    public struct Statistics: Sendable, Hashable {
        /// Shares that were kept.
        public internal(set) var inserted = 0
        /// Shares that the store failed to keep, or not in time. Their tickets had been issued.
        public internal(set) var failedInsertions = 0
        /// Tickets that were not issued because the store fails or too many insertions were under way.
        public internal(set) var omittedTickets = 0
        /// Tickets whose share was taken.
        public internal(set) var taken = 0
        /// Tickets without a share: used before, expired, or never kept.
        public internal(set) var missing = 0
        /// Lookups that were not answered in time.
        public internal(set) var timedOut = 0
        /// Lookups that failed.
        public internal(set) var failed = 0
        /// Lookups that were not made because the store fails or too many were under way.
        public internal(set) var omittedLookups = 0
        /// The requests that are under way at present, those whose deadline is over included.
        public internal(set) var requestsInProgress = 0

        init() {}
    }

    private struct Lookup {
        let number: UInt64
        let deadline: ContinuousClock.Instant
    }

    private struct State {
        var statistics = Statistics()
        var insertions = 0
        var lookups = 0
        var insertionBreaker = CircuitBreaker()
        var lookupBreaker = CircuitBreaker()
        /// The lookups whose callers wait, by number.
        var waiting: [UInt64: CheckedContinuation<Result<[UInt8], NoTicketShare>, Never>] = [:]
        /// The same in order of their deadlines, and some that have ended: at most those of one deadline's length.
        var deadlines = Deque<Lookup>()
        var lastNumber: UInt64 = 0
        var isWatching = false
    }

    private let store: any SessionStore
    private let deadline: Duration
    private let maximumRequests: Int
    private let state = Mutex(State())

    /// Creates single-use tickets.
    ///
    /// - Parameters:
    ///   - store: The store that all servers use which open each other's tickets.
    ///   - options: Limits on its use.
    public init(store: some SessionStore, options: Options = Options()) {
        self.store = store
        self.deadline = max(options.deadline, .milliseconds(1))
        self.maximumRequests = max(options.maximumRequests, 1)
    }

    /// The numbers so far.
    public var statistics: Statistics {
        self.state.withLock { state in
            var statistics = state.statistics
            statistics.requestsInProgress = state.insertions + state.lookups
            return statistics
        }
    }
}

// MARK: For the engine

extension SingleUseTickets: SingleUseTicketStore {
    package func keep(_ share: [UInt8], of ticket: [UInt8], lifetime: UInt64) -> Bool {
        let isAdmitted = self.state.withLock { state in
            guard state.insertions < self.maximumRequests, state.insertionBreaker.admits(at: .now()) else {
                state.statistics.omittedTickets += 1
                return false
            }
            state.insertions += 1
            return true
        }
        guard isAdmitted else { return false }
        Task {
            let began = NIODeadline.now()
            var isKept = true
            do {
                try await self.store.insert(share, for: ticket, lifetime: .seconds(Int64(clamping: lifetime)))
            } catch {
                isKept = false
            }
            let isInTime = NIODeadline.now() - began <= TimeAmount(self.deadline)
            self.state.withLock { state in
                state.insertions -= 1
                if isKept { state.statistics.inserted += 1 } else { state.statistics.failedInsertions += 1 }
                if isKept && isInTime { state.insertionBreaker.succeeded() } else { state.insertionBreaker.failed(at: .now()) }
            }
        }
        return true
    }

    package func take(_ ticket: [UInt8], isRecent: Bool) async -> Result<[UInt8], NoTicketShare> {
        await withCheckedContinuation { continuation in
            let number = self.state.withLock { state -> UInt64? in
                guard state.lookups < self.maximumRequests, state.deadlines.count < 4 * self.maximumRequests,
                    state.lookupBreaker.admits(at: .now())
                else {
                    state.statistics.omittedLookups += 1
                    return nil
                }
                state.lookups += 1
                state.lastNumber += 1
                state.waiting[state.lastNumber] = continuation
                state.deadlines.append(Lookup(number: state.lastNumber, deadline: .now + self.deadline))
                return state.lastNumber
            }
            guard let number else { return continuation.resume(returning: .failure(NoTicketShare(.storeUnavailable))) }
            Task {
                do {
                    self.ended(number, .success(try await self.lookUp(ticket, isRecent: isRecent)))
                } catch {
                    self.ended(number, .failure(error))
                }
            }
            self.watchDeadlines()
        }
    }

    /// Takes a share. If the ticket is recent and has none, the server that issued it may still be putting it into the store: it is looked
    /// for again, twice. (Servers begin to store shares when they seal tickets, which is before a client has them.)
    private func lookUp(_ ticket: [UInt8], isRecent: Bool) async throws -> [UInt8]? {
        let share = try await self.store.take(ticket)
        guard share == nil, isRecent else { return share }
        for pause in [self.deadline / 10, self.deadline * 2 / 5] {
            try await Task.sleep(for: pause)
            if let share = try await self.store.take(ticket) { return share }
        }
        return nil
    }

    private func ended(_ number: UInt64, _ outcome: Result<[UInt8]?, any Error>) {
        let (waiting, result) = self.state.withLock { state in
            state.lookups -= 1
            let waiting = state.waiting.removeValue(forKey: number)
            while let first = state.deadlines.first, state.waiting[first.number] == nil { state.deadlines.removeFirst() }
            // A lookup whose deadline is over was counted then.
            guard waiting != nil else { return (waiting, Result<[UInt8], NoTicketShare>.failure(NoTicketShare(.storeTimedOut))) }
            switch outcome {
            case .success(let share?):
                state.statistics.taken += 1
                state.lookupBreaker.succeeded()
                return (waiting, .success(share))
            case .success(nil):
                state.statistics.missing += 1
                state.lookupBreaker.succeeded()
                return (waiting, .failure(NoTicketShare(.alreadyUsed)))
            case .failure:
                state.statistics.failed += 1
                state.lookupBreaker.failed(at: .now())
                return (waiting, .failure(NoTicketShare(.storeUnavailable)))
            }
        }
        waiting?.resume(returning: result)
    }

    /// Starts the task that ends lookups at their deadline, if it is not running. It ends when none is left, so that there is one task for many
    /// lookups, and none at rest.
    private func watchDeadlines() {
        let starts = self.state.withLock { state in
            defer { state.isWatching = true }
            return !state.isWatching
        }
        guard starts else { return }
        Task {
            while let next = self.nextDeadline() { try? await ContinuousClock().sleep(until: next) }
        }
    }

    /// Ends the lookups whose deadline is over. Returns the next deadline; nil if no lookup is left.
    private func nextDeadline() -> ContinuousClock.Instant? {
        let now = ContinuousClock.now
        let (late, next) = self.state.withLock { state in
            var late: [CheckedContinuation<Result<[UInt8], NoTicketShare>, Never>] = []
            while let first = state.deadlines.first {
                let waits = state.waiting[first.number] != nil
                if waits, first.deadline > now { break }
                state.deadlines.removeFirst()
                guard let waiting = state.waiting.removeValue(forKey: first.number) else { continue }
                state.statistics.timedOut += 1
                state.lookupBreaker.failed(at: .now())
                late.append(waiting)
            }
            state.isWatching = !state.deadlines.isEmpty
            return (late, state.deadlines.first?.deadline)
        }
        for waiting in late { waiting.resume(returning: .failure(NoTicketShare(.storeTimedOut))) }
        return next
    }
}

extension SingleUseTickets: Hashable {
    /// Returns whether two references are to the same object.
    public static func == (left: SingleUseTickets, right: SingleUseTickets) -> Bool { left === right }

    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
