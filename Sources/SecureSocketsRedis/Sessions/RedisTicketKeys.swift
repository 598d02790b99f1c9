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
/// let shared = RedisTicketKeys(redis, sealedWith: try .init(file: "/run/secrets/ticket-secret"))
/// let keys = TicketKeys()
/// // In a task that lives as long as the server:
/// await keys.follow(shared.rings())
/// ```
///
/// The keys are sealed with a secret that is not in the store (AES-256-GCM-SIV): reading the store is of no use, and a change of what it
/// contains is noticed.
///
/// ## Rotation
///
/// A key seals for 12 hours. It is in the store for 12 hours before, so that each server opens its tickets before another issues one, and
/// 48 hours after. A server that finds a key missing adds it: one server at a time (`SET NX PX`), and only to the generation of keys that it
/// has read, so that a server that was suspended meanwhile changes nothing. Servers read the keys when a change is announced (pub/sub) and at
/// an interval.
///
/// ## When the store fails
///
/// Servers keep the keys that they have. These suffice for 12 to 24 hours; later no tickets are issued until the store is there again. A store
/// that has lost its data, or has older ones, gets the latest from the first server that notices. What it contains and cannot be opened is
/// reported and ignored.
///
/// The user of Redis needs these commands for the keys and the channel with the prefix:
///
///     ACL SETUSER tls on >password ~tls:keys* &tls:keys* +hmget +hget +hset +get +set +del +eval +publish +subscribe +hello +ping +client|setname
public final class RedisTicketKeys: Sendable {
    /// How keys are shared.
    public struct Options: Sendable, Hashable {
        /// The name of the keys in the store, and the beginning of the names of what belongs to them. Default: `tls:keys`.
        public var name = "tls:keys"
        /// The time for which a key seals, at least a minute. Default: 12 hours.
        public var rotation: Duration = .seconds(12 * 3600)
        /// The time for which a key opens after it has sealed. It should not be less than the lifetime of sessions
        /// (``SecureSockets/TLSParameters/sessionLifetime``). Default: 48 hours.
        public var lifetime: Duration = .seconds(48 * 3600)
        /// The time between two readings, if no change is announced; at least 100 milliseconds. It varies by a tenth. Default: 10 seconds.
        public var interval: Duration = .seconds(10)

        /// Creates the default options.
        public init() {}
    }

    private struct State {
        /// The latest ring that was read or written.
        var ring: StoredRing?
        var isFailing = false
    }

    private let client: RedisClient
    private let secrets: [TicketSecret]
    private let options: Options
    private let schedule: StoredRing.Schedule
    private let logger: Logger
    private let clock: @Sendable () -> Int64
    private let state = Mutex(State())

    /// Creates the description of the keys. Nothing is read until ``rings()`` or ``current()``.
    ///
    /// - Parameters:
    ///   - client: The client.
    ///   - secret: The secret with which the keys are sealed, the same for all servers.
    ///   - others: Secrets with which keys may be sealed as well, at most three. To replace the secret, let all servers open keys that are
    ///     sealed with the new one first, and then seal with it.
    ///   - options: How the keys are shared, the same for all servers.
    ///   - logger: The logger: failures at level `warning`, and changes at `notice`. Names of keys are logged.
    public convenience init(
        _ client: RedisClient, sealedWith secret: TicketKeys.Secret, alsoOpening others: [TicketKeys.Secret] = [],
        options: Options = Options(), logger: Logger = Logger(label: "SecureSocketsRedis")
    ) {
        self.init(client, [secret] + others, options, logger) { Int64(time(nil)) }
    }

    package init(
        _ client: RedisClient, _ secrets: [TicketKeys.Secret], _ options: Options, _ logger: Logger,
        clock: @escaping @Sendable () -> Int64
    ) {
        self.client = client
        self.secrets = secrets.map(\.secret)
        self.options = options
        self.schedule = StoredRing.Schedule(
            rotation: max(options.rotation.components.seconds, 60), lifetime: max(options.lifetime.components.seconds, 0))
        self.logger = logger
        self.clock = clock
    }

