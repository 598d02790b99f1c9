import Foundation
import SecureSockets
import SecureSocketsRedis
import TLSEngine

/// `tls tickets`: the keys of session tickets that several servers have in common.
enum Tickets {
    static let group = CommandTree.group(
        CommandTitle(
            name: "tickets",
            abstract: "Make, rotate, show and replace the keys of session tickets that servers share.",
            discussion: """
                The keys are in a file, as nginx reads it and TicketKeyFiles watches it, or in Redis, where RedisTicketKeys keeps \
                and rotates them.

                A file has keys of 80 bytes. The first seals, all open, and the second is the one that seals next: every server \
                has it before another one uses it.
                """),
        [.command(New.self), .command(Rotate.self), .command(Show.self), .command(Forget.self)])
}

/// The place of the keys: a file, or Redis.
struct TicketKeyPlace: ArgumentGroup {
    var file: String?
    var redis: String?
    var secret: String?
    var name = RedisTicketKeys.Options().name
    var password: String?
    var ca: String?

    static let arguments: ArgumentTable<TicketKeyPlace> = [
        .optional("file", \.file, .text("file"), "The file with the keys."),
        .option("--redis", \.redis, .text("url"), "The URL of Redis, in place of a file: redis://... or rediss://... with TLS."),
        .option("--secret", \.secret, .text("file"), "The file with the secret that seals the keys in Redis."),
        .option("--name", \.name, .text("name"), "The name of the keys in Redis."),
        .option(
            "--redis-password", \.password, .text("file"),
            "The file with the password of Redis, for a URL such as rediss://user:@host."),
        .option("--ca", \.ca, .text("file"), "Trust the certificates of this PEM file for Redis, instead of the system's."),
    ]

    func validate() throws(UsageError) {
        switch (self.file, self.redis) {
        case (nil, nil): throw UsageError("Give a file with keys, or --redis URL.")
        case (.some, .some): throw UsageError("Give a file or --redis, not both.")
        case (.some, nil):
            if self.secret != nil { throw UsageError("--secret is for --redis; the keys of a file are not sealed.") }
        case (nil, .some):
            if self.secret == nil { throw UsageError("--redis needs --secret FILE, the secret that the servers have.") }
        }
    }

    /// Calls a function with the keys in Redis, if they are there.
    func withRedis<Value: Sendable>(_ body: (RedisTicketKeys) async throws -> Value) async throws -> Value? {
        guard let redis, let secret else { return nil }
        let key = try TicketKeys.Secret(file: secret)
        let configuration = try TicketOptions.configuration(redis, password: self.password, ca: self.ca)
        var options = RedisTicketKeys.Options()
        options.name = self.name
        let client = try RedisClient(configuration)
        let result: Value
        do {
            result = try await body(try RedisTicketKeys(client, sealedWith: key, options: options))
        } catch {
            await client.close()
            throw error
        }
        await client.close()
        return result
    }
}

extension Tickets {
    /// `tls tickets new FILE`.
    struct New: Command, SpeaksJSON {
        var file = ""
        var keys = 2
        var asSecret = false
        var force = false
        var json = false

        static let title = CommandTitle(
            name: "new",
            abstract: "Make a file with new keys, or with a secret to derive keys from.",
            discussion: """
                The file can be read by its owner only.

                Examples:
                  tls tickets new tickets.key
                  tls tickets new --as-secret ticket-secret
                """)

        static let arguments: ArgumentTable<New> = [
            .required("file", \.file, .text("file"), "The file to write."),
            .option("--keys", \.keys, .number(1...32), "The number of keys."),
            .flag(
                "--as-secret", \.asSecret,
                "Write a secret for TicketKeys(derivedFrom:), or for the keys in Redis, in place of keys."),
            .flag("--force", \.force, "Replace the file if it exists. Sessions of its keys cannot be resumed any more."),
            .flag("--json", \.json, "Print the result as JSON."),
        ]

        func run() async throws {
            let file = TicketKeyFile(path: self.file)
            if self.asSecret {
                try file.write(try TicketKeyFile.newSecret(), replacing: self.force)
                return try self.reporter.report(TicketSecretReport(file: self.file))
            }
            let keys = try (0..<self.keys).map { _ in try TicketKeyFile.newKey() }
            try file.write(keys.flatMap(\.self), replacing: self.force)
            try self.reporter.report(TicketKeysReport(place: self.file, keys: try file.load(), action: .made))
        }
    }

