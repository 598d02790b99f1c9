import Foundation
import Logging
import SecureSockets
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

@testable import SecureSocketsRedis

@Suite(.serialized, .enabled(if: RunningRedis.isInstalled, "\(RunningRedis.requirement)"), .timeLimit(.minutes(5)))
struct `Ticket keys in Redis` {
    private let secret: TicketKeys.Secret
    private let other: TicketKeys.Secret

    init() throws {
        self.secret = try .init(Array(0..<48))
        self.other = try .init(Array(50..<98))
    }

    /// A server that shares its keys.
    private func server(
        _ redis: RunningRedis, _ secret: TicketKeys.Secret? = nil, now: Int64? = nil, interval: Duration = .milliseconds(100),
        tolerance: Int = .max
    ) throws -> RedisTicketKeys {
        var options = RedisTicketKeys.Options()
        options.interval = interval
        let time = now ?? Int64(Date().timeIntervalSince1970)
        return try RedisTicketKeys(
            try RedisClient(.patient(port: redis.port)), [secret ?? self.secret], options,
            Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, tolerance: tolerance
        ) { time }
    }

    private func names(_ keys: RedisTicketKeys) async throws -> [String] { try await keys.current().keys.map(\.name) }

    @Test func `are the same for all servers, of which one makes them`() async throws {
        let redis = try await RunningRedis()
        let servers = try (1...8).map { _ in try self.server(redis) }
        let rings = try await withThrowingTaskGroup(of: [String].self) { group in
            for server in servers {
                // All but one find that another one is making them, and wait.
                group.addTask { try await self.names(server) }
            }
            return try await group.reduce(into: Set<[String]>()) { $0.insert($1) }
        }
        #expect(rings.count == 1)
        #expect(rings.first?.count == 2)
        await redis.stop()
    }

    @Test func `are followed: a change reaches the others at once`() async throws {
        let redis = try await RunningRedis()
        let (one, two) = try (self.server(redis), self.server(redis, interval: .seconds(3600)))
        let keys = TicketKeys()
        let following = Task { await keys.follow(two.rings()) }
        await until { keys.keys.count == 2 }
        let before = keys.keys.map(\.name)
        #expect(try await self.names(one) == before)
        try await one.rotate(after: .seconds(1))
        await until { keys.keys.count == 3 }
        #expect(keys.keys.map(\.name).contains(before[0]) && keys.keys.map(\.name).contains(before[1]))
        try await one.forgetAll()
        await until { Set(keys.keys.map(\.name)).isDisjoint(with: before) }
        following.cancel()
        await following.value
        await redis.stop()
    }

    @Test func `are rotated when they are due, by one server`() async throws {
        let redis = try await RunningRedis()
        let start: Int64 = 2_000_000_000
        let first = try await self.server(redis, now: start).current()
        let period: Int64 = 12 * 3600
        let second = try await self.server(redis, now: start + period).current()
        #expect(second.keys.count == 3)
        #expect(second.keys.prefix(2).map(\.name) == first.keys.map(\.name))
        #expect(second.keys.last?.sealsFrom == start + 2 * period)
    }

    @Test func `are put back if the store has lost them or has former ones`() async throws {
        let redis = try await RunningRedis()
        let client = try RedisClient(.patient(port: redis.port))
        let keys = try self.server(redis)
        let before = try await self.names(keys)
        let former = try #require(try await client.send(RedisCommand("DUMP", "tls:keys")).bytes)
        _ = try await client.send(RedisCommand("FLUSHALL"))
        #expect(try await self.names(keys) == before)
        try await until { try await client.send(RedisCommand("EXISTS", "tls:keys")).integer == 1 }
        #expect(try await self.names(self.server(redis)) == before)

        try await keys.forgetAll()
        let after = try await self.names(keys)
        _ = try await client.send(RedisCommand("RESTORE", "tls:keys", 0, former, "REPLACE"))
        #expect(try await self.names(keys) == after)
        #expect(try await self.names(self.server(redis)) == after)
    }

