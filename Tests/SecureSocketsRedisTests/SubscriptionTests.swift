import SecureSockets
import TestSupport
import Testing

@testable import SecureSocketsRedis

@Suite(.timeLimit(.minutes(5))) struct `A subscription` {
    private static func event(_ parts: String...) -> String {
        ">\(parts.count)\r\n" + parts.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
    }

    private func isDisconnected(_ message: RedisMessage?) -> Bool {
        if case .disconnected = message { true } else { false }
    }

    /// Confirms a subscription to one channel.
    private func confirm(_ connection: ScriptedConnection, _ channel: String) async throws {
        #expect(try await connection.command() == ["SUBSCRIBE", channel])
        try await connection.reply(">3\r\n$9\r\nsubscribe\r\n$\(channel.utf8.count)\r\n\(channel)\r\n:1\r\n")
    }

    @Test func `has its own connection, and connects again when it is lost`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        var messages = client.subscribe(to: ["keys"]).makeAsyncIterator()
        let first = try await server.ready()
        try await self.confirm(first, "keys")
        #expect(await messages.next() == .subscribed)
        try await first.reply(Self.event("message", "keys", "a") + Self.event("message", "keys", "b"))
        #expect(await messages.next() == .message(channel: "keys", [97]))
        #expect(await messages.next() == .message(channel: "keys", [98]))
        first.socket.close()
        #expect(self.isDisconnected(await messages.next()))
        let second = try await server.ready()
        try await self.confirm(second, "keys")
        #expect(await messages.next() == .subscribed)
        await client.close()
        #expect(await messages.next() == nil)
        #expect(await messages.next() == nil)
        await second.waitForEnd()
    }

    @Test func `notices a server that does not answer`() async throws {
        let server = try await ScriptedServer()
        var configuration = server.configuration
        configuration.commandTimeout = .seconds(1)
        configuration.pingInterval = .milliseconds(10)
        let client = try RedisClient(configuration)
        var messages = client.subscribe(to: ["keys"]).makeAsyncIterator()
        let connection = try await server.ready()
        try await self.confirm(connection, "keys")
        #expect(await messages.next() == .subscribed)
        #expect(try await connection.command() == ["PING"])
        try await connection.reply("+PONG\r\n")
        #expect(try await connection.command() == ["PING"])
        #expect(self.isDisconnected(await messages.next()))
        await connection.waitForEnd()
    }

    @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n", "*9999999999\r\n", "-NOPERM no access\r\n"])
    func `gives up a connection over which garbage or an error arrives, and makes a new one`(reply: String) async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        var messages = client.subscribe(to: ["keys"]).makeAsyncIterator()
        let first = try await server.ready()
        _ = try await first.command()
        try await first.reply(reply)
        #expect(self.isDisconnected(await messages.next()))
        await first.waitForEnd()
        let second = try await server.ready()
        try await self.confirm(second, "keys")
        #expect(await messages.next() == .subscribed)
    }

    @Test func `ends when its task is cancelled`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        let task = Task {
            var count = 0
            for await _ in client.subscribe(to: ["keys"]) { count += 1 }
            return count
        }
        let connection = try await server.ready()
        _ = try await connection.command()
        task.cancel()
        #expect(await task.value == 0)
        await connection.waitForEnd()
    }

    @Test func `ends when the iteration does`() async throws {
        let server = try await ScriptedServer()
        let client = try RedisClient(server.configuration)
        let task = Task {
            for await _ in client.subscribe(to: ["keys"]) { break }
        }
        let connection = try await server.ready()
        try await self.confirm(connection, "keys")
        await task.value
        await connection.waitForEnd()
    }

    @Test func `has no elements without channels, or of a closed client`() async throws {
        let client = try RedisClient(RedisConfiguration(host: "127.0.0.1", port: 1))
        for await message in client.subscribe(to: []) { Issue.record("\(message)") }
        await client.close()
        for await message in client.subscribe(to: ["keys"]) { Issue.record("\(message)") }
    }

    @Test func `keeps the newest messages, and reports how many it dropped`() {
        var buffer = SubscriptionBuffer()
        #expect(buffer.next() == nil)
        for number in 0..<66 { buffer.append(.message(channel: "a", [UInt8(number)])) }
        #expect(buffer.next() == .missed(2))
        #expect(buffer.next() == .message(channel: "a", [2]))
        for _ in 0..<63 { _ = buffer.next() }
        #expect(buffer.next() == nil)
    }

    // MARK: Decisions

    private let start = ContinuousClock.now

    private func machine(channels: Int) -> SubscriptionMachine {
        SubscriptionMachine(RedisConfiguration(host: "redis"), channels: channels, at: self.start)
    }

    private func event(_ parts: String...) -> RedisValue { .array(parts.map { .bulkString(Array($0.utf8)) }) }

    @Test func `is in effect when every channel is confirmed`() {
        var machine = self.machine(channels: 2)
        #expect(machine.deadline == self.start + .seconds(3))
        #expect(machine.received(self.event("subscribe", "a", "1"), at: self.start) == .nothing)
        #expect(machine.received(self.event("message", "a", "x"), at: self.start) == .message(channel: "a", [120]))
        #expect(machine.received(self.event("subscribe", "b", "2"), at: self.start) == .subscribed)
        #expect(machine.deadline == self.start + .seconds(10))
    }

    @Test func `fails if the channels are not confirmed or refused`() {
        var machine = self.machine(channels: 1)
        #expect(machine.deadlinePassed(at: self.start) == .fail(RedisError(.connectionFailed, "")))
        let refusal = machine.received(.error("NOPERM no access"), at: self.start)
        #expect(refusal == .fail(RedisError(.commandFailed, "", replyCode: "NOPERM")))
    }

    @Test(arguments: [RedisValue.simpleString("PONG"), .array([.bulkString(Array("pong".utf8)), .bulkString([])])])
    func `sends a ping when nothing is due, and waits for its pong`(pong: RedisValue) {
        var machine = self.machine(channels: 1)
        _ = machine.received(self.event("subscribe", "a", "1"), at: self.start)
        #expect(machine.deadlinePassed(at: self.start + .seconds(10)) == .ping)
        #expect(machine.deadline == self.start + .seconds(13))
        #expect(machine.received(pong, at: self.start + .seconds(11)) == .nothing)
        #expect(machine.deadline == self.start + .seconds(21))
        #expect(machine.deadlinePassed(at: self.start + .seconds(21)) == .ping)
        #expect(machine.deadlinePassed(at: self.start + .seconds(24)) == .fail(RedisError(.connectionFailed, "")))
    }
}
