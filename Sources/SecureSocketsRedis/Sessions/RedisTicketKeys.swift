public import Logging
public import SecureSockets
internal import Synchronization
internal import TLSEngine

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Android)
    internal import Android
#else
    internal import Glibc
#endif

/// The ticket keys of a fleet, which its servers share through Redis or Valkey and rotate by themselves.
///
/// ```swift
/// let redis = try RedisClient(RedisConfiguration(url: "rediss://tls:password@redis.internal"))
/// let shared = try RedisTicketKeys(redis, sealedWith: .init(file: "/run/secrets/ticket-secret"))
/// let keys = TicketKeys()
/// // In a task that lives as long as the server:
/// await keys.follow(shared.rings())
/// ```
///
/// The keys are sealed with a secret that is not in the store (AES-256-GCM-SIV): an attacker who can read the store learns no key, and
/// modified data is rejected. An attacker who can write to the store can stop rotation and put former data back. Servers that run restore
/// the latest keys that they know. A server that has just started knows none and accepts former ones: after a disclosure, replace the secret
/// as well.
///
/// ## Rotation
///
/// A key seals for 12 hours. It is in the store for 12 hours before, so that each server opens its tickets before another issues one, and
/// 48 hours after. A server that finds a key missing adds it: one server at a time (`SET NX PX`), and only to the generation of keys that it
/// has read, so that a server that was suspended meanwhile changes nothing. A server whose clock differs from that of Redis by more than an
/// hour changes nothing either. Servers read the keys when a change is announced (pub/sub) and at an interval.
///
/// ## When the store fails
///
/// Servers keep the keys that they have. These suffice for 12 to 24 hours; later no tickets are issued until the store is there again. A store
/// that has lost its data, or has older ones, gets the latest from the first server that notices. Data that cannot be opened is logged and
/// ignored; a server that has found such data writes none, since its own secret may be the wrong one.
///
/// The user of Redis needs these commands for the keys and the channel with the name:
///
///     ACL SETUSER tls on >password ~tls:keys* &tls:keys* +hmget +hget +hset +get +set +del +eval +time +publish +subscribe +hello +ping +client|setname
///
/// For another database than 0, it needs `+select` as well.
public final class RedisTicketKeys: Sendable {
    /// How keys are shared.
    public struct Options: Sendable, Hashable {
        /// The name of the keys in the store, which is also that of the channel, and the beginning of the name of a lock. Default: `tls:keys`.
        public var name = "tls:keys"
        /// The time for which a key seals: a minute to 30 days. Default: 12 hours.
        public var rotation: Duration = .seconds(12 * 3600)
        /// The time for which a key opens after it has sealed: at most 30 days, and 29 times `rotation`. It should not be less than the
        /// lifetime of sessions (``SecureSockets/TLSParameters/sessionLifetime``). Default: 48 hours.
        public var lifetime: Duration = .seconds(48 * 3600)
        /// The time between two readings, if no change is announced: 100 milliseconds to a day. It varies by a tenth. Default: 10 seconds.
        public var interval: Duration = .seconds(10)

        /// Creates the default options.
        public init() {}
    }

    private struct State {
        /// The latest ring that was read or written.
        var ring: StoredRing?
        /// The bytes of the last ring that was read.
        var sealed: [UInt8] = []
        /// The last failure that was logged and when; nil if the last reading succeeded.
        var failure: (message: String, time: ContinuousClock.Instant)?
        /// Whether the store had data that cannot be opened when it was last read. When such data is gone, another server's should take its
        /// place: that of this one may be sealed with a wrong secret.
        var isStranger = false
        /// The time since which a change has been due that another server should have made.
        var dueSince: Int64?
    }

    private let client: RedisClient
    private let secrets: [TicketSecret]
    private let options: Options
    private let schedule: StoredRing.Schedule
    private let logger: Logger
    private let clock: @Sendable () -> Int64
    /// The largest difference between the clocks of a server and of Redis with which the server changes keys, in seconds.
    private let tolerance: Int
    private let state = Mutex(State())

