import Logging
import SecureSockets
import SecureSocketsRedis

/// The options of a server for session tickets that other servers can open.
struct TicketOptions: ArgumentGroup {
    var keys: String?
    var secrets: [String] = []
    var redis: String?
    var redisPassword: String?
    var redisCA: String?
    var singleUse = false
    var deadline = Seconds(SingleUseTickets.Options().deadline)
    var poll = Seconds(.seconds(10))

    static let arguments: ArgumentTable<TicketOptions> = [
        .option(
            "--ticket-keys", \.keys, .text("file"), "The keys of session tickets: a file that several servers share and watch."),
        .repeated(
            "--ticket-secret", \.secrets, .text("file"),
            "Derive the keys of session tickets from this secret, which seals the keys in Redis with --redis. Repeat it for secrets that only open."
        ),
        .option("--redis", \.redis, .text("url"), "Share the keys of session tickets through Redis. Needs --ticket-secret."),
        .option(
            "--redis-password", \.redisPassword, .text("file"),
            "The file with the password of Redis, for a URL such as rediss://user:@host: others can see one in the URL."),
        .option("--redis-ca", \.redisCA, .text("file"), "Trust the certificates of this PEM file for Redis."),
        .flag("--single-use-tickets", \.singleUse, "Let each ticket be used once in the whole fleet. Needs --redis."),
        .option("--ticket-deadline", \.deadline, .seconds, "The time for which a handshake waits for Redis."),
        .option("--poll", \.poll, .seconds, "The time after which --ticket-keys or --redis is read again."),
    ]

    func validate() throws(UsageError) {
        if self.keys != nil, !self.secrets.isEmpty { throw UsageError("--ticket-keys and --ticket-secret exclude each other.") }
        if self.redis != nil, self.secrets.isEmpty {
            throw UsageError("--redis needs --ticket-secret FILE; make one with: tls tickets new --as-secret FILE")
        }
        if self.redis == nil, self.singleUse {
            throw UsageError("--single-use-tickets needs --redis URL, which keeps the tickets.")
        }
        if self.secrets.count > 4 { throw UsageError("There are \(self.secrets.count) secrets; 4 are possible.") }
        if self.redis == nil, self.redisCA != nil || self.redisPassword != nil {
            throw UsageError("--redis-ca and --redis-password are for --redis; pass that as well.")
        }
    }

    /// Whether the server shares its keys.
    var isGiven: Bool { self.keys != nil || !self.secrets.isEmpty }

    /// The keys of a server, and what keeps them up to date.
    struct Shared: Sendable {
        let keys: TicketKeys
        let follow: @Sendable () async -> Void
    }

    /// nil if no option was given.
    func shared(logger: Logger) throws -> Shared? {
        if let keys { return try self.shared(files: TicketKeyFiles([keys]), logger) }
        let secrets = try self.secrets.map { try TicketKeys.Secret(file: $0) }
        guard let secret = secrets.first else { return nil }
        let others = Array(secrets.dropFirst())
        guard let redis else { return Shared(keys: try TicketKeys(derivedFrom: secret, alsoOpening: others), follow: {}) }
        let client = try RedisClient(try Self.configuration(redis, password: self.redisPassword, ca: self.redisCA))
        var options = RedisTicketKeys.Options()
        options.interval = self.poll.duration
        let source = try RedisTicketKeys(client, sealedWith: secret, alsoOpening: others, options: options, logger: logger)
        let keys = TicketKeys(singleUse: self.singleUse ? self.singleUseTickets(client, logger) : nil)
        return Shared(keys: keys) { await keys.follow(source.rings()) }
    }

    private func singleUseTickets(_ client: RedisClient, _ logger: Logger) -> SingleUseTickets {
        var options = SingleUseTickets.Options()
        options.deadline = self.deadline.duration
        return SingleUseTickets(store: RedisSessionStore(client), options: options, logger: logger)
    }

    /// Reads the secrets again, of which keys are derived. Without Redis, other sources watch themselves.
    func reload(_ keys: TicketKeys) throws {
        let secrets = try self.secrets.map { try TicketKeys.Secret(file: $0) }
        guard self.redis == nil, let secret = secrets.first else { return }
        try keys.replaceSecret(with: secret, alsoOpening: Array(secrets.dropFirst()))
    }

    private func shared(files: TicketKeyFiles, _ logger: Logger) throws -> Shared {
        let keys = TicketKeys(try files.load())
        let interval = self.poll.duration
        return Shared(keys: keys) { await keys.follow(files.rings(every: interval, logger: logger)) }
    }

    /// The configuration of a client of Redis.
    static func configuration(_ url: String, password: String?, ca: String?) throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(url: url)
        if let password {
            let text = String(decoding: try PrivateFile.read(password), as: UTF8.self)
            configuration.password = String(text.prefix { !$0.isNewline })
        }
        guard let ca else { return configuration }
        guard configuration.tls != nil else {
            throw UsageError("certificates for Redis are of use with a URL that begins with rediss: only")
        }
        configuration.tls = try TLSClientConfiguration(trust: .only(.file(ca)))
        return configuration
    }
}
