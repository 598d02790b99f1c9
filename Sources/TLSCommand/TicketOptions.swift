import SecureSockets
import SecureSocketsRedis

/// The options of a server for session tickets that other servers can open.
struct TicketOptions: ArgumentGroup {
    var keys: String?
    var secret: String?
    var redis: String?
    var redisCA: String?
    var singleUse = false
    var deadline = Seconds(SingleUseTickets.Options().deadline)
    var poll = Seconds(.seconds(10))

    static let arguments: ArgumentTable<TicketOptions> = [
        .option(
            "--ticket-keys", \.keys, .text("file"), "The keys of session tickets: a file that several servers share and watch."),
        .option(
            "--ticket-secret", \.secret, .text("file"),
            "Derive the keys of session tickets from this secret; with --redis, the secret that seals the keys there."),
        .option("--redis", \.redis, .text("url"), "Share the keys of session tickets through Redis. Needs --ticket-secret."),
        .option("--redis-ca", \.redisCA, .text("file"), "Trust the certificates of this PEM file for Redis."),
        .flag("--single-use-tickets", \.singleUse, "Let each ticket be used once in the whole fleet. Needs --redis."),
        .option("--ticket-deadline", \.deadline, .seconds, "The time for which a handshake waits for Redis."),
        .option("--poll", \.poll, .seconds, "The time after which --ticket-keys or --redis is read again."),
    ]

    func validate() throws(UsageError) {
        if self.keys != nil, self.secret != nil { throw UsageError("--ticket-keys and --ticket-secret exclude each other.") }
        if self.redis != nil, self.secret == nil {
            throw UsageError("--redis needs --ticket-secret FILE; make one with: tls tickets new --as-secret FILE")
        }
        if self.redis == nil, self.singleUse {
            throw UsageError("--single-use-tickets needs --redis URL, which keeps the tickets.")
        }
        if self.redis == nil, self.redisCA != nil { throw UsageError("--redis-ca is for --redis; pass that as well.") }
    }

    /// The keys of a server, and what keeps them up to date.
    struct Shared: Sendable {
        let keys: TicketKeys
        let follow: @Sendable () async -> Void
    }

    /// nil if no option was given.
    func shared() throws -> Shared? {
        if let keys { return try self.shared(files: TicketKeyFiles([keys])) }
        guard let secret else { return nil }
        let key = try TicketKeys.Secret(file: secret)
        guard let redis else { return Shared(keys: try TicketKeys(derivedFrom: key), follow: {}) }
        let client = try RedisClient(try Self.configuration(redis, ca: self.redisCA))
        var options = RedisTicketKeys.Options()
        options.interval = self.poll.duration
        let source = RedisTicketKeys(client, sealedWith: key, options: options)
        let keys = TicketKeys(singleUse: self.singleUse ? self.singleUseTickets(client) : nil)
        return Shared(keys: keys) { await keys.follow(source.rings()) }
    }

    private func singleUseTickets(_ client: RedisClient) -> SingleUseTickets {
        var options = SingleUseTickets.Options()
        options.deadline = self.deadline.duration
        return SingleUseTickets(store: RedisSessionStore(client, timeout: options.deadline), options: options)
    }

    private func shared(files: TicketKeyFiles) throws -> Shared {
        let keys = TicketKeys(try files.load())
        let interval = self.poll.duration
        return Shared(keys: keys) { await keys.follow(files.rings(every: interval)) }
    }

    /// The configuration of a client of Redis.
    static func configuration(_ url: String, ca: String?) throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(url: url)
        guard let ca else { return configuration }
        guard configuration.tls != nil else {
            throw UsageError("certificates for Redis are of use with a URL that begins with rediss: only")
        }
        configuration.tls = try TLSClientConfiguration(trust: .only(.file(ca)))
        return configuration
    }
}