    /// Creates the description of the keys. Nothing is read until ``rings()`` or ``current()``.
    ///
    /// - Parameters:
    ///   - client: The client.
    ///   - secret: The secret with which the keys are sealed, the same for all servers.
    ///   - others: Secrets with which keys may be sealed as well, at most three. To replace the secret, let all servers open keys that are
    ///     sealed with the new one first, and then seal with it.
    ///   - options: How the keys are shared. All servers should have the same options.
    ///   - logger: The logger: failures at level `warning`, and changes at `notice`. Names of keys are logged.
    /// - Throws: ``RedisError`` with the code `invalidConfiguration` if an option is out of range, or if there are too many secrets.
    public convenience init(
        _ client: RedisClient, sealedWith secret: TicketKeys.Secret, alsoOpening others: [TicketKeys.Secret] = [],
        options: Options = Options(), logger: Logger = Logger(label: "SecureSocketsRedis")
    ) throws(RedisError) {
        try self.init(client, [secret] + others, options, logger, tolerance: 3600) { Int64(time(nil)) }
    }

    package init(
        _ client: RedisClient, _ secrets: [TicketKeys.Secret], _ options: Options, _ logger: Logger, tolerance: Int,
        clock: @escaping @Sendable () -> Int64
    ) throws(RedisError) {
        func check(_ isValid: Bool, _ problem: String) throws(RedisError) {
            guard isValid else { throw RedisError(.invalidConfiguration, "ticket keys cannot be shared: \(problem)") }
        }
        try check(!options.name.isEmpty, "their name is empty")
        try check(secrets.count <= Self.mostSecrets, "there are \(secrets.count) secrets; \(Self.mostSecrets) are possible")
        let longest = Duration.seconds(30 * 86_400)
        try check(
            options.rotation >= .seconds(60) && options.rotation <= longest,
            "rotation is \(options.rotation); a minute to 30 days are possible")
        try check(
            options.lifetime >= .zero && options.lifetime <= longest, "lifetime is \(options.lifetime); 0 to 30 days are possible"
        )
        try check(
            options.interval >= .milliseconds(100) && options.interval <= .seconds(86_400),
            "interval is \(options.interval); 100 ms to a day are possible")
        self.schedule = StoredRing.Schedule(
            rotation: options.rotation.components.seconds, lifetime: options.lifetime.components.seconds)
        try check(
            self.schedule.mostKeys <= Int64(TicketKeys.Ring.maximumKeys),
            "lifetime is more than 29 times rotation, for which a ring has no room")
        self.client = client
        self.secrets = secrets.map(\.secret)
        self.options = options
        self.logger = logger
        self.tolerance = tolerance
        self.clock = clock
    }

    private static let mostSecrets = 4

    // MARK: For servers

    /// Returns the sequence of the rings in the store: the present one, and each later one. While it is iterated over, keys are rotated when
    /// they are due.
    ///
    /// The sequence does not end by itself. If the store fails, the next ring comes when it has recovered. **Cancelling** the task that
    /// iterates ends it.
    public func rings() -> Rings { Rings(keys: self) }

    /// The rings in the store, one after the other.
    public struct Rings: AsyncSequence, Sendable {
        public typealias Element = TicketKeys.Ring
        public typealias Failure = Never

        fileprivate let keys: RedisTicketKeys

        /// Begins to read the store.
        public func makeAsyncIterator() -> Iterator { Iterator(base: self.keys.stream().makeAsyncIterator()) }

        /// Reads the store until it is released.
        public struct Iterator: AsyncIteratorProtocol {
            fileprivate var base: AsyncStream<TicketKeys.Ring>.Iterator

            /// Returns the next ring; nil when the task is cancelled.
            public mutating func next() async -> TicketKeys.Ring? { await self.next(isolation: #isolation) }

            /// Returns the next ring; nil when the task is cancelled.
            public mutating func next(isolation actor: isolated (any Actor)?) async -> TicketKeys.Ring? {
                await self.base.next(isolation: actor)
            }
        }
    }

