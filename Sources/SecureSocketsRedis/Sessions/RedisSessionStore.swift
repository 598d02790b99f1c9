public import SecureSockets

/// The store of a fleet's single-use tickets in Redis or Valkey.
///
/// ```swift
/// let redis = try RedisClient(RedisConfiguration(url: "rediss://tls:password@redis.internal"))
/// let keys = TicketKeys(singleUse: SingleUseTickets(store: RedisSessionStore(redis)))
/// ```
///
/// Each ticket is one key of the database, with the prefix and 16 random bytes, and a value of 32 bytes. It is written with `SET` and an expiry,
/// and taken with `GETDEL` (Redis 6.2 or later), so that one server gets it. If the database's memory is limited, set its `maxmemory-policy`
/// to `allkeys-lru` or `volatile-ttl`: with `noeviction` no tickets can be issued when it is full.
///
/// A share that was taken must not come back. Run the database without persistence (`save ""`, `appendonly no`) and without failover to a
/// replica that may lack the latest commands: after a restart from a snapshot, or such a failover, tickets that were used before can be used
/// once more. An attacker who can read snapshots can keep shares.
///
/// The user of Redis needs the commands `SET` and `GETDEL` for the keys with the prefix, and those with which a client connects:
///
///     ACL SETUSER tls on >password ~tls:ticket:* +set +getdel +hello +ping +client|setname
public struct RedisSessionStore: SessionStore {
    private let client: RedisClient
    private let prefix: [UInt8]
    private let timeout: Duration?

    /// Creates a store.
    ///
    /// - Parameters:
    ///   - client: The client. Its connection is shared by all commands.
    ///   - prefix: The beginning of the names of all keys. Default: `tls:ticket:`.
    ///   - timeout: The time after which a command is given up. Default: nil; ``RedisConfiguration/commandTimeout``. ``SingleUseTickets`` waits
    ///     for its own deadline only.
    public init(_ client: RedisClient, prefix: String = "tls:ticket:", timeout: Duration? = nil) {
        self.client = client
        self.prefix = Array(prefix.utf8)
        self.timeout = timeout
    }

    /// Keeps a value until it is taken or has expired.
    ///
    /// - Throws: ``RedisError``.
    public func insert(_ value: [UInt8], for key: [UInt8], lifetime: Duration) async throws {
        let seconds = max(Int(clamping: lifetime.components.seconds), 1)
        _ = try await self.client.send(RedisCommand("SET", self.prefix + key, value, "EX", seconds), timeout: self.timeout)
    }

    /// Takes a value.
    ///
    /// - Throws: ``RedisError``.
    public func take(_ key: [UInt8]) async throws -> [UInt8]? {
        let reply = try await self.client.send(RedisCommand("GETDEL", self.prefix + key), timeout: self.timeout)
        if reply.isNull { return nil }
        guard let value = reply.bytes else {
            throw RedisError(.protocolViolation, "the reply to GETDEL is not a string", advice: "Check what listens there")
        }
        return value
    }
}
