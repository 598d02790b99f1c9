import SecureSockets
import TestSupport
import Testing

@testable import SecureSocketsRedis

/// The client, and a server whose part the test plays.
@Suite(.timeLimit(.minutes(5))) struct `A client` {
    @Test func `writes commands in order without waiting for replies, and matches replies by order`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        async let first = client.send(RedisCommand("GET", "a"))
        let connection = try await server.ready()
        #expect(try await connection.command() == ["GET", "a"])
        async let second = client.send(RedisCommand("SET", "b", [1, 2] as [UInt8], "PX", 500))
        #expect(try await connection.command() == ["SET", "b", "\u{1}\u{2}", "PX", "500"])
        try await connection.reply("$1\r\nx\r\n+OK\r\n")
        #expect(try await first.string == "x")
        #expect(try await second == .simpleString("OK"))
        await client.close()
        await connection.waitForEnd()
    }

    @Test func `sends what was queued while it connected`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1...100 {
                group.addTask {
                    let reply = try await client.send(RedisCommand("ECHO", number))
                    #expect(reply.integer == number)
                }
            }
            let connection = try await server.ready()
            for _ in 1...100 { try await connection.reply(":\(connection.command()[1])\r\n") }
            try await group.waitForAll()
        }
    }

    @Test func `reports an error reply with its code, and without the arguments that it repeats`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        async let failed = failure(of: client, RedisCommand("SETT", "key", "secret"))
        let connection = try await server.ready()
        _ = try await connection.command()
        try await connection.reply("-ERR unknown command 'SETT\u{1b}', with args beginning with: 'key' 'secret'\r\n")
        let error = try #require(await failed)
        #expect(error.code == .commandFailed)
        #expect(error.message == "\(client.configuration.server) refused SETT: ERR unknown command 'SETT\\u{1b}'")
        async let denied = failure(of: client, RedisCommand("GET", "key"))
        _ = try await connection.command()
        try await connection.reply("-NOPERM no permission\r\n")
        let refusal = try #require(await denied)
        #expect(refusal.replyCode == "NOPERM")
        #expect(refusal.advice?.contains("ACL SETUSER") == true)
    }

    // MARK: Deadlines and cancellation

    @Test func `fails at the deadline, and discards the reply that arrives later`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        async let late = failure(of: client, RedisCommand("GET", "late"), timeout: .milliseconds(100))
        let connection = try await server.ready()
        #expect(await late?.code == .timedOut)
        async let next = client.send(RedisCommand("GET", "next"))
        // On a busy machine, the first command may have missed its deadline before it was written.
        if try await connection.command() == ["GET", "late"] {
            #expect(try await connection.command() == ["GET", "next"])
            try await connection.reply("$4\r\nlate\r\n")
        }
        try await connection.reply("$4\r\nnext\r\n")
        #expect(try await next.string == "next")
    }

    @Test func `fails at the deadline while connecting hangs`() async throws {
        let listener = try RawListener(isFull: true)
        let client = try RedisClient(.patient(port: listener.port))
        let error = await failure(of: client, RedisCommand("GET", "a"), timeout: .milliseconds(50))
        #expect(error?.code == .timedOut)
        await client.close()
        listener.close()
    }

    @Test func `fails at once if there is no time`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        #expect(await failure(of: client, RedisCommand("PING"), timeout: .zero)?.code == .timedOut)
        #expect(await failure(of: client, RedisCommand("PING"), timeout: .seconds(-1))?.code == .timedOut)
    }

    @Test func `serves a short deadline while a long one is waited for`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        async let long = client.send(RedisCommand("GET", "long"), timeout: .seconds(Int64.max))
        let connection = try await server.ready()
        _ = try await connection.command()
        #expect(await failure(of: client, RedisCommand("GET", "short"), timeout: .milliseconds(20))?.code == .timedOut)
        try await connection.reply("$4\r\nlong\r\n$5\r\nshort\r\n")
        #expect(try await long.string == "long")
    }

    @Test func `gives up a connection whose oldest command is overdue, and makes a new one`() async throws {
        let server = try await ScriptedServer()
        var configuration = server.configuration
        configuration.commandTimeout = .milliseconds(50)
        let client = try RedisClient(configuration)
        async let first = failure(of: client, RedisCommand("GET", "overdue"))
        let connection = try await server.ready()
        #expect(await first?.code == .timedOut)
        var code: RedisError.Code?
        repeat { code = await failure(of: client, RedisCommand("GET", "overdue"))?.code } while code == .timedOut
        #expect(code == .connectionFailed)
        await connection.waitForEnd()
        _ = try await server.ready()
    }

    @Test func `ends the wait of a task that is cancelled, and discards the reply`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        let task = Task { await failure(of: client, RedisCommand("GET", "cancelled")) }
        let connection = try await server.ready()
        _ = try await connection.command()
        task.cancel()
        #expect(await task.value?.code == .cancelled)
        async let next = client.send(RedisCommand("GET", "next"))
        _ = try await connection.command()
        try await connection.reply("+cancelled\r\n+next\r\n")
        #expect(try await next.string == "next")
    }

    @Test func `does not send a command that was cancelled before there was a connection`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        let task = Task { await failure(of: client, RedisCommand("GET", "cancelled")) }
        let connection = try await server.accept()
        #expect(try await connection.command() == ["HELLO", "3"])
        task.cancel()
        #expect(await task.value?.code == .cancelled)
        async let next = client.send(RedisCommand("GET", "next"))
        try await connection.reply(.hello)
        #expect(try await connection.command() == ["GET", "next"])
        try await connection.reply("+next\r\n")
        #expect(try await next.string == "next")
    }

    @Test func `refuses a command above the limit, and accepts one when a reply has arrived`() async throws {
        let server = try await ScriptedServer()
        var configuration = server.configuration
        configuration.maximumQueuedCommands = 2
        let client = try RedisClient(configuration)
        async let first = client.send(RedisCommand("GET", "1"))
        let connection = try await server.ready()
        _ = try await connection.command()
        async let second = client.send(RedisCommand("GET", "2"))
        _ = try await connection.command()
        #expect(await failure(of: client, RedisCommand("GET", "3"))?.code == .queueFull)
        try await connection.reply("+1\r\n")
        #expect(try await first.string == "1")
        async let third = client.send(RedisCommand("GET", "3"))
        _ = try await connection.command()
        try await connection.reply("+2\r\n+3\r\n")
        #expect(try await second.string == "2")
        #expect(try await third.string == "3")
    }

    // MARK: Failures

    @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n", "*9999999999\r\n", "$1\r\nab\r\n"])
    func `gives up a connection over which garbage arrives, and makes a new one`(garbage: String) async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        async let failed = failure(of: client, RedisCommand("GET", "a"))
        let connection = try await server.ready()
        _ = try await connection.command()
        try await connection.reply(garbage)
        #expect(await failed?.code == .protocolViolation)
        await connection.waitForEnd()
        _ = try await server.ready()
    }

    @Test func `gives up a connection over which a reply to no command arrives`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        async let answered = client.send(RedisCommand("GET", "a"))
        let connection = try await server.ready()
        _ = try await connection.command()
        try await connection.reply(">2\r\n+invalidate\r\n_\r\n+a\r\n+b\r\n")
        #expect(try await answered.string == "a")
        await connection.waitForEnd()
        _ = try await server.ready()
    }

    @Test func `fails if the connection ends in the middle of a reply, and does not send the command again`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        async let failed = failure(of: client, RedisCommand("GET", "a"))
        let connection = try await server.ready()
        _ = try await connection.command()
        try await connection.reply("$10\r\nabc")
        connection.socket.close()
        let error = try #require(await failed)
        #expect(error.code == .connectionFailed)
        #expect(error.message.contains("in the middle of a reply"))
        let next = try await server.ready()
        async let answered = reply(of: client, RedisCommand("GET", "b"))
        #expect(try await next.command() == ["GET", "b"])
        try await next.reply("+b\r\n")
        #expect(try await answered.string == "b")
    }

    @Test func `refuses commands at once while there is no connection, with the reason`() async throws {
        let listener = try RawListener(isListening: false)
        var configuration = RedisConfiguration.patient(port: listener.port)
        configuration.minimumBackoff = .seconds(80_000)
        configuration.maximumBackoff = .seconds(80_000)
        let client = try RedisClient(configuration)
        let first = try #require(await failure(of: client, RedisCommand("GET", "a")))
        #expect(first.code == .connectionFailed)
        #expect(first.cause?.code == .connectionRefused)
        let second = try #require(await failure(of: client, RedisCommand("GET", "a")))
        #expect(second.code == .connectionFailed)
        #expect(second.message.contains("there is no connection to Redis at 127.0.0.1:\(listener.port) (last failure:"))
        await client.close()
        listener.close()
    }

    @Test func `reports a refused password, then and later`() async throws {
        let server = try await ScriptedServer()
        var configuration = server.configuration
        configuration.password = "secret"
        configuration.minimumBackoff = .seconds(80_000)
        configuration.maximumBackoff = .seconds(80_000)
        let client = try RedisClient(configuration)
        async let failed = failure(of: client, RedisCommand("GET", "a"))
        let connection = try await server.accept()
        #expect(try await connection.command() == ["HELLO", "3", "AUTH", "default", "secret"])
        try await connection.reply("-WRONGPASS invalid username-password pair or user is disabled: secret\r\n")
        let error = try #require(await failed)
        #expect(error.code == .authenticationFailed)
        #expect(!"\(error)".contains("secret"))
        #expect(await failure(of: client, RedisCommand("GET", "a"))?.code == .authenticationFailed)
    }

    @Test(arguments: [
        "-ERR unknown command `HELLO`, with args beginning with: `3`\r\n", "-NOPROTO unsupported protocol version\r\n",
    ])
    func `speaks RESP2 with a server that does not know RESP3`(refusal: String) async throws {
        let server = try await ScriptedServer()
        var configuration = server.configuration
        configuration.username = "user"
        configuration.password = "secret"
        configuration.clientName = "test"
        configuration.database = 3
        let client = try RedisClient(configuration)
        async let answered = client.send(RedisCommand("GET", "a"))
        let connection = try await server.accept()
        #expect(try await connection.command() == ["HELLO", "3", "AUTH", "user", "secret", "SETNAME", "test"])
        try await connection.reply(refusal)
        #expect(try await connection.command() == ["AUTH", "user", "secret"])
        try await connection.reply("+OK\r\n")
        #expect(try await connection.command() == ["CLIENT", "SETNAME", "test"])
        try await connection.reply("-ERR unknown command\r\n")
        #expect(try await connection.command() == ["SELECT", "3"])
        try await connection.reply("+OK\r\n")
        #expect(try await connection.command() == ["GET", "a"])
        try await connection.reply("$-1\r\n")
        #expect(try await answered.isNull)
    }

    // MARK: Closing

    @Test func `fails commands that wait when it is closed, and later ones`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        async let waiting = failure(of: client, RedisCommand("GET", "a"))
        let connection = try await server.ready()
        _ = try await connection.command()
        await client.close()
        #expect(await waiting?.code == .closed)
        #expect(await failure(of: client, RedisCommand("GET", "a"))?.code == .closed)
        await connection.waitForEnd()
        await client.close()
    }

    @Test func `closes its connection when it is deallocated`() async throws {
        let server = try await ScriptedServer()
        var client: RedisClient? = try RedisClient(server.configuration)
        let task = Task { [client] in try await client?.send(RedisCommand("PING")) }
        let connection = try await server.ready()
        _ = try await connection.command()
        try await connection.reply("+PONG\r\n")
        #expect(try await task.value?.string == "PONG")
        client = nil
        await connection.waitForEnd()
    }
}