    private func stream() -> AsyncStream<TicketKeys.Ring> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let task = Task {
                await self.follow { continuation.yield($0) }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Reads the ring, and makes or rotates it if that is due.
    ///
    /// - Throws: ``RedisError``, with the code `ticketKeysUnusable` if what the store contains cannot be used. **Cancelling** the task
    ///   throws `cancelled`.
    public func current() async throws(RedisError) -> TicketKeys.Ring {
        let deadline = ContinuousClock.now + .milliseconds(2 * Self.lockMilliseconds)
        while true {
            try await self.refresh()
            if let ring = self.state.withLock({ $0.ring }) { return try self.ring(of: ring) }
            // Another server is making the ring.
            guard ContinuousClock.now < deadline else { throw .rotationBlocked(self.options.name) }
            guard (try? await Task.sleep(for: .milliseconds(50))) != nil else { throw .cancelled("HMGET") }
        }
    }

    // MARK: For operators

    /// Reads the ring and changes nothing. Returns nil if there is none.
    ///
    /// - Throws: ``RedisError``, with the code `ticketKeysUnusable` if what the store contains cannot be used.
    public func stored() async throws(RedisError) -> TicketKeys.Ring? {
        guard let found = try await self.read() else { return nil }
        return try self.ring(of: try self.open(found))
    }

    /// Lets the next key seal soon, with the times that the ring in the store has. No session is lost.
    ///
    /// - Parameter delay: The time until it seals, in which servers read the key that comes after it. Default: 20 seconds.
    /// - Throws: ``RedisError``, with the code `ticketKeysUnusable` if there is no ring, or if it is changed at the same time.
    public func rotate(after delay: Duration = .seconds(20)) async throws(RedisError) {
        guard let found = try await self.read() else { throw .noRing(self.options.name) }
        let ring = try self.open(found)
        let delay = min(max(delay.components.seconds, 0), ring.schedule.rotation)
        guard let next = ring.advanced(at: self.clock(), delay: delay) else { throw .noRandomness }
        guard try await self.write(next, over: found.generation) else { throw .changedMeanwhile(self.options.name) }
        self.state.withLock { $0.ring = next }
    }

    /// Makes all sessions of the fleet worthless: replaces all keys by new ones. Servers that can reach the store read them at once; one that
    /// cannot keeps the former keys until it can.
    ///
    /// If the secret may have been disclosed as well, replace that, too.
    ///
    /// - Parameter replacingUnusable: Whether data that cannot be opened is replaced. Servers with another secret keep the keys that they
    ///   have. Default: false.
    /// - Throws: ``RedisError``, with the code `ticketKeysUnusable` if what the store contains cannot be opened.
    public func forgetAll(replacingUnusable: Bool = false) async throws(RedisError) {
        for _ in 1...Self.mostAttempts {
            var expected: String? = "0"
            var latest = self.state.withLock { $0.ring }
            do {
                if let found = try await self.read() {
                    let ring = try self.open(found)
                    expected = found.generation
                    if latest.map({ ring.isLater(than: $0) }) ?? true { latest = ring }
                }
            } catch  where error.code == .ticketKeysUnusable && replacingUnusable {
                expected = nil
            }
            let now = self.clock()
            let forgotten = max((latest?.forgottenUntil ?? 0) + 1, now)
            guard
                let ring = StoredRing.new(
                    at: now, after: latest?.generation ?? 0, forgottenUntil: forgotten, latest?.schedule ?? self.schedule)
            else { throw .noRandomness }
            guard try await self.write(ring, over: expected) else { continue }
            return self.state.withLock { $0.ring = ring }
        }
        throw .changedMeanwhile(self.options.name)
    }

    private static let mostAttempts = 10

    // MARK: Following

    private func follow(_ yield: @Sendable (TicketKeys.Ring) -> Void) async {
        let (triggers, trigger) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        trigger.yield()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // Every element is a reason to read: a change, or a connection that was made and may have missed one.
                for await _ in self.client.subscribe(to: [self.options.name]) { trigger.yield() }
            }
            group.addTask {
                while (try? await Task.sleep(for: self.options.interval * Double.random(in: 0.9...1.1))) != nil {
                    trigger.yield()
                }
            }
            var last: StoredRing?
            for await _ in triggers {
                await self.refreshOrReport()
                if let ring = self.state.withLock({ $0.ring }), ring != last, let keys = try? ring.ring() {
                    last = ring
                    self.logger.notice(
                        "ticket keys were loaded",
                        metadata: [
                            "generation": "\(ring.generation)", "keys": "\(keys.keys.map(\.name).joined(separator: ", "))",
                        ])
                    yield(keys)
                }
                // Announcements do not make servers read without a pause.
                guard (try? await Task.sleep(for: Self.pauseBetweenReadings)) != nil else { break }
            }
            group.cancelAll()
        }
    }