    /// `tls tickets rotate FILE` or `tls tickets rotate --redis URL`.
    struct Rotate: Command, SpeaksJSON {
        var place = TicketKeyPlace()
        var keep = 6
        var after = Seconds(.seconds(20))
        var json = false

        static let title = CommandTitle(
            name: "rotate",
            abstract: "Let the next key seal, and add one that will be next.",
            discussion: """
                Every key of a file should seal for as long as servers need to get a new file, and stay in it for as long as \
                sessions live: with a rotation every 12 hours and sessions of 48 hours, six keys. No session is lost then.

                Keys in Redis are rotated by the servers themselves; this command lets the next one seal early.
                """)

        static let arguments: ArgumentTable<Rotate> = [
            .group(\.place),
            .option("--keep", \.keep, .number(2...32), "The number of keys that a file has at most."),
            .option(
                "--after", \.after, .seconds, "The time until the next key in Redis seals, in which all servers read the change."),
            .flag("--json", \.json, "Print the result as JSON."),
        ]

        func run() async throws {
            let ring = try await self.place.withRedis { keys in
                try await keys.rotate(after: self.after.duration)
                return try await keys.stored()
            }
            if let ring, let ring {
                return try self.reporter.report(TicketKeysReport(place: self.place, keys: ring, action: .rotated))
            }
            let file = TicketKeyFile(path: self.place.file ?? "")
            var keys = try file.keys()
            // The next one seals, and the new one is next.
            let sealing = keys.count > 1 ? keys.remove(at: 1) : keys.removeFirst()
            keys = [sealing, try TicketKeyFile.newKey()] + keys
            try file.write(keys.prefix(self.keep).flatMap(\.self), replacing: true)
            try self.reporter.report(TicketKeysReport(place: file.path, keys: try file.load(), action: .rotated))
        }
    }

    /// `tls tickets show FILE` or `tls tickets show --redis URL`.
    struct Show: Command, SpeaksJSON {
        var place = TicketKeyPlace()
        var json = false

        static let title = CommandTitle(
            name: "show", abstract: "Show the names and the times of keys, never the keys.",
            discussion: "The name of a key is also the beginning of each of its tickets.")

        static let arguments: ArgumentTable<Show> = [
            .group(\.place), .flag("--json", \.json, "Print the keys as JSON."),
        ]

        func run() async throws {
            let ring: TicketKeys.Ring
            if self.place.redis == nil {
                ring = try TicketKeyFile(path: self.place.file ?? "").load()
            } else if let found = try await self.place.withRedis({ try await $0.stored() }), let found {
                ring = found
            } else {
                throw ToolError.inputUnusable("there are no ticket keys \(self.place.name.escapedForDisplay) in Redis")
            }
            try self.reporter.report(TicketKeysReport(place: self.place, keys: ring, action: .shown))
        }
    }

    /// `tls tickets forget FILE` or `tls tickets forget --redis URL`.
    struct Forget: Command, SpeaksJSON {
        var place = TicketKeyPlace()
        var force = false
        var json = false

        static let title = CommandTitle(
            name: "forget",
            abstract: "Replace all keys, so that no session can be resumed that was established until now.",
            discussion: """
                For keys or sessions that may have been disclosed. Servers that read Redis get the new keys at once, those that \
                watch a file when they read it. The next connection of every client is a full handshake.
                """)

        static let arguments: ArgumentTable<Forget> = [
            .group(\.place),
            .flag("--force", \.force, "Replace keys in Redis that cannot be opened with the secret, too."),
            .flag("--json", \.json, "Print the result as JSON."),
        ]

        func run() async throws {
            let ring = try await self.place.withRedis { keys in
                try await keys.forgetAll(replacingUnusable: self.force)
                return try await keys.stored()
            }
            if let ring, let ring {
                return try self.reporter.report(TicketKeysReport(place: self.place, keys: ring, action: .replaced))
            }
            let file = TicketKeyFile(path: self.place.file ?? "")
            // Whatever the file contains: a damaged one is no reason to keep keys.
            guard file.exists else { throw ToolError.inputUnusable("\(file.path.escapedForDisplay) does not exist") }
            try file.write(try (1...2).flatMap { _ in try TicketKeyFile.newKey() }, replacing: true)
            try self.reporter.report(TicketKeysReport(place: file.path, keys: try file.load(), action: .replaced))
        }
    }
}

extension SpeaksJSON {
    /// The printer of results.
    var reporter: Reporter { Reporter(style: self.style, output: .standardOutput) }
}
