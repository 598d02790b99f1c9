import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSocketsRedis

/// The client and a server of Redis or Valkey.
@Suite(.serialized, .enabled(if: RunningRedis.isInstalled, "\(RunningRedis.requirement)"), .timeLimit(.minutes(5)))
struct `A client of Redis` {
    @Test func `stores values, and reads them once`() async throws {
        let redis = try await RunningRedis()
        let client = try RedisClient(.patient(port: redis.port))
        let token: [UInt8] = [0, 13, 10, 255]
        #expect(try await client.send(RedisCommand("SET", "token", token, "PX", 100_000)) == .simpleString("OK"))
        #expect(try await client.send(RedisCommand("GETDEL", "token")).bytes == token)
        #expect(try await client.send(RedisCommand("GETDEL", "token")).isNull)
        #expect(try await client.send(RedisCommand("HSET", "hash", "a", 1)).integer == 1)
        #expect(
            try await client.send(RedisCommand("HGETALL", "hash")) == .map([.init(.bulkString([97]), .bulkString([49]))]))
        #expect(await failure(of: client, RedisCommand("GET", "hash"))?.replyCode == "WRONGTYPE")
        await client.close()
        await redis.stop()
    }

    @Test func `gives each of many callers its own reply`() async throws {
        let redis = try await RunningRedis()
        let client = try RedisClient(.patient(port: redis.port))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 1...32 {
                group.addTask {
                    for round in 1...50 {
                        let text = "\(caller).\(round)"
                        let reply = try await client.send(RedisCommand("ECHO", text))
                        #expect(reply.string == text)
                    }
                }
            }
            try await group.waitForAll()
        }
        let large = [UInt8](repeating: 7, count: 3 << 20)
        _ = try await client.send(RedisCommand("SET", "large", large))
        #expect(try await client.send(RedisCommand("GET", "large")).bytes == large)
    }

    @Test func `never mixes up replies, while deadlines pass, tasks are cancelled and connections are lost`() async throws {
        let redis = try await RunningRedis()
        let client = try RedisClient(.patient(port: redis.port))
        let killer = try RedisClient(.patient(port: redis.port))
        await withTaskGroup(of: Void.self) { group in
            for caller in 1...16 {
                group.addTask {
                    var random = SeededGenerator(seed: UInt64(caller))
                    for round in 1...40 {
                        let command = RedisCommand("ECHO", "\(caller).\(round)")
                        let timeout: Duration =
                            random.next() % 3 == 0 ? .microseconds(Int(random.next() % 2_000)) : Encounter.patience
                        let task = Task { await outcome(of: client, command, timeout: timeout) }
                        if random.next() % 4 == 0 { task.cancel() }
                        switch await task.value {
                        case .success(let reply): #expect(reply.string == "\(caller).\(round)")
                        case .failure(let error):
                            #expect([.timedOut, .cancelled, .connectionFailed].contains(error.code), "\(error)")
                        }
                    }
                }
            }
            for _ in 1...10 { _ = await failure(of: killer, RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")) }
        }
        #expect(try await reply(of: client, RedisCommand("ECHO", "end")).string == "end")
    }

    @Test func `authenticates with a password and selects a database`() async throws {
        var options = RunningRedis.Options()
        options.password = "s3cret/@"
        let redis = try await RunningRedis(options)
        var configuration = try RedisConfiguration(url: "redis://:s3cret%2F%40@127.0.0.1:\(redis.port)/3")
        configuration.clientName = "test"
        configuration.commandTimeout = Encounter.patience
        let client = try RedisClient(configuration)
        let information = try #require(try await client.send(RedisCommand("CLIENT", "INFO")).string)
        #expect(information.contains(" name=test ") && information.contains(" db=3 "))

        for url in ["redis://:wrong@127.0.0.1:\(redis.port)", "redis://127.0.0.1:\(redis.port)"] {
            var configuration = try RedisConfiguration(url: url)
            configuration.commandTimeout = Encounter.patience
            #expect(await failure(of: try RedisClient(configuration), RedisCommand("PING"))?.code == .authenticationFailed)
        }
    }

    @Test func `reports what the user of an ACL may not do`() async throws {
        var options = RunningRedis.Options()
        options.users = ["default off", "cache on >s3cret ~cache:* &cache:* +get +set +select +ping +subscribe +publish"]
        let redis = try await RunningRedis(options)
        var configuration = RedisConfiguration.patient(port: redis.port)
        configuration.username = "cache"
        configuration.password = "s3cret"
        let client = try RedisClient(configuration)
        #expect(try await client.send(RedisCommand("SET", "cache:a", "b")) == .simpleString("OK"))
        #expect(await failure(of: client, RedisCommand("SET", "other", "b"))?.replyCode == "NOPERM")
        #expect(await failure(of: client, RedisCommand("FLUSHALL"))?.replyCode == "NOPERM")
        var refused = client.subscribe(to: ["other"]).makeAsyncIterator()
        guard case .disconnected(let error) = await refused.next() else {
            Issue.record("the channel was not refused")
            return
        }
        #expect(error.replyCode == "NOPERM")
        var accepted = client.subscribe(to: ["cache:a"]).makeAsyncIterator()
        #expect(await accepted.next() == .subscribed)
    }

    @Test func `speaks TLS with a certificate of its own`() async throws {
        let authority = try DevelopmentAuthority()
        var options = RunningRedis.Options()
        options.authority = authority
        options.requiresClientCertificate = true
        let redis = try await RunningRedis(options)
        var configuration = RedisConfiguration.patient(host: "localhost", port: redis.port)
        configuration.tls = try TLSClientConfiguration(
            trust: authority.trust, identity: authority.client(commonName: "test").identity)
        let client = try RedisClient(configuration)
        #expect(try await client.send(RedisCommand("ECHO", "a")).string == "a")
        var messages = client.subscribe(to: ["keys"]).makeAsyncIterator()
        #expect(await messages.next() == .subscribed)

        configuration.tls = try TLSClientConfiguration(trust: authority.trust)
        let withoutCertificate = await failure(of: try RedisClient(configuration), RedisCommand("PING"))
        #expect(withoutCertificate?.code == .connectionFailed)
        #expect(withoutCertificate?.cause?.alert != nil)

        configuration.tls = try TLSClientConfiguration(trust: DevelopmentAuthority().trust)
        let untrusted = await failure(of: try RedisClient(configuration), RedisCommand("PING"))
        #expect(untrusted?.code == .connectionFailed)
        #expect(untrusted?.cause?.code == .certificateVerificationFailed)
    }

    @Test func `connects to a Unix domain socket`() async throws {
        let folder = try TemporaryDirectory()
        var options = RunningRedis.Options()
        options.settings = ["unixsocket \(folder.path(of: "redis.sock"))"]
        let redis = try await RunningRedis(options)
        let client = try RedisClient(RedisConfiguration(url: "redis+unix://\(folder.path(of: "redis.sock"))"))
        #expect(try await client.send(RedisCommand("PING"), timeout: Encounter.patience).string == "PONG")
        await redis.stop()
    }

    @Test func `fails while the server is down, and connects when it is back`() async throws {
        let redis = try await RunningRedis()
        let client = try RedisClient(.patient(port: redis.port))
        #expect(try await client.send(RedisCommand("PING")).string == "PONG")
        await redis.kill()
        let lost = await failure(of: client, RedisCommand("PING"))
        #expect(lost?.code == .connectionFailed)
        try await redis.start()
        #expect(try await reply(of: client, RedisCommand("PING")).string == "PONG")
        await redis.stop()
        #expect(await failure(of: client, RedisCommand("PING"))?.code == .connectionFailed)
        try await redis.start()
        #expect(try await reply(of: client, RedisCommand("PING")).string == "PONG")
    }

    @Test func `keeps its deadlines while the server is paused, and recovers when it runs again`() async throws {
        let redis = try await RunningRedis()
        var configuration = RedisConfiguration.patient(port: redis.port)
        let client = try RedisClient(configuration)
        #expect(try await client.send(RedisCommand("SET", "a", "b")) == .simpleString("OK"))
        try await redis.pause()
        for _ in 1...3 {
            #expect(await failure(of: client, RedisCommand("GET", "a"), timeout: .milliseconds(50))?.code == .timedOut)
        }
        // A connection that is accepted by the operating system only.
        configuration.connectTimeout = .seconds(1)
        let other = try RedisClient(configuration)
        #expect(await failure(of: other, RedisCommand("GET", "a"), timeout: .milliseconds(50))?.code == .timedOut)
        #expect(await failure(of: other, RedisCommand("GET", "a"))?.code == .connectionFailed)
        redis.resume()
        #expect(try await client.send(RedisCommand("GET", "a")).string == "b")
        #expect(try await reply(of: other, RedisCommand("GET", "a")).string == "b")
    }

    @Test func `receives messages, also after the server was killed or paused`() async throws {
        let redis = try await RunningRedis()
        var configuration = RedisConfiguration.patient(port: redis.port)
        configuration.pingInterval = .milliseconds(100)
        configuration.commandTimeout = .seconds(1)
        let client = try RedisClient(configuration)
        var messages = client.subscribe(to: ["keys", "tokens"]).makeAsyncIterator()
        #expect(await messages.next() == .subscribed)
        #expect(try await reply(of: client, RedisCommand("PUBLISH", "tokens", "a")).integer == 1)
        #expect(await messages.next() == .message(channel: "tokens", [97]))

        await redis.kill()
        guard case .disconnected = await messages.next() else {
            Issue.record("the loss was not noticed")
            return
        }
        try await redis.start()
        await self.skipToSubscribed(&messages)
        #expect(try await reply(of: client, RedisCommand("PUBLISH", "keys", "b")).integer == 1)
        #expect(await messages.next() == .message(channel: "keys", [98]))

        try await redis.pause()
        guard case .disconnected = await messages.next() else {
            Issue.record("the pause was not noticed")
            return
        }
        redis.resume()
        await self.skipToSubscribed(&messages)
        await client.close()
    }

    private func skipToSubscribed(_ messages: inout RedisSubscription.Iterator) async {
        while let message = await messages.next(), message != .subscribed {}
    }
}
