internal import NIOCore
internal import SecureSockets

/// A connection to a server whose handshakes are complete.
struct RedisConnection {
    let socket: StreamSocket
    /// Has the bytes that arrived behind the last reply of the handshake.
    var parser: RESPParser

    /// Connects, with the handshakes of TLS and of Redis, within `connectTimeout`.
    ///
    /// - Throws: ``RedisError``: `connectionFailed`, `authenticationFailed`, `protocolViolation`. Nothing is left open.
    static func open(
        _ configuration: RedisConfiguration, on group: any EventLoopGroup
    ) async throws(RedisError) -> RedisConnection {
        let deadline = ContinuousClock.now + configuration.connectTimeout
        let socket: StreamSocket
        do {
            socket = try await Self.connect(configuration, on: group)
        } catch {
            throw .connectionFailed(error, server: configuration.server)
        }
        var connection = RedisConnection(socket: socket, parser: RESPParser(maximumSize: configuration.maximumReplySize))
        do throws(RedisError) {
            try await connection.shakeHands(configuration, until: deadline)
        } catch {
            socket.abort()
            throw error
        }
        return connection
    }

    private static func connect(
        _ configuration: RedisConfiguration, on group: any EventLoopGroup
    ) async throws(SecureSocketError) -> StreamSocket {
        var options = SocketOptions()
        options.keepAlive = true
        // A server that does not read keeps no socket of this side.
        options.lingerTimeout = min(configuration.commandTimeout, options.lingerTimeout)
        let (endpoint, timeout) = (configuration.endpoint, configuration.connectTimeout)
        if let path = endpoint.unixPath {
            return try await PlainSocket.connect(toUnixSocket: path, socketOptions: options, timeout: timeout, on: group)
        }
        guard let tls = configuration.tls else {
            return try await PlainSocket.connect(
                to: endpoint.host, port: endpoint.port, socketOptions: options, timeout: timeout, on: group)
        }
        return try await SecureSocket.connect(
            to: endpoint.host, port: endpoint.port, tls: tls, socketOptions: options, timeout: timeout, on: group)
    }

    private mutating func shakeHands(
        _ configuration: RedisConfiguration, until deadline: ContinuousClock.Instant
    ) async throws(RedisError) {
        var handshake = RedisHandshake(configuration)
        try await self.send(handshake.first, until: deadline, configuration)
        while true {
            let reply = try await self.receive(until: deadline, configuration)
            // Pushes that have arrived are received without waiting, at any time.
            guard ContinuousClock.now < deadline else {
                throw .timedOut("HELLO", within: configuration.connectTimeout, server: configuration.server)
            }
            if case .push = reply { continue }
            switch handshake.received(reply) {
            case .ready: return
            case .fail(let error): throw error
            case .send(let command): try await self.send(command, until: deadline, configuration)
            }
        }
    }

    private func send(
        _ command: RedisCommand, until deadline: ContinuousClock.Instant, _ configuration: RedisConfiguration
    ) async throws(RedisError) {
        do {
            try await self.socket.send(command.encoded, timeout: max(ContinuousClock.now.duration(to: deadline), .zero))
        } catch {
            throw Self.error(error, configuration)
        }
    }

    private mutating func receive(
        until deadline: ContinuousClock.Instant, _ configuration: RedisConfiguration
    ) async throws(RedisError) -> RedisValue {
        while true {
            do {
                if let value = try self.parser.next() { return value }
            } catch {
                throw .protocolViolation(error, server: configuration.server)
            }
            let timeout = max(ContinuousClock.now.duration(to: deadline), .zero)
            let bytes: ByteBuffer?
            do {
                bytes = try await self.socket.receive(timeout: timeout)
            } catch {
                throw Self.error(error, configuration)
            }
            guard let bytes else { throw .endOfStream(server: configuration.server) }
            self.parser.append(bytes)
        }
    }

    private static func error(_ error: SecureSocketError, _ configuration: RedisConfiguration) -> RedisError {
        guard error.code == .timedOut else { return .connectionFailed(error, server: configuration.server) }
        return RedisError(
            .connectionFailed,
            "\(configuration.server) did not complete the handshake of Redis within \(configuration.connectTimeout.roundedText)",
            advice: "Check that a Redis or Valkey server listens there, and whether it expects TLS", cause: error)
    }
}
