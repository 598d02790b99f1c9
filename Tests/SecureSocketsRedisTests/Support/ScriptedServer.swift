import NIOCore
import SecureSockets
import Synchronization
import TestSupport
import Testing

@testable import SecureSocketsRedis

/// A server whose part the test plays, one connection after the other. Its port is closed when no reference to it remains.
final class ScriptedServer: Sendable {
    private let listener: PlainListener

    init() async throws {
        self.listener = try await PlainListener.bind(host: "127.0.0.1", port: 0, socketOptions: .patient, options: .patient)
    }

    deinit { self.listener.close() }

    /// The settings of a client of this server, without time limits that a busy machine could exceed.
    var configuration: RedisConfiguration {
        .patient(port: self.listener.localEndpoint.port)
    }

    /// Waits for the next connection.
    func accept() async throws -> ScriptedConnection {
        ScriptedConnection(try await self.listener.accept(timeout: Encounter.patience))
    }

    /// Waits for the next connection, and completes its handshake.
    func ready() async throws -> ScriptedConnection {
        let connection = try await self.accept()
        #expect(try await connection.command() == ["HELLO", "3"])
        try await connection.reply(.hello)
        return connection
    }

    func close() { self.listener.close() }
}

extension RedisConfiguration {
    static func patient(host: String = "127.0.0.1", port: Int) -> RedisConfiguration {
        var configuration = RedisConfiguration(host: host, port: port)
        configuration.connectTimeout = Encounter.patience
        configuration.commandTimeout = Encounter.patience
        configuration.minimumBackoff = .milliseconds(1)
        configuration.maximumBackoff = .milliseconds(1)
        return configuration
    }
}

/// One connection of a `ScriptedServer`.
final class ScriptedConnection: Sendable {
    let socket: PlainSocket
    private let parser = Mutex(RESPParser(maximumSize: 1 << 20))

    init(_ socket: PlainSocket) { self.socket = socket }

    deinit { self.socket.abort() }

    /// Waits for a command.
    func command() async throws -> [String] {
        while true {
            if let value = try self.parser.withLock({ try $0.next() }) {
                return try #require(value.array).map { $0.string ?? "" }
            }
            let bytes = try #require(
                try await self.socket.receive(timeout: Encounter.patience), "the client has ended its stream")
            self.parser.withLock { $0.append(bytes) }
        }
    }

    func reply(_ bytes: String) async throws { try await self.socket.send(bytes, timeout: Encounter.patience) }

    /// Waits until the client has ended the connection, in any way.
    func waitForEnd() async {
        while true {
            do {
                guard try await self.socket.receive(timeout: Encounter.patience) != nil else { return }
            } catch {
                #expect(error.code == .connectionReset)
                return
            }
        }
    }
}

extension String {
    /// The reply to `HELLO 3`.
    static let hello = "%1\r\n$5\r\nproto\r\n:3\r\n"
}

/// Sends a command, and returns the error with which it fails.
func failure(of client: RedisClient, _ command: RedisCommand, timeout: Duration? = nil) async -> RedisError? {
    if case .failure(let error) = await outcome(of: client, command, timeout: timeout) { error } else { nil }
}

/// Sends a command until there is a connection for it, and returns the reply.
func reply(of client: RedisClient, _ command: RedisCommand) async throws -> RedisValue {
    while true {
        let outcome = await outcome(of: client, command, timeout: Encounter.patience)
        if case .failure(let error) = outcome, error.code == .connectionFailed {
            await Task.yield()
        } else {
            return try outcome.get()
        }
    }
}

/// Sends a command, and returns its reply or the error with which it fails.
func outcome(
    of client: RedisClient, _ command: RedisCommand, timeout: Duration?
) async -> Result<RedisValue, RedisError> {
    do {
        return .success(try await client.send(command, timeout: timeout))
    } catch {
        return .failure(error)
    }
}
