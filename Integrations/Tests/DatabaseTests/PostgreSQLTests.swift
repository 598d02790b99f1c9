import NIOCore
import PeerSupport
import SecureSockets
import SecureSocketsTesting
import Testing

/// Sessions of our sockets with a PostgreSQL server, whose TLS begins after an agreement on the plain connection.
@Suite(.enabled(if: PostgreSQLServer.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct `A session with PostgreSQL` {
    private let authority: DevelopmentAuthority

    init() throws { self.authority = try DevelopmentAuthority() }

    /// Connects, agrees with the server on TLS, and completes the handshake.
    private func connect(
        to server: RunningServer, host: String = "localhost", trust: TLSTrust? = nil, identity: DevelopmentIdentity? = nil,
        version: TLSProtocolVersion = .tls13
    ) async throws -> SecureSocket {
        let plain = try await PlainSocket.connect(to: "127.0.0.1", port: server.port)
        guard try await PostgreSQLSession.requestTLS(on: plain) else { throw PostgreSQLError.noTLS }
        var parameters = TLSParameters()
        parameters.versions = version...version
        let tls = try TLSClientConfiguration(
            trust: trust ?? self.authority.trust, identity: identity?.identity, parameters: parameters)
        return try await plain.upgrade(tls: tls, host: host)
    }

    /// What the server knows of the connection's TLS.
    private static let view = "SELECT ssl, version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

    @Test(arguments: [(TLSProtocolVersion.tls12, "TLSv1.2"), (.tls13, "TLSv1.3")])
    func `is upgraded to TLS after the server has agreed`(version: TLSProtocolVersion, name: String) async throws {
        try await PostgreSQLServer.run(self.authority) { server in
            let socket = try await self.connect(to: server, version: version)
            #expect(socket.information.version == version)
            #expect(socket.information.verifiedChainLength == 2)

            let session = try await PostgreSQLSession(on: socket, user: PostgreSQLServer.user)
            let view = try await session.query(Self.view)
            try #require(view.count == 1 && view[0].count == 3)
            #expect(view[0][0] == "t")
            #expect(view[0][1] == name)
            // OpenSSL has names of its own for the cipher suites of TLS 1.2.
            if version == .tls13 { #expect(view[0][2] == "\(socket.information.cipherSuite)") }
            try await session.terminate()
        }
    }

    @Test func `carries results and copies of some MB`() async throws {
        try await PostgreSQLServer.run(self.authority) { server in
            let session = try await PostgreSQLSession(on: self.connect(to: server), user: PostgreSQLServer.user)
            let rows = try await session.query("SELECT n, repeat(chr(97 + n % 26), 1000) FROM generate_series(1, 4000) AS n")
            try #require(rows.count == 4000)
            for (index, row) in rows.enumerated() {
                let letter = Character(Unicode.Scalar(UInt8(97 + (index + 1) % 26)))
                try #require(row == ["\(index + 1)", String(repeating: letter, count: 1000)])
            }

            var table = ByteBuffer()
            for number in 0..<20_000 { table.writeString("\(number)\t\(String(repeating: "\(number % 10)", count: 100))\n") }
            _ = try await session.query("CREATE TABLE copied (number integer, text text)")
            try await session.copyIn("COPY copied FROM STDIN", table)
            #expect(try await session.query("SELECT count(*), sum(number) FROM copied") == [["20000", "199990000"]])
            let copy = try await session.copyOut("COPY (SELECT * FROM copied ORDER BY number) TO STDOUT")
            #expect(copy.readableBytes > 2_000_000)
            #expect(copy == table)
            try await session.terminate()
        }
    }

    @Test func `survives an error of a statement`() async throws {
        try await PostgreSQLServer.run(self.authority) { server in
            let session = try await PostgreSQLSession(on: self.connect(to: server), user: PostgreSQLServer.user)
            let error = await #expect(throws: PostgreSQLError.self) { _ = try await session.query("SELECT 1 / 0") }
            #expect(error?.description == "PostgreSQL: division by zero (22012)")
            #expect(try await session.query("SELECT 1, null") == [["1", nil]])
            try await session.terminate()
        }
    }

    @Test func `continues in plain text if the server has no TLS`() async throws {
        try await PostgreSQLServer.run(nil) { server in
            let plain = try await PlainSocket.connect(to: "127.0.0.1", port: server.port)
            #expect(try await !PostgreSQLSession.requestTLS(on: plain))
            let session = try await PostgreSQLSession(on: plain, user: PostgreSQLServer.user)
            #expect(try await session.query(Self.view) == [["f", nil, nil]])
            try await session.terminate()

            // A program that requires TLS sends nothing else.
            let error = await #expect(throws: PostgreSQLError.self) { _ = try await self.connect(to: server) }
            #expect(error?.description == "The server has no TLS")
        }
    }

    @Test func `does not begin if the server's authority is not trusted, or its name is another`() async throws {
        try await PostgreSQLServer.run(self.authority) { server in
            let other = try DevelopmentAuthority(commonName: "Other authority")
            let untrusted = await #expect(throws: SecureSocketError.self) {
                _ = try await self.connect(to: server, trust: other.trust)
            }
            #expect(untrusted?.code == .certificateVerificationFailed)
            #expect(untrusted?.message.contains("(CN=Development authority) is the root of the chain and is not trusted") == true)

            let misnamed = await #expect(throws: SecureSocketError.self) {
                _ = try await self.connect(to: server, host: "database.example")
            }
            #expect(misnamed?.code == .certificateVerificationFailed)
            #expect(misnamed?.message.contains("is not for database.example but for localhost") == true)

            // The server accepts the next client.
            let session = try await PostgreSQLSession(on: self.connect(to: server), user: PostgreSQLServer.user)
            try await session.terminate()
        }
    }

    @Test func `logs in with a client certificate`() async throws {
        try await PostgreSQLServer.run(self.authority, .certificate) { server in
            let guest = try self.authority.client(commonName: PostgreSQLServer.user)
            let session = try await PostgreSQLSession(on: self.connect(to: server, identity: guest), user: PostgreSQLServer.user)
            let user = try await session.query(
                "SELECT current_user, client_dn, client_serial IS NULL FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            #expect(user == [["guest", "/CN=guest", "f"]])
            try await session.terminate()
        }
    }

    @Test func `is refused without a client certificate, or with that of another user`() async throws {
        try await PostgreSQLServer.run(self.authority, .certificate) { server in
            func refusal(of identity: DevelopmentIdentity?) async -> PostgreSQLError? {
                await #expect(throws: PostgreSQLError.self) {
                    _ = try await PostgreSQLSession(on: self.connect(to: server, identity: identity), user: PostgreSQLServer.user)
                }
            }
            let missing = await refusal(of: nil)
            #expect(missing?.description == "PostgreSQL: connection requires a valid client certificate (28000)")
            let other = await refusal(of: try self.authority.client(commonName: "other"))
            #expect(other?.description == #"PostgreSQL: certificate authentication failed for user "guest" (28000)"#)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused with a client certificate of an authority that the server does not trust`(
        version: TLSProtocolVersion
    ) async throws {
        try await PostgreSQLServer.run(self.authority, .certificate) { server in
            let stranger = try DevelopmentAuthority(commonName: "Other authority").client(commonName: PostgreSQLServer.user)
            let error = await #expect(throws: SecureSocketError.self) {
                let socket = try await self.connect(to: server, identity: stranger, version: version)
                _ = try await PostgreSQLSession(on: socket, user: PostgreSQLServer.user)
            }
            #expect(error?.alert == .unknownCA)
            #expect(error?.message.contains("does not trust the authority of this client's certificate (CN=guest)") == true)
        }
    }
}