    @Test func `that cannot be opened are reported, and those in use stay`() async throws {
        let redis = try await RunningRedis()
        let client = try RedisClient(.patient(port: redis.port))
        let keys = try self.server(redis)
        let ring = TicketKeys()
        let following = Task { await ring.follow(keys.rings()) }
        await until { ring.keys.count == 2 }
        let before = ring.keys.map(\.name)
        for garbage in [
            RedisCommand("HSET", "tls:keys", "generation", "9000000000", "keys", "garbage"),
            RedisCommand("HSET", "tls:keys", "generation", "many"), RedisCommand("HDEL", "tls:keys", "keys"),
            RedisCommand("SET", "tls:keys", "a string"),
        ] {
            _ = try await client.send(garbage)
            await #expect(throws: RedisError.self) { _ = try await keys.current() }
            await #expect(throws: RedisError.self) { _ = try await self.server(redis).current() }
        }
        #expect(ring.keys.map(\.name) == before)
        // Another secret neither opens nor replaces them, unless that is asked for.
        await #expect(throws: RedisError.self) { try await keys.forgetAll() }
        try await keys.forgetAll(replacingUnusable: true)
        let after = try await self.names(keys)
        let stranger = try self.server(redis, self.other)
        await #expect(throws: RedisError.self) { _ = try await stranger.current() }
        await #expect(throws: RedisError.self) { try await stranger.forgetAll() }
        #expect(try await self.names(keys) == after)
        await until { Set(ring.keys.map(\.name)).isDisjoint(with: before) }
        following.cancel()
        await following.value
    }

    @Test func `are not changed by one who has read a generation that another one has replaced`() async throws {
        let redis = try await RunningRedis()
        let (one, two) = try (self.server(redis), self.server(redis))
        _ = try await (one.current(), two.current())
        let client = try RedisClient(.patient(port: redis.port))
        func generation() async throws -> String? {
            try await client.send(RedisCommand("HGET", "tls:keys", "generation")).string
        }
        let first = try #require(try await generation())
        try await two.forgetAll()
        let second = try await generation()
        let ring = try #require(StoredRing.new(at: 4_000_000_000, StoredRing.Schedule(rotation: 60, lifetime: 60)))
        #expect(try await !one.write(ring, over: first))
        #expect(try await generation() == second)
        #expect(try await self.names(one) == self.names(two))
    }

    @Test func `that are forgotten do not come back by a rotation with a later generation`() async throws {
        let redis = try await RunningRedis()
        let ahead = try self.server(redis, now: 3_000_000_000)
        let before = try await self.names(ahead)
        let operators = try self.server(redis, now: 2_999_999_000)
        // The one that is ahead rotates once more, before it learns of the forgetting.
        try await ahead.rotate(after: .seconds(1))
        try await operators.forgetAll()
        let client = try RedisClient(.patient(port: redis.port))
        _ = try await client.send(RedisCommand("DEL", "tls:keys"))
        // The store has lost everything. The first server restores what it knows; in the end the forgetting counts.
        _ = try await ahead.current()
        await until { (try? await self.names(operators))?.contains { before.contains($0) } == false }
        await until { (try? await self.names(ahead))?.contains { before.contains($0) } == false }
    }

    @Test func `are not made by a server whose secret has turned out to be another, when the store is emptied`() async throws {
        let redis = try await RunningRedis()
        let (keys, stranger) = try (self.server(redis), self.server(redis, self.other))
        let before = try await self.names(keys)
        await #expect(throws: RedisError.self) { _ = try await stranger.current() }
        let client = try RedisClient(.patient(port: redis.port))
        _ = try await client.send(RedisCommand("FLUSHALL"))
        await #expect(throws: RedisError.self) { _ = try await stranger.current() }
        #expect(try await client.send(RedisCommand("EXISTS", "tls:keys")).integer == 0)
        #expect(try await self.names(keys) == before)
        #expect(try await self.names(self.server(redis)) == before)
    }