    // MARK: For servers

    /// Returns the sequence of the rings in the store: the present one, and each later one. While it is iterated over, keys are rotated when
    /// they are due.
    ///
    /// The sequence does not end by itself. If the store fails, the next ring comes when it has recovered. **Cancelling** the task that
    /// iterates ends it.
    public func rings() -> AsyncStream<TicketKeys.Ring> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let task = Task {
                await self.follow { continuation.yield($0) }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Reads the ring, and makes one if there is none.
    ///
    /// - Throws: ``RedisError``, with the code `commandFailed` also if what the store contains cannot be used.
    public func current() async throws -> TicketKeys.Ring {
        try await self.refresh()
        guard let ring = self.state.withLock({ $0.ring }) else { throw RedisError.unusableRing(self.options.name) }
        return try ring.ring()
    }

    // MARK: For operators

    /// Lets the next key seal soon, after two intervals, in which all servers read the change. No session is lost.
    ///
    /// - Throws: ``RedisError``.
    public func rotate() async throws {
        try await self.refresh()
        let delay = max(2 * self.options.interval.components.seconds, 2)
        guard let ring = self.state.withLock({ $0.ring }) else { throw RedisError.unusableRing(self.options.name) }
        guard let next = ring.advanced(at: self.clock(), delay: delay, self.schedule) else { throw RedisError.noRandomness }
        guard try await self.write(next, over: ring.generation) else { throw RedisError.changedMeanwhile(self.options.name) }
        self.state.withLock { $0.ring = next }
    }

    /// Makes all sessions of the fleet worthless: replaces all keys by new ones. Servers that read the store do so at once; one that cannot
    /// reach it keeps the former keys.
    ///
    /// What the store contains is replaced whether it can be opened or not.
    ///
    /// - Throws: ``RedisError``.
    public func forgetAll() async throws {
        let known = (try? await self.read())?.generation ?? 0
        let now = self.clock()
        guard
            let ring = StoredRing.new(at: now, after: max(known, self.state.withLock { $0.ring?.generation ?? 0 }), self.schedule)
        else { throw RedisError.noRandomness }
        try await self.write(ring, over: nil)
        self.state.withLock { $0.ring = ring }
    }

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
                let interval = max(self.options.interval, .milliseconds(100))
                while (try? await Task.sleep(for: interval * Double.random(in: 0.9...1.1))) != nil { trigger.yield() }
            }
            var last: StoredRing?
            for await _ in triggers {
                await self.refreshOrReport()
                guard let ring = self.state.withLock({ $0.ring }), ring != last, let keys = try? ring.ring() else { continue }
                last = ring
                self.logger.notice(
                    "ticket keys were loaded",
                    metadata: ["generation": "\(ring.generation)", "keys": "\(keys.keys.map(\.name).joined(separator: ", "))"])
                yield(keys)
            }
            group.cancelAll()
        }
    }

    private func refreshOrReport() async {
        do {
            try await self.refresh()
            if self.state.withLock({ state in
                defer { state.isFailing = false }
                return state.isFailing
            }) {
                self.logger.notice("the store of ticket keys can be used again")
            }
        } catch {
            if Task.isCancelled { return }
            let isNew = self.state.withLock { state in
                defer { state.isFailing = true }
                return !state.isFailing
            }
            if isNew {
                self.logger.warning(
                    "the store of ticket keys cannot be used; the present keys remain in use", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: Reading and changing

    /// Reads the ring; makes it, restores it or rotates it if that is due.
    private func refresh() async throws {
        let found = try await self.read()
        let known = self.state.withLock { $0.ring }
        guard let found else {
            return try await self.change(over: 0) { now in known ?? StoredRing.new(at: now, after: 0, self.schedule) }
        }
        guard let ring = self.open(found) else { throw RedisError.unusableRing(self.options.name) }
        if let known, ring.generation < known.generation {
            // The store has lost its latest data, or an attacker has put former data into it.
            return try await self.change(over: ring.generation) { _ in known }
        }
        self.state.withLock { state in
            if ring.generation >= state.ring?.generation ?? 0 { state.ring = ring }
        }
        if ring.isDue(at: self.clock()) {
            try await self.change(over: ring.generation) { now in ring.rotated(at: now, self.schedule) }
        }
    }

    private struct Found {
        let generation: Int64
        let sealed: [UInt8]
    }

    /// nil if there is no ring in the store.
    private func read() async throws -> Found? {
        let reply = try await self.client.send(RedisCommand("HMGET", self.options.name, "generation", "keys"))
        guard let fields = reply.array, fields.count == 2 else { throw RedisError.unusableRing(self.options.name) }
        if fields[0].isNull, fields[1].isNull { return nil }
        guard let generation = fields[0].string.flatMap({ Int64($0) }), generation >= 0, let sealed = fields[1].bytes else {
            throw RedisError.unusableRing(self.options.name)
        }
        return Found(generation: generation, sealed: sealed)
    }

    private func open(_ found: Found) -> StoredRing? {
        guard let ring = StoredRing(found.sealed, generation: found.generation, sealedWith: self.secrets, as: self.options.name),
            (try? ring.ring()) != nil
        else { return nil }
        return ring
    }

    /// Changes the ring, unless another server is doing so or has done so.
    ///
    /// - Parameters:
    ///   - generation: The generation in the store on which the change is based; 0 if there is none.
    ///   - make: Returns the new ring for the present time; nil if that is not possible.
    private func change(over generation: Int64, _ make: (Int64) -> StoredRing?) async throws {
        guard let token = RandomBytes.generate(Self.tokenLength) else { throw RedisError.noRandomness }
        let lock = try await self.client.send(RedisCommand("SET", self.lockName, token, "NX", "PX", Self.lockMilliseconds))
        guard !lock.isNull else { return }
        guard let ring = make(self.clock()) else { throw RedisError.noRandomness }
        // What another server has written since this one has read it stays.
        if try await self.write(ring, over: generation, releasing: token) { self.state.withLock { $0.ring = ring } }
    }

    private var lockName: String { "\(self.options.name):rotator" }
    private static let tokenLength = 16

    /// The time after which another server may change the ring, if the one that is about to has ended.
    private static let lockMilliseconds = 5000

    /// Writes a ring and announces it.
    ///
    /// - Parameters:
    ///   - generation: The generation that it replaces, 0 if there is none; nil replaces any.
    ///   - token: The token of the lock that is held for the change.
    /// - Returns: false if the store has another generation.
    @discardableResult
    private func write(_ ring: StoredRing, over generation: Int64?, releasing token: [UInt8] = []) async throws -> Bool {
        guard let secret = self.secrets.first, let sealed = ring.sealed(with: secret, as: self.options.name) else {
            throw RedisError.noRandomness
        }
        let reply = try await self.client.send(
            RedisCommand(
                "EVAL", Self.script, 2, self.options.name, self.lockName, generation.map { "\($0)" } ?? "", "\(ring.generation)",
                sealed, token))
        return reply.integer == 1
    }

    /// Releases the lock, if it is still held, and replaces the ring if its generation is the expected one. What is not a ring is replaced
    /// only if any is.
    private static let script = """
        if redis.call('GET', KEYS[2]) == ARGV[4] then redis.call('DEL', KEYS[2]) end
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
            .commandFailed, "the ticket keys \(name) in the store cannot be opened",
            advice: "Use the same secret on all servers, or replace the keys with: tls tickets forget")
    }

    fileprivate static func changedMeanwhile(_ name: String) -> RedisError {
        RedisError(.commandFailed, "the ticket keys \(name) were changed at the same time", advice: "Try again")
    }

    fileprivate static let noRandomness = RedisError(.commandFailed, "no ticket key could be made: not enough memory")
}
