import DequeModule
public import Logging
import NIOCore
import SocketCore
import Synchronization
package import TLSEngine

/// Session tickets that can be used once in the whole fleet.
///
/// ```swift
/// func ticketKeys(with store: some SessionStore) throws -> TicketKeys {
///     try TicketKeys(derivedFrom: .init(file: "/run/secrets/ticket-secret"), singleUse: SingleUseTickets(store: store))
/// }
/// ```
///
/// Each ticket needs a share to be opened, 32 random bytes that the server which issues the ticket puts into a ``SessionStore``. A server to
/// which the ticket is presented takes the share out, in the middle of the handshake. A ticket that was used before results in a full
/// handshake; so does one that an attacker has recorded and presented first. Once the share has been taken, nothing opens the ticket, not
/// even the ticket keys: earlier sessions have forward secrecy. The store alone does not allow an attacker to open a ticket.
///
/// A share is written when its ticket is sealed, while the client receives the ticket. If the client is quicker, at another server, the share of
/// a ticket of the last second is looked for again, twice, within the deadline.
///
/// Each full handshake, and each resumed one of TLS 1.3, stores as many shares as the server issues tickets
/// (``TLSParameters/sessionTickets``), which stay for the lifetime of the session (``TLSParameters/sessionLifetime``) unless they are taken:
/// choose a lifetime for which the store has room, and a store that drops the oldest values when it has none.
///
/// ## When the store fails
///
/// The handshake waits for the store until ``Options/deadline`` at most, and is then a full one. Its ``ConnectionInformation/fullHandshakeReason``
/// is `storeTimedOut` or `storeUnavailable`. The task that asks the store is then cancelled. After five failures in succession the store is
/// not asked for some time (0.1 to 10 seconds), and while it cannot keep shares no tickets are issued. It is used again as soon as a request
/// has succeeded.
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
        /// Values below 1 count as 1. Default: 400, with which those of a server fit into the queue of a `RedisClient`.
        public var maximumRequests: Int = 400

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

    fileprivate typealias Caller = CheckedContinuation<Result<[UInt8], NoTicketShare>, Never>

    /// A request to the store.
    ///
    ///     event ↓           state →   asked            answered ¹      late
    ///     first answer      answered                   -               -
    ///     outcome           reported, removed          the same        removed
    ///     deadline          late: timed out            late: missing   -
    ///
    /// ¹ Of a lookup that is repeated: the store works, but has not had the share.
    fileprivate struct Request {
        let isLookup: Bool
        /// The caller that waits for a lookup; nil once it has been resumed, and for insertions.
        var waiting: Caller?
        var task: Task<Void, Never>?
        var isAnswered = false
        var isLate = false
    }

    fileprivate struct Deadline {
        let request: UInt64
        let time: ContinuousClock.Instant
    }

    fileprivate struct State {
        var statistics = Statistics()
        var insertions = 0
        var lookups = 0
        var insertionBreaker = CircuitBreaker()
        var lookupBreaker = CircuitBreaker()
        /// Those under way, late ones included: at most `maximumRequests` of each kind.
        var requests: [UInt64: Request] = [:]
        /// In order of time. Some requests may have ended: at most those of one deadline's length.
        var deadlines = Deque<Deadline>()
        var lastNumber: UInt64 = 0
        var isFailureLogged = false
        var isWatching = false
    }

    private let store: any SessionStore
    private let deadline: Duration
    private let maximumRequests: Int
    private let logger: Logger
    private let state = Mutex(State())

    /// Creates single-use tickets.
    ///
    /// - Parameters:
    ///   - store: The store that all servers use which open each other's tickets.
    ///   - options: Limits on its use.
    ///   - logger: The logger: at level `warning` when the store is no longer asked because it fails, and at `notice` when it has recovered.
    public init(
        store: some SessionStore, options: Options = Options(), logger: Logger = Logger(label: "SecureSockets")
    ) {
        self.store = store
        self.logger = logger
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
        guard let number = self.admit(nil) else { return false }
        self.run(number) {
            try await self.store.insert(share, for: ticket, lifetime: .seconds(Int64(clamping: lifetime)))
            return nil
        }
        return true
    }

    package func take(_ ticket: [UInt8], isRecent: Bool) async -> Result<[UInt8], NoTicketShare> {
        await withCheckedContinuation { continuation in
            guard let number = self.admit(continuation) else {
                return continuation.resume(returning: .failure(NoTicketShare(.storeUnavailable)))
            }
            self.run(number) { try await self.lookUp(ticket, isRecent: isRecent, number) }
        }
    }

    /// Takes a share. If the ticket is recent and has none, the server that issued it may still be putting it into the store: it is looked
    /// for again, twice, within the deadline. (Servers begin to store shares when they seal tickets, which is before a client has them.)
    private func lookUp(_ ticket: [UInt8], isRecent: Bool, _ number: UInt64) async throws -> [UInt8]? {
        let share = try await self.store.take(ticket)
        guard share == nil, isRecent else { return share }
        self.state.withLock { state in
            guard state.requests[number]?.isLate == false else { return }
            state.requests[number]?.isAnswered = true
            state.lookupBreaker.succeeded()
        }
        for pause in [min(self.deadline / 10, .milliseconds(100)), min(self.deadline * 2 / 5, .milliseconds(400))] {
            try await Task.sleep(for: pause)
            if let share = try await self.store.take(ticket) { return share }
        }
        return nil
    }

    // MARK: Requests

    /// Begins a request, unless too many are under way or the store fails.
    ///
    /// - Parameter waiting: The caller of a lookup; nil for an insertion.
    private func admit(_ waiting: Caller?) -> UInt64? {
        let isLookup = waiting != nil
        return self.state.withLock { state in
            let count = isLookup ? state.lookups : state.insertions
            guard count < self.maximumRequests, state.deadlines.count < 8 * self.maximumRequests,
                isLookup ? state.lookupBreaker.admits(at: .now()) : state.insertionBreaker.admits(at: .now())
            else {
                if isLookup { state.statistics.omittedLookups += 1 } else { state.statistics.omittedTickets += 1 }
                return nil
            }
            if isLookup { state.lookups += 1 } else { state.insertions += 1 }
            state.lastNumber += 1
            state.requests[state.lastNumber] = Request(isLookup: isLookup, waiting: waiting)
            state.deadlines.append(Deadline(request: state.lastNumber, time: .now + self.deadline))
            return state.lastNumber
        }
    }

    private func run(_ number: UInt64, _ body: @escaping @Sendable () async throws -> [UInt8]?) {
        let task = Task {
            do {
                self.ended(number, .success(try await body()))
            } catch {
                self.ended(number, .failure(error))
            }
        }
        let isLate = self.state.withLock { state in
            state.requests[number]?.task = task
            return state.requests[number]?.isLate ?? false
        }
        if isLate { task.cancel() }
        self.watchDeadlines()
    }

    private func ended(_ number: UInt64, _ outcome: Result<[UInt8]?, any Error>) {
        let (waiting, result) = self.state.withLock { state -> (Caller?, Result<[UInt8], NoTicketShare>) in
            let request = state.requests.removeValue(forKey: number)
            while let first = state.deadlines.first, state.requests[first.request] == nil { state.deadlines.removeFirst() }
            guard let request else { return (nil, Self.timedOut) }
            if request.isLookup { state.lookups -= 1 } else { state.insertions -= 1 }
            // What became of a late request was decided at its deadline.
            if request.isLate { return (nil, Self.timedOut) }
            return (request.waiting, state.record(outcome, of: request))
        }
        waiting?.resume(returning: result)
        self.logChanges()
    }

    /// Logs if one of the breakers has opened, or if both are closed again.
    private func logChanges() {
        let change = self.state.withLock { state -> Bool? in
            let fails = state.lookupBreaker.isOpen || state.insertionBreaker.isOpen
            guard fails != state.isFailureLogged else { return nil }
            state.isFailureLogged = fails
            return fails
        }
        switch change {
        case true?:
            self.logger.warning(
                "the store of single-use tickets fails; sessions are not resumed, or no tickets are issued, until it has recovered"
            )
        case false?: self.logger.notice("the store of single-use tickets has recovered")
        case nil: break
        }
    }

    private static let timedOut = Result<[UInt8], NoTicketShare>.failure(NoTicketShare(.storeTimedOut))

    /// Starts the task that ends requests at their deadline, if it is not running. It ends when none is left, so that there is one task for
    /// many requests, and none at rest.
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

    /// Ends the requests whose deadline is over: resumes their callers, and cancels the tasks that ask the store. Returns the next deadline;
    /// nil if no request is left.
    private func nextDeadline() -> ContinuousClock.Instant? {
        let now = ContinuousClock.now
        let (late, next) = self.state.withLock { state in
            var late: [Request] = []
            var failed = (insertions: false, lookups: false)
            while let first = state.deadlines.first {
                let request = state.requests[first.request]
                if request != nil, first.time > now { break }
                state.deadlines.removeFirst()
                guard let request else { continue }
                late.append(request)
                state.requests[first.request]?.isLate = true
                state.requests[first.request]?.waiting = nil
                switch (request.isLookup, request.isAnswered) {
                case (true, true): state.statistics.missing += 1
                case (true, false):
                    state.statistics.timedOut += 1
                    failed.lookups = true
                case (false, _):
                    state.statistics.failedInsertions += 1
                    failed.insertions = true
                }
            }
            // Those that are late together are one failure: they may have one reason, such as a pause of this process.
            if failed.lookups { state.lookupBreaker.failed(at: .now()) }
            if failed.insertions { state.insertionBreaker.failed(at: .now()) }
            state.isWatching = !state.deadlines.isEmpty
            return (late, state.deadlines.first?.time)
        }
        self.logChanges()
        for request in late {
            request.waiting?.resume(returning: request.isAnswered ? .failure(NoTicketShare(.alreadyUsed)) : Self.timedOut)
            request.task?.cancel()
        }
        return next
    }
}

extension SingleUseTickets.State {
    /// Counts the outcome of a request within its deadline.
    fileprivate mutating func record(
        _ outcome: Result<[UInt8]?, any Error>, of request: SingleUseTickets.Request
    ) -> Result<[UInt8], NoTicketShare> {
        switch (request.isLookup, outcome) {
        case (true, .success(let share?)):
            self.statistics.taken += 1
            self.lookupBreaker.succeeded()
            return .success(share)
        case (true, .success(nil)):
            self.statistics.missing += 1
            self.lookupBreaker.succeeded()
            return .failure(NoTicketShare(.alreadyUsed))
        case (true, .failure):
            self.statistics.failed += 1
            self.lookupBreaker.failed(at: .now())
        case (false, .success):
            self.statistics.inserted += 1
            self.insertionBreaker.succeeded()
        case (false, .failure):
            self.statistics.failedInsertions += 1
            self.insertionBreaker.failed(at: .now())
        }
        return .failure(NoTicketShare(.storeUnavailable))
    }
}

extension SingleUseTickets: Hashable {
    /// Returns whether two references are to the same object.
    public static func == (left: SingleUseTickets, right: SingleUseTickets) -> Bool { left === right }

    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