    @Test func `are not made by a server whose clock is wrong`() async throws {
        let redis = try await RunningRedis()
        let wrong = try self.server(redis, now: 4_000_000_000, tolerance: 3600)
        let error = await #expect(throws: RedisError.self) { _ = try await wrong.current() }
        #expect(error?.message.contains("the clock differs") == true)
        #expect(try await self.server(redis, tolerance: 3600).current().keys.count == 2)
    }

    @Test func `are read without a change by an operator`() async throws {
        let redis = try await RunningRedis()
        let keys = try self.server(redis)
        #expect(try await keys.stored() == nil)
        await #expect(throws: RedisError.self) { try await keys.rotate() }
        let ring = try await keys.current()
        #expect(try await keys.stored() == ring)
    }

    @Test func `have limits, which are checked`() async throws {
        let client = try RedisClient(.patient(port: 1))
        func fails(_ change: (inout RedisTicketKeys.Options) -> Void) -> Bool {
            var options = RedisTicketKeys.Options()
            change(&options)
            do {
                _ = try RedisTicketKeys(client, sealedWith: self.secret, options: options)
                return false
            } catch {
                return error.code == .invalidConfiguration
            }
        }
        #expect(!fails { _ in })
        #expect(fails { $0.rotation = .seconds(59) })
        #expect(fails { $0.rotation = .seconds(Int64.max) })
        #expect(fails { $0.rotation = .seconds(3600) })
        #expect(fails { $0.lifetime = .seconds(-1) })
        #expect(fails { $0.lifetime = .seconds(Int64.max) })
        #expect(fails { $0.interval = .zero })
        #expect(fails { $0.name = "" })
        #expect(throws: RedisError.self) {
            _ = try RedisTicketKeys(client, sealedWith: self.secret, alsoOpening: Array(repeating: self.secret, count: 4))
        }
    }

    @Test func `stay in use while the store is away, and are read again when it is back`() async throws {
        let redis = try await RunningRedis()
        let keys = try self.server(redis)
        let ring = TicketKeys()
        let following = Task { await ring.follow(keys.rings()) }
        await until { ring.keys.count == 2 }
        let before = ring.keys.map(\.name)
        await redis.kill()
        await #expect(throws: RedisError.self) { _ = try await keys.current() }
        #expect(ring.keys.map(\.name) == before)
        try await redis.start()
        let client = try RedisClient(.patient(port: redis.port))
        // The server that has them brings them back.
        try await until { try await client.send(RedisCommand("EXISTS", "tls:keys")).integer == 1 }
        #expect(try await self.names(self.server(redis)) == before)
        following.cancel()
        await following.value
    }

    /// The rules that the documentation gives to operators.
    @Test func `need the rights that are documented, over TLS`() async throws {
        let authority = try DevelopmentAuthority()
        var options = RunningRedis.Options()
        options.authority = authority
        options.users = [
            "default off",
            "keys on >secret ~tls:keys* &tls:keys* +hmget +hget +hset +get +set +del +eval +time +publish +subscribe +hello +ping +client|setname",
            "tickets on >secret ~tls:ticket:* +set +getdel +hello +ping +client|setname",
        ]
        let redis = try await RunningRedis(options)
        func client(_ user: String) throws -> RedisClient {
            var configuration = try RedisConfiguration(url: "rediss://\(user):secret@localhost:\(redis.port)")
            configuration.tls = try TLSClientConfiguration(trust: authority.trust)
            configuration.commandTimeout = Encounter.patience
            return try RedisClient(configuration)
        }
        let keys = try RedisTicketKeys(try client("keys"), sealedWith: self.secret)
        let ring = TicketKeys()
        let following = Task { await ring.follow(keys.rings()) }
        await until { ring.keys.count == 2 }
        try await keys.forgetAll()
        try await keys.rotate(after: .seconds(1))
        await until { ring.keys.count == 3 }
        following.cancel()
        await following.value

        let store = RedisSessionStore(try client("tickets"), timeout: Encounter.patience)
        try await store.insert([1, 2, 3], for: [4, 5], lifetime: .seconds(60))
        #expect(try await store.take([4, 5]) == [1, 2, 3])
        #expect(try await store.take([4, 5]) == nil)
    }
}