    private static let pauseBetweenReadings = Duration.milliseconds(100)
    /// The time after which a failure that has not changed is logged again.
    private static let pauseBetweenWarnings = Duration.seconds(600)

    private func refreshOrReport() async {
        do {
            try await self.refresh()
            let hasRecovered = self.state.withLock { state in
                defer { state.failure = nil }
                return state.failure != nil
            }
            if hasRecovered { self.logger.notice("the store of ticket keys can be used again") }
        } catch {
            if Task.isCancelled { return }
            let now = ContinuousClock.now
            let isLogged = self.state.withLock { state in
                if let last = state.failure, last.message == error.message, now - last.time < Self.pauseBetweenWarnings {
                    return false
                }
                state.failure = (error.message, now)
                return true
            }
            guard isLogged else { return }
            self.logger.warning(
                "the store of ticket keys cannot be used; the present keys remain in use", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Reading and changing

    /// Reads the ring; makes it, restores it or rotates it if that is due.
    private func refresh() async throws(RedisError) {
        let found = try await self.read()
        let known = self.state.withLock { $0.ring }
        guard let found else {
            if self.state.withLock({ $0.isStranger }) { throw .unusableRing(self.options.name) }
            return try await self.change(over: "0") { now in known ?? StoredRing.new(at: now, self.schedule) }
        }
        let ring: StoredRing
        if let known, found.sealed == self.state.withLock({ $0.sealed }) {
            ring = known
        } else {
            self.state.withLock { $0.isStranger = true }
            ring = try self.open(found)
        }
        self.state.withLock { $0.isStranger = false }
        if let known, known.isLater(than: ring) {
            // The store has lost its latest data, or an attacker has put former data into it.
            return try await self.change(over: found.generation) { _ in known }
        }
        let latest = self.state.withLock { state in
            if state.ring.map({ ring.isLater(than: $0) }) ?? true {
                state.ring = ring
                state.sealed = found.sealed
            }
            return state.ring ?? ring
        }
        guard latest == ring, ring.isDue(at: self.clock()) else { return self.state.withLock { $0.dueSince = nil } }
        try await self.change(over: found.generation) { now in ring.rotated(at: now, self.schedule) }
    }

    private struct Found {
        /// As it is in the store, for the comparison there.
        let generation: String
        let sealed: [UInt8]
    }

    /// nil if there is no ring in the store.
    private func read() async throws(RedisError) -> Found? {
        let reply: RedisValue
        do {
            reply = try await self.client.send(RedisCommand("HMGET", self.options.name, "generation", "keys"))
        } catch  where error.replyCode == "WRONGTYPE" {
            throw .unusableRing(self.options.name)
        }
        guard let fields = reply.array, fields.count == 2 else { throw .unusableRing(self.options.name) }
        if fields[0].isNull, fields[1].isNull { return nil }
        guard let generation = fields[0].string, let sealed = fields[1].bytes else { throw .unusableRing(self.options.name) }
        return Found(generation: generation, sealed: sealed)
    }

    private func open(_ found: Found) throws(RedisError) -> StoredRing {
        guard let generation = Int64(found.generation), "\(generation)" == found.generation,
            let ring = StoredRing(found.sealed, generation: generation, sealedWith: self.secrets, as: self.options.name)
        else { throw .unusableRing(self.options.name) }
        return ring
    }

    private func ring(of stored: StoredRing) throws(RedisError) -> TicketKeys.Ring {
        do {
            return try stored.ring()
        } catch {
            throw .unusableRing(self.options.name)
        }
    }

    /// Changes the ring, unless another server is doing so or has done so.
    ///
    /// - Parameters:
    ///   - generation: The generation in the store on which the change is based; `0` if there is none.
    ///   - make: Returns the new ring for the present time; nil if that is not possible.
    private func change(over generation: String, _ make: (Int64) -> StoredRing?) async throws(RedisError) {
        guard let token = RandomBytes.generate(Self.tokenLength) else { throw .noRandomness }
        let now = self.clock()
        let lock = try await self.client.send(RedisCommand("SET", self.lockName, token, "NX", "PX", Self.lockMilliseconds))
        guard !lock.isNull else {
            // Another server is changing it, or has been prevented from doing so.
            let since = self.state.withLock { state in
                let since = state.dueSince ?? now
                state.dueSince = since
                return since
            }
            if now - since > Self.longestWait { throw .rotationBlocked(self.options.name) }
            return
        }
        guard let ring = make(now) else { throw .noRandomness }
        // What another server has written since this one has read it stays.
        let isWritten = try await self.write(ring, over: generation, releasing: token)
        self.state.withLock { state in
            state.dueSince = nil
            if isWritten { state.ring = ring }
        }
    }

    private var lockName: String { "\(self.options.name):rotator" }
    private static let tokenLength = 16
    /// The time after which another server may change the ring, if the one that is about to has ended.
    private static let lockMilliseconds = 5000
    /// The number of seconds after which a change that is due should have been made by one of the servers.
    private static let longestWait: Int64 = 60

    /// Writes a ring and announces it.
    ///
    /// - Parameters:
    ///   - generation: The generation that it replaces, `0` if there is none; nil replaces any, and what is not a ring.
    ///   - token: The token of the lock that is held for the change.
    /// - Returns: false if the store has another generation.
    func write(
        _ ring: StoredRing, over generation: String?, releasing token: [UInt8] = []
    ) async throws(RedisError) -> Bool {
        guard let secret = self.secrets.first, let sealed = ring.sealed(with: secret, as: self.options.name) else {
            throw .noRandomness
        }
        let reply = try await self.client.send(
            RedisCommand(
                "EVAL", Self.script, 2, self.options.name, self.lockName, generation ?? "", "\(ring.generation)", sealed, token,
                "\(self.clock())", self.tolerance))
        if reply.integer == -1 { throw .clocksDiffer }
        return reply.integer == 1
    }

    /// Releases the lock, if it is still held, and replaces the ring if its generation is the expected one and the clocks agree.
    private static let script = """
        if redis.call('GET', KEYS[2]) == ARGV[4] then redis.call('DEL', KEYS[2]) end
        if math.abs(tonumber(redis.call('TIME')[1]) - tonumber(ARGV[5])) > tonumber(ARGV[6]) then return -1 end
        if ARGV[1] == '' then redis.call('DEL', KEYS[1])
        elseif (redis.call('HGET', KEYS[1], 'generation') or '0') ~= ARGV[1] then return 0 end
        redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'keys', ARGV[3])
        redis.call('PUBLISH', KEYS[1], ARGV[2])
        return 1
        """
}

extension RedisError {
    fileprivate static func unusableRing(_ name: String) -> RedisError {
        RedisError(
            .ticketKeysUnusable, "the ticket keys \(name) in the store cannot be opened",
            advice: "Use the same secret on all servers. If the data is damaged, replace it with: tls tickets forget --force")
    }

    fileprivate static func noRing(_ name: String) -> RedisError {
        RedisError(
            .ticketKeysUnusable, "there are no ticket keys \(name) in the store",
            advice: "They are made by the first server that starts")
    }

    fileprivate static func changedMeanwhile(_ name: String) -> RedisError {
        RedisError(.ticketKeysUnusable, "the ticket keys \(name) were changed at the same time", advice: "Try again")
    }

    fileprivate static func rotationBlocked(_ name: String) -> RedisError {
        RedisError(
            .ticketKeysUnusable, "the ticket keys \(name) are due for a change, which another server does not make",
            advice: "If no server is making it, delete the key \(name):rotator")
    }

    fileprivate static let clocksDiffer = RedisError(
        .ticketKeysUnusable, "the clock differs from that of Redis by more than an hour; no ticket keys are made",
        advice: "Set the clocks")

    fileprivate static let noRandomness = RedisError(.ticketKeysUnusable, "no ticket key could be made: not enough memory")
}
