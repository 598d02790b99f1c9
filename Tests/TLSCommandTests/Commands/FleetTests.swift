import Foundation
import NIOCore
import SecureSockets
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

@testable import TLSCommand

/// Three servers of one service, each a process of its own, whose sessions a client carries from one to the next.
@Suite(.serialized, .timeLimit(.minutes(10))) struct `Three servers` {
    enum Source: CaseIterable, Sendable {
        case secret, file, redis, singleUse

        var needsRedis: Bool { self == .redis || self == .singleUse }
    }

    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { self.value.load(ordering: .relaxed) }
        func set() { self.value.store(true, ordering: .relaxed) }
    }

    /// The servers of a test, and what they share.
    private struct Fleet: Sendable {
        let certificates: CertificateFiles
        let servers: [Serving]
        let redis: RunningRedis?
        /// The arguments by which the tool finds the keys.
        let place: [String]

        init(_ source: Source) async throws {
            let certificates = try CertificateFiles()
            self.certificates = certificates
            let (keys, secret) = (certificates.folder.path(of: "tickets.key"), certificates.folder.path(of: "ticket-secret"))
            #expect(try await Tool.run("tickets", "new", keys).status == 0)
            #expect(try await Tool.run("tickets", "new", "--as-secret", secret).status == 0)
            var options: [String]
            switch source {
            case .secret:
                self.redis = nil
                options = ["--ticket-secret", secret]
                self.place = []
            case .file:
                self.redis = nil
                options = ["--ticket-keys", keys, "--poll", "0.2"]
                self.place = [keys]
            case .redis, .singleUse:
                // With TLS, a user and a password, as in production.
                var settings = RunningRedis.Options()
                let authority = try DevelopmentAuthority()
                settings.authority = authority
                settings.users = ["default off", "tls on >secret ~tls:* &tls:* +@all -@admin"]
                let redis = try await RunningRedis(settings)
                self.redis = redis
                let url = "rediss://tls:secret@localhost:\(redis.port)"
                let ca = try certificates.folder.write(authority.certificatePEM.utf8, to: "redis-ca.pem")
                options = ["--redis", url, "--redis-ca", ca, "--ticket-secret", secret, "--poll", "0.2"]
                // The machine that runs the tests may be busy; what a store that is too slow costs is tested elsewhere.
                if source == .singleUse { options += ["--single-use-tickets", "--ticket-deadline", "10"] }
                self.place = ["--redis", url, "--ca", ca, "--secret", secret]
            }
            var servers: [Serving] = []
            for _ in 1...3 { servers.append(try await Serving(certificates, options: options)) }
            self.servers = servers
        }

        func client(_ version: TLSProtocolVersion, _ sessions: TLSSessionCache = TLSSessionCache()) throws
            -> TLSClientConfiguration
        {
            try TLSClientConfiguration(
                trust: .only(.file(self.certificates.authority)), serverName: "localhost", sessions: sessions,
                sessionGroup: "the service", parameters: .init(version))
        }

        /// Connects to a server, and returns whether it resumed the session of the one before.
        func visit(_ number: Int, _ client: TLSClientConfiguration) async throws -> Bool {
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: self.servers[number % 3].port, tls: client, timeout: Encounter.patience)
            // The ticket comes before the echo.
            try await socket.send("x")
            #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
            socket.close()
            return socket.information.isResumed
        }

        /// Waits until the servers resume each other's sessions: until all have the keys.
        func ready(_ version: TLSProtocolVersion) async throws {
            try await until {
                let client = try self.client(version)
                _ = try await self.visit(0, client)
                var count = 0
                for number in 1...3 where try await self.visit(number, client) { count += 1 }
                return count == 3
            }
        }
    }

    /// Ends the servers, and returns how often each reason for a full handshake occurred in their logs.
    private func reasons(of fleet: Fleet) async -> [String: Int] {
        struct Line: Decodable { var fullHandshakeReason: String? }
        var counts: [String: Int] = [:]
        for server in fleet.servers {
            server.tool.send(signal: SIGTERM)
            for line in await server.tool.outcome().errors.split(separator: "\n") {
                let reason = (try? JSONDecoder().decode(Line.self, from: Data(line.utf8)))?.fullHandshakeReason
                if let reason { counts[reason, default: 0] += 1 }
            }
        }
        return counts
    }

    /// Returns how many of the returning connections resumed, of clients that visit the servers in turn.
    private func resumptions(
        of fleet: Fleet, clients: Int, visits: Int, _ version: TLSProtocolVersion
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for first in 0..<clients {
                group.addTask {
                    let client = try fleet.client(version)
                    _ = try await fleet.visit(first, client)
                    var count = 0
                    for number in 1...visits where try await fleet.visit(first + number, client) { count += 1 }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
    }

    /// Those that can be tested here.
    private static let sources = Source.allCases.filter { RunningRedis.isInstalled || !$0.needsRedis }

    @Test(arguments: sources)
    func `resume each other's sessions, 999 of 1000 at least`(source: Source) async throws {
        let fleet = try await Fleet(source)
        try await fleet.ready(.tls13)
        let count = try await self.resumptions(of: fleet, clients: 8, visits: 625, .tls13)
        let reasons = await self.reasons(of: fleet)
        #expect(count >= 4995, "\(count) of 5000: \(reasons)")
    }

    @Test(arguments: sources.filter { $0 != .singleUse }) func `resume sessions of TLS 1.2, too`(source: Source) async throws {
        let fleet = try await Fleet(source)
        try await fleet.ready(.tls12)
        #expect(try await self.resumptions(of: fleet, clients: 2, visits: 50, .tls12) == 100)
    }

    @Test(arguments: sources.filter { $0 != .secret })
    func `lose no handshake and no session through three rotations`(source: Source) async throws {
        let fleet = try await Fleet(source)
        try await fleet.ready(.tls13)
        let isOver = Flag()
        async let load: (resumed: Int, all: Int) = withThrowingTaskGroup(of: (Int, Int).self) { group in
            for first in 0..<2 {
                group.addTask {
                    let client = try fleet.client(.tls13)
                    _ = try await fleet.visit(first, client)
                    var (resumed, all) = (0, 0)
                    while !isOver.isSet {
                        all += 1
                        if try await fleet.visit(first + all, client) { resumed += 1 }
                    }
                    return (resumed, all)
                }
            }
            return try await group.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
        }
        for _ in 1...3 {
            let before = try await self.sealing(fleet)
            #expect(try await Tool.run(arguments: ["tickets", "rotate", "--after", "1"] + fleet.place).status == 0)
            try await until { try await self.sealing(fleet) != before }
            // Each server issues tickets with the new key.
            let after = try await self.sealing(fleet)
            for number in 0..<3 {
                try await until {
                    let sessions = TLSSessionCache()
                    _ = try await fleet.visit(number, fleet.client(.tls13, sessions))
                    return sessions.newestTicketName == after
                }
            }
        }
        isOver.set()
        let (resumed, all) = try await load
        let reasons = await self.reasons(of: fleet)
        #expect(Double(resumed) >= 0.999 * Double(all), "\(resumed) of \(all): \(reasons)")
    }

    /// The name of the key that seals, as the tool shows it.
    private func sealing(_ fleet: Fleet) async throws -> String {
        struct Keys: Decodable {
            struct Key: Decodable {
                var name: String
                var use: String
            }
            var keys: [Key]
        }
        let outcome = try await Tool.run(arguments: ["tickets", "show", "--json"] + fleet.place)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let keys = try JSONDecoder().decode(Keys.self, from: Data(outcome.output.utf8))
        return try #require(keys.keys.first { $0.use == "seals" }?.name)
    }

    @Test(.enabled(if: RunningRedis.isInstalled)) func `resume no ticket twice, on whichever machine`() async throws {
        let fleet = try await Fleet(.singleUse)
        try await fleet.ready(.tls13)
        let secret = try TLSSessionCache.Secret(Array(0..<48))
        let sessions = TLSSessionCache()
        _ = try await fleet.visit(0, fleet.client(.tls13, sessions))
        // As an attacker would who has recorded them.
        let copy = try sessions.export(sealedWith: secret, removing: false)
        #expect(try await fleet.visit(1, fleet.client(.tls13, sessions)))
        for number in 0..<6 {
            let stolen = TLSSessionCache()
            #expect(try stolen.restore(copy, sealedWith: secret) == 1)
            #expect(try await !fleet.visit(number, fleet.client(.tls13, stolen)))
        }
    }

    @Test(arguments: sources.filter { $0 != .secret })
    func `forget all sessions by one command`(source: Source) async throws {
        let fleet = try await Fleet(source)
        try await fleet.ready(.tls13)
        let secret = try TLSSessionCache.Secret(Array(0..<48))
        let before = TLSSessionCache()
        for number in 0..<3 { _ = try await fleet.visit(number, fleet.client(.tls13, before)) }
        let copy = try before.export(sealedWith: secret, removing: false)
        let sealing = try await self.sealing(fleet)
        #expect(try await Tool.run(arguments: ["tickets", "forget"] + fleet.place).status == 0)
        let after = try await self.sealing(fleet)
        #expect(after != sealing)
        for number in 0..<3 {
            // The server has the new keys.
            try await until {
                let sessions = TLSSessionCache()
                _ = try await fleet.visit(number, fleet.client(.tls13, sessions))
                return sessions.newestTicketName == after
            }
            let stolen = TLSSessionCache()
            _ = try stolen.restore(copy, sealedWith: secret)
            #expect(try await !fleet.visit(number, fleet.client(.tls13, stolen)))
        }
    }

    /// What an operator does to rotate a secret, and to forget all sessions of derived keys.
    @Test func `read their secrets again on SIGHUP`() async throws {
        let fleet = try await Fleet(.secret)
        let (secret, former) = (fleet.certificates.folder.path(of: "ticket-secret"), fleet.certificates.folder.path(of: "former"))
        #expect(try await Tool.run("tickets", "new", "--as-secret", former).status == 0)
        let server = try await Serving(fleet.certificates, options: ["--ticket-secret", secret, "--ticket-secret", former])
        let port = server.port
        func visit(_ client: TLSClientConfiguration) async throws -> Bool {
            let socket = try await SecureSocket.connect(to: "127.0.0.1", port: port, tls: client, timeout: Encounter.patience)
            try await socket.send("x")
            #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
            socket.close()
            return socket.information.isResumed
        }
        func reload() async throws {
            server.tool.send(signal: SIGHUP)
            _ = try #require(await server.tool.errors.line(with: "reloaded"))
        }
        let client = try fleet.client(.tls13)
        #expect(try await !visit(client))
        #expect(try await visit(client))
        // The secrets change places: what the first one sealed is still opened.
        let contents = try (Data(contentsOf: URL(fileURLWithPath: secret)), Data(contentsOf: URL(fileURLWithPath: former)))
        try contents.1.write(to: URL(fileURLWithPath: secret))
        try contents.0.write(to: URL(fileURLWithPath: former))
        try await reload()
        #expect(try await visit(client))
    }

    @Test func `are compared by the tool`() async throws {
        let fleet = try await Fleet(.secret)
        let stranger = try await Serving(fleet.certificates, options: [])
        func check(_ ports: [Int], _ options: String...) async throws -> Tool.Outcome {
            try await Tool.run(
                arguments: ["fleet", "check"] + ports.map { "127.0.0.1:\($0)" }
                    + ["--ca", fleet.certificates.authority, "--server-name", "localhost"] + options)
        }
        let good = try await check(fleet.servers.map(\.port))
        #expect(good.status == 0, "\(good.output)\(good.errors)")
        #expect(good.output.contains("resumed") && !good.output.contains("full"))

        let bad = try await check([fleet.servers[0].port, stranger.port])
        #expect(bad.status == 1)
        #expect(bad.output.contains("their tickets begin with"))
        #expect(bad.errors.contains("not every session was resumed"))

        let json = try await check([fleet.servers[0].port, stranger.port], "--json")
        struct Matrix: Decodable {
            struct Result: Decodable {
                var version: String
                var issuer: String
                var server: String
                var isResumed: Bool
                var reason: String?
            }
            var isGood: Bool
            var results: [Result]
        }
        let matrix = try JSONDecoder().decode(Matrix.self, from: Data(json.output.utf8))
        #expect(!matrix.isGood)
        #expect(matrix.results.count == 8)
        for result in matrix.results {
            #expect(result.isResumed == (result.issuer == result.server))
            #expect(result.reason == (result.isResumed ? nil : "declinedByServer"))
        }
        let closed = try await check([1])
        #expect(closed.status == 1)
        #expect(closed.output.contains("failed"))
    }
}
