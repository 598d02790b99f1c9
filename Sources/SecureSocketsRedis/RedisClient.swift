public import SecureSockets
internal import Synchronization

/// A client of a Redis or Valkey server, over one connection that all callers share.
///
/// ```swift
/// let redis = try RedisClient(RedisConfiguration(url: "rediss://:secret@redis.example"))
/// let token = try await redis.send(RedisCommand("GETDEL", "token:4711")).bytes
/// await redis.close()
/// ```
///
/// The client connects when the first command is sent. Commands are written in the order of their calls, without waiting for replies
/// (pipelining), and several of them in one write where possible. Do not send commands that block the connection (BLPOP, WAIT) or change
/// its state (SELECT, MULTI, SUBSCRIBE): it belongs to all callers.
///
/// **A failure is reported at once.** Each command has a deadline, whether the server replies or not. While there is no connection because
/// the last one failed, commands are refused with the last failure; the client connects again in the background, after random delays
/// that grow. No command is sent twice.
///
/// A client that is deallocated is closed.
public final class RedisClient: Sendable {
    private let core: ClientCore

    /// The settings of the client.
    public var configuration: RedisConfiguration { self.core.configuration }

    /// Creates a client. It does not connect yet.
    ///
    /// - Parameters:
    ///   - configuration: The server, the credentials and the limits.
    ///   - group: The event loops from which one is chosen for a connection.
    /// - Throws: ``RedisError`` with the code `invalidConfiguration`, which names the setting at fault.
    public init(
        _ configuration: RedisConfiguration, on group: any EventLoopGroup = SocketEventLoopGroup.shared
    ) throws(RedisError) {
        self.core = ClientCore(try configuration.validated(), on: group)
    }

    deinit { self.core.close() }

    /// Sends a command and waits for its reply.
    ///
    /// Cancelling the task ends the wait at once. Whether the server executes the command is then unknown, as after a timeout; a reply that
    /// arrives later is discarded.
    ///
    /// - Parameters:
    ///   - command: The command.
    ///   - timeout: The time limit, with connecting if that is necessary. Default: nil; ``RedisConfiguration/commandTimeout``.
    /// - Returns: The reply.
    /// - Throws: ``RedisError``: `commandFailed` if the reply is an error, `timedOut`, `connectionFailed`, `authenticationFailed`,
    ///   `queueFull`, `protocolViolation`, `cancelled`, `closed`.
    @discardableResult
    public func send(_ command: RedisCommand, timeout: Duration? = nil) async throws(RedisError) -> RedisValue {
        let core = self.core
        let timeout = min(timeout ?? core.configuration.commandTimeout, RedisConfiguration.longestTime)
        if Task.isCancelled { throw .cancelled(command.name) }
        let id = core.nextID()
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                core.submit(command, id: id, timeout: timeout, continuation)
                // The handler may have run before the command was submitted.
                if Task.isCancelled { core.cancel(id) }
            }
        } onCancel: {
            core.cancel(id)
        }
        // Keeps the client until the reply has arrived, because `deinit` closes it.
        defer { withExtendedLifetime(self) {} }
        switch outcome {
        case .reply(.error(let text)): throw .commandFailed(command.name, reply: text, server: core.server)
        case .reply(let value): return value
        case .timedOut: throw .timedOut(command.name, within: timeout, server: core.server)
        case .cancelled: throw .cancelled(command.name)
        case .failed(let error): throw error
        }
    }

    /// Subscribes to channels, over a second connection.
    ///
    /// Each iteration has its own connection, which is made when the iteration begins. When it is lost, it is made again, after delays that
    /// grow, until the iteration ends, its task is cancelled, or the client is closed. The sequence has the messages that arrive while
    /// there is a connection; ``RedisMessage`` says where some may be missing. At most 64 messages wait for the iteration; older ones are
    /// dropped.
    ///
    /// - Parameter channels: The names of the channels. Without any, the sequence is empty.
    public func subscribe(to channels: [String]) -> RedisSubscription {
        RedisSubscription(client: self, channels: channels)
    }

    /// Closes the client: commands that wait fail with `closed`, and subscriptions end. Returns when the connection attempt or the
    /// connection has been ended. Closing a client again has no effect.
    public func close() async {
        await self.core.close()?.value
    }

    /// Records a subscription, which ends when the client is closed. Returns false if that has happened already.
    func begin(_ feed: SubscriptionFeed) -> Bool { self.core.begin(feed) }

    func end(_ feed: SubscriptionFeed) { self.core.end(feed) }

    var group: any EventLoopGroup { self.core.group }
}
