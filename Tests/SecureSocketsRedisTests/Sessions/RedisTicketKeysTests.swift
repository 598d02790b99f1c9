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
        _ redis: RunningRedis, _ secret: TicketKeys.Secret? = nil, now: Int64? = nil, interval: Duration = .milliseconds(100)
    ) throws -> RedisTicketKeys {
        var options = RedisTicketKeys.Options()
        options.interval = interval
        let time = now ?? Int64(Date().timeIntervalSince1970)
        return RedisTicketKeys(
            try RedisClient(.patient(port: redis.port)), [secret ?? self.secret], options,
            Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { time }
    }

    private func names(_ keys: RedisTicketKeys) async throws -> [String] { try await keys.current().keys.map(\.name) }

    @Test func `are the same for all servers, of which one makes them`() async throws {
        let redis = try await RunningRedis()
        let servers = try (1...8).map { _ in try self.server(redis) }
        let rings = try await withThrowingTaskGroup(of: [String].self) { group in
            for server in servers {
                group.addTask {
                    // All but one find that another one is making them.
                    while true {
                        if let names = try? await self.names(server) { return names }
                        await Task.yield()
                    }
                }
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
        try await one.rotate()
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
        // Another secret neither opens nor replaces them.
        try await keys.forgetAll()
        let after = try await self.names(keys)
        await #expect(throws: RedisError.self) { _ = try await self.server(redis, self.other).current() }
        #expect(try await self.names(keys) == after)
        await until { Set(ring.keys.map(\.name)).isDisjoint(with: before) }
        following.cancel()
        await following.value
    }

    @Test func `are not changed by a server that was suspended while another one changed them`() async throws {
        let redis = try await RunningRedis()
        let (one, two) = try (self.server(redis), self.server(redis))
        _ = try await (one.current(), two.current())
        // What `one` knows is outdated from here on.
        try await two.forgetAll()
        let after = try await self.names(two)
        let client = try RedisClient(.patient(port: redis.port))
        let generation = try #require(try await client.send(RedisCommand("HGET", "tls:keys", "generation")).string)
        #expect(try await self.names(one) == after)
        #expect(try await client.send(RedisCommand("HGET", "tls:keys", "generation")).string == generation)
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
            "keys on >secret ~tls:keys* &tls:keys* +hmget +hget +hset +get +set +del +eval +publish +subscribe +hello +ping +client|setname",
            "tickets on >secret ~tls:ticket:* +set +getdel +hello +ping +client|setname",
        ]
        let redis = try await RunningRedis(options)
        func client(_ user: String) throws -> RedisClient {
            var configuration = try RedisConfiguration(url: "rediss://\(user):secret@localhost:\(redis.port)")
            configuration.tls = try TLSClientConfiguration(trust: authority.trust)
            configuration.commandTimeout = Encounter.patience
            return try RedisClient(configuration)
        }
        let keys = RedisTicketKeys(try client("keys"), sealedWith: self.secret)
        let ring = TicketKeys()
        let following = Task { await ring.follow(keys.rings()) }
        await until { ring.keys.count == 2 }
        try await keys.forgetAll()
        try await keys.rotate()
        await until { ring.keys.count == 3 }
        following.cancel()
        await following.value

        let store = RedisSessionStore(try client("tickets"), timeout: Encounter.patience)
        try await store.insert([1, 2, 3], for: [4, 5], lifetime: .seconds(60))
        #expect(try await store.take([4, 5]) == [1, 2, 3])
        #expect(try await store.take([4, 5]) == nil)
    }
}
