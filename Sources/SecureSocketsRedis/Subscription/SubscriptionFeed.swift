internal import NIOCore
internal import SecureSockets
internal import Synchronization

/// The connections of one iteration of a subscription: performs what `SubscriptionMachine` decides, and connects again after failures.
final class SubscriptionFeed: Sendable {
    private struct State {
        var buffer = SubscriptionBuffer()
        var waiter: UnsafeContinuation<RedisMessage?, Never>?
        var task: Task<Void, Never>?
        var isEnded = false
    }

    private let configuration: RedisConfiguration
    private let channels: [String]
    private let group: any EventLoopGroup
    private let state = Mutex(State())

    init(_ configuration: RedisConfiguration, _ channels: [String], on group: any EventLoopGroup) {
        self.configuration = configuration
        self.channels = channels
        self.group = group
    }

    // MARK: Calls

    func start() {
        self.state.withLock { state in
            if !state.isEnded { state.task = Task.detached { await self.run() } }
        }
    }

    func next() async -> RedisMessage? {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                // An earlier call of another task ends. Only one at a time is permitted.
                let (former, message) = self.state.withLock {
                    state -> (UnsafeContinuation<RedisMessage?, Never>?, RedisMessage??) in
                    if state.isEnded { return (nil, .some(nil)) }
                    if let message = state.buffer.next() { return (nil, .some(message)) }
                    defer { state.waiter = continuation }
                    return (state.waiter, nil)
                }
                former?.resume(returning: nil)
                if let message { continuation.resume(returning: message) }
            }
        } onCancel: {
            self.end()
        }
    }

    /// Ends the iteration and its connection.
    func end() {
        let (waiter, task) = self.state.withLock { state in
            state.isEnded = true
            state.buffer = SubscriptionBuffer()
            return (state.waiter.take(), state.task.take())
        }
        task?.cancel()
        waiter?.resume(returning: nil)
    }

    private func yield(_ message: RedisMessage) {
        self.state.withLock { state -> UnsafeContinuation<RedisMessage?, Never>? in
            if state.isEnded { return nil }
            if let waiter = state.waiter.take() { return waiter }
            state.buffer.append(message)
            return nil
        }?.resume(returning: message)
    }

    // MARK: Connections

    private func run() async {
        var backoff = Backoff(minimum: self.configuration.minimumBackoff, maximum: self.configuration.maximumBackoff)
        while !Task.isCancelled {
            let start = ContinuousClock.now
            let reason = await self.runConnection()
            if Task.isCancelled { return }
            self.yield(.disconnected(reason))
            // As for the connection of commands (`RedisConnectionMachine`).
            if ContinuousClock.now - start >= self.configuration.connectTimeout + self.configuration.maximumBackoff {
                backoff.reset()
            }
            try? await Task.sleep(for: backoff.next(jitter: .random(in: 0...1)))
        }
    }

    /// Connects and passes messages on. Returns the reason for the end.
    private func runConnection() async -> RedisError {
        do throws(RedisError) {
            let connection = try await RedisConnection.open(self.configuration, on: self.group)
            defer { connection.socket.abort() }
            try await self.read(from: connection)
        } catch {
            return error
        }
    }

    private func read(from connection: RedisConnection) async throws(RedisError) -> Never {
        let server = self.configuration.server
        var parser = connection.parser
        var machine = SubscriptionMachine(self.configuration, channels: self.channels.count, at: .now)
        try await self.send(RedisCommand("SUBSCRIBE", arguments: self.channels), to: connection.socket)
        while true {
            while let value = try Self.next(of: &parser, server) {
                try await self.perform(machine.received(value, at: .now), on: connection.socket)
            }
            if machine.deadline <= .now { try await self.perform(machine.deadlinePassed(at: .now), on: connection.socket) }
            let timeout = max(ContinuousClock.now.duration(to: machine.deadline), .zero)
            let bytes: ByteBuffer?
            do {
                bytes = try await connection.socket.receive(timeout: timeout)
            } catch  where error.code == .timedOut {
                continue
            } catch {
                throw .connectionFailed(error, server: server)
            }
            guard let bytes else { throw .endOfStream(server: server) }
            parser.append(bytes)
        }
    }

    private static func next(of parser: inout RESPParser, _ server: String) throws(RedisError) -> RedisValue? {
        do {
            return try parser.next()
        } catch {
            throw .protocolViolation(error, server: server)
        }
    }

    private func perform(_ decision: SubscriptionMachine.Decision, on socket: StreamSocket) async throws(RedisError) {
        switch decision {
        case .nothing: break
        case .subscribed: self.yield(.subscribed)
        case .message(let channel, let bytes): self.yield(.message(channel: channel, bytes))
        case .ping: try await self.send(RedisCommand("PING"), to: socket)
        case .fail(let error): throw error
        }
    }

    private func send(_ command: RedisCommand, to socket: StreamSocket) async throws(RedisError) {
        do {
            try await socket.send(command.encoded, timeout: self.configuration.commandTimeout)
        } catch {
            throw .connectionFailed(error, server: self.configuration.server)
        }
    }
}
