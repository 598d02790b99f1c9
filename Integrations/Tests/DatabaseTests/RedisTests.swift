import NIOCore
import PeerSupport
import SecureSockets
import SecureSocketsTesting
import Testing

/// Sessions of our sockets with a Redis server, over TLS and in plain text.
@Suite(.enabled(if: RedisServer.isInstalled, "Redis is not installed"), .timeLimit(.minutes(5)))
struct `A session with Redis` {
    enum Carrier: CaseIterable, Sendable { case tls12, tls13, plain }

    private let authority: DevelopmentAuthority

    init() throws { self.authority = try DevelopmentAuthority() }

    private func connect(
        to server: RunningServer, trust: TLSTrust? = nil, identity: DevelopmentIdentity? = nil,
        version: TLSProtocolVersion = .tls13
    ) async throws -> SecureSocket {
        var parameters = TLSParameters()
        parameters.versions = version...version
        let tls = try TLSClientConfiguration(
            trust: trust ?? self.authority.trust, identity: identity?.identity, parameters: parameters)
        return try await SecureSocket.connect(to: "127.0.0.1", port: server.port, tls: tls)
    }

    private func run(_ carrier: Carrier, _ body: (RedisSession) async throws -> Void) async throws {
        try await RedisServer.run(carrier == .plain ? nil : self.authority) { server in
            let socket: StreamSocket =
                switch carrier {
                case .tls12: try await self.connect(to: server, version: .tls12)
                case .tls13: try await self.connect(to: server)
                case .plain: try await PlainSocket.connect(to: "127.0.0.1", port: server.port)
                }
            let session = RedisSession(socket: socket)
            try await body(session)
            try await session.quit()
        }
    }

    @Test(arguments: Carrier.allCases) func `stores and returns values of up to a MiB`(carrier: Carrier) async throws {
        try await self.run(carrier) { session in
            #expect(try await session.call("PING") == .status("PONG"))
            #expect(try await session.call("GET", ByteBuffer(string: "key")) == .null)
            for length in [0, 1, 16_384, 1 << 20] {
                // All byte values, line breaks included.
                let value = ByteBuffer(bytes: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) })
                #expect(try await session.call("SET", ByteBuffer(string: "key"), value) == .status("OK"))
                #expect(try await session.call("GET", ByteBuffer(string: "key")) == .bytes(value))
            }
            let answer = try await session.call("INCR", ByteBuffer(string: "key"))
            #expect(answer == .error("ERR value is not an integer or out of range"))
        }
    }

    @Test(arguments: Carrier.allCases) func `answers a thousand commands that were sent at once`(carrier: Carrier) async throws {
        try await self.run(carrier) { session in
            let answers = try await session.pipeline((1...500).flatMap { ["INCR counter", "RPUSH list \($0)"] })
            try #require(answers == (1...500).flatMap { [RedisValue.integer($0), .integer($0)] })
            let list = try await session.pipeline(["LRANGE list 0 -1"])
            #expect(list == [.array((1...500).map { .text("\($0)") })])
        }
    }

    @Test func `receives what another session publishes`() async throws {
        try await RedisServer.run(self.authority) { server in
            let subscriber = RedisSession(socket: try await self.connect(to: server))
            let channel = ByteBuffer(string: "news")
            let subscribed = try await subscriber.call("SUBSCRIBE", channel)
            #expect(subscribed == .array([.text("subscribe"), .text("news"), .integer(1)]))

            let publisher = RedisSession(socket: try await self.connect(to: server))
            for number in 1...100 {
                #expect(try await publisher.call("PUBLISH", channel, ByteBuffer(string: "\(number)")) == .integer(1))
                #expect(try await subscriber.receive() == .array([.text("message"), .text("news"), .text("\(number)")]))
            }
            try await publisher.quit()
            try await subscriber.quit()
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases) func `needs a client certificate if the server requires one`(
        version: TLSProtocolVersion
    ) async throws {
        try await RedisServer.run(self.authority, .withCertificate) { server in
            func ping(_ identity: DevelopmentIdentity?) async throws {
                let session = RedisSession(socket: try await self.connect(to: server, identity: identity, version: version))
                #expect(try await session.call("PING") == .status("PONG"))
                try await session.quit()
            }
            try await ping(self.authority.client())

            let missing = await #expect(throws: SecureSocketError.self) { try await ping(nil) }
            #expect(missing?.isClientCertificateMissing == true)
            #expect(missing?.message.contains("it asked for a client certificate and got none") == true)

            let stranger = try DevelopmentAuthority(commonName: "Other authority").client()
            let refused = await #expect(throws: SecureSocketError.self) { try await ping(stranger) }
            #expect(refused?.alert == .unknownCA)
            #expect(refused?.message.contains("does not trust the authority of this client's certificate") == true)

            try await ping(self.authority.client())
        }
    }

    @Test func `does not begin if the server's authority is not trusted`() async throws {
        try await RedisServer.run(self.authority) { server in
            let other = try DevelopmentAuthority(commonName: "Other authority")
            let error = await #expect(throws: SecureSocketError.self) {
                _ = try await self.connect(to: server, trust: other.trust)
            }
            #expect(error?.code == .certificateVerificationFailed)
        }
    }

    @Test func `is possible on another port if the first is in use`() async throws {
        try await RedisServer.run(nil) { first in
            try await RedisServer.run(nil, ports: [first.port] + RunningServer.randomPorts()) { second in
                #expect(second.port != first.port)
                let session = RedisSession(socket: try await PlainSocket.connect(to: "127.0.0.1", port: second.port))
                #expect(try await session.call("PING") == .status("PONG"))
                try await session.quit()
            }
        }
    }
}
