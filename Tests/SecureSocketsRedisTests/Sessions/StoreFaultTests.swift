import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSocketsRedis

/// What clients notice of a store of single-use tickets that fails: full handshakes, and nothing else.
@Suite(.serialized, .enabled(if: RunningRedis.isInstalled, "\(RunningRedis.requirement)"), .timeLimit(.minutes(5)))
struct `A server whose store of tickets` {
    enum Fault: CaseIterable, Sendable {
        case stopped, killed, paused, slow, full, garbage

        /// Whether requests are not answered as long as the fault lasts.
        var isSilent: Bool { self == .paused || self == .slow }

        /// Which of the twenty connections after the fault cannot resume. A full store still has the last ticket, and garbage in place of one
        /// concerns no later one.
        var fullHandshakes: Range<Int> {
            switch self {
            case .stopped, .killed, .paused, .slow: 0..<20
            case .full: 1..<20
            case .garbage: 0..<1
            }
        }

        /// The reasons for full handshakes that are possible then.
        var reasons: Set<FullHandshakeReason> {
            switch self {
            // The breaker has opened after five.
            case .stopped, .killed: [.noSession, .storeUnavailable]
            case .paused, .slow: [.noSession, .storeTimedOut, .storeUnavailable]
            case .full: [.noSession, .alreadyUsed]
            case .garbage: [.noSession, .invalidTicket, .alreadyUsed]
            }
        }
    }

    /// A server, its store, and a client.
    private struct Service {
        let redis: RunningRedis
        let administrator: RedisClient
        let tickets: SingleUseTickets
        let listener: SecureListener
        let client: TLSClientConfiguration

        /// - Parameter deadline: The time for which handshakes wait for the store.
        init(deadline: Duration) async throws {
            self.redis = try await RunningRedis()
            self.administrator = try RedisClient(.patient(port: self.redis.port))
            var configuration = RedisConfiguration(host: "127.0.0.1", port: self.redis.port)
            configuration.maximumBackoff = .milliseconds(200)
            let authority = try DevelopmentAuthority()
            var limits = SingleUseTickets.Options()
            limits.deadline = deadline
            self.tickets = SingleUseTickets(store: RedisSessionStore(try RedisClient(configuration)), options: limits)
            var options = ListenerOptions.patient
            options.ticketKeys = TicketKeys(singleUse: self.tickets)
            self.listener = try await SecureListener.bind(
                host: "127.0.0.1", port: 0,
                tls: TLSServerConfiguration(identity: try authority.server(names: ["service.test"]).identity), options: options)
            self.client = try TLSClientConfiguration(
                trust: authority.trust, serverName: "service.test", sessions: TLSSessionCache(), parameters: .init(.tls13))
        }

        /// Connects once, and returns whether a session was resumed.
        func visit() async throws -> Bool {
            async let served: Void = {
                let socket = try await self.listener.accept(timeout: Encounter.patience)
                try await socket.send("x")
                _ = try await socket.receive()
                socket.close()
            }()
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: self.listener.localEndpoint.port, tls: self.client, timeout: Encounter.patience)
            #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
            socket.close()
            try await served
            return socket.information.isResumed
        }

        /// Connects until the store is in use: until a connection has resumed, and its new ticket is stored.
        func visitUntilResumed() async throws {
            try await until { try await self.visit() }
            await until { self.tickets.statistics.requestsInProgress == 0 }
        }

        func inject(_ fault: Fault) async throws {
            switch fault {
            case .stopped: await self.redis.stop()
            case .killed: await self.redis.kill()
            case .paused: try await self.redis.pause()
            case .slow: _ = try await self.administrator.send(RedisCommand("CLIENT", "PAUSE", 600_000, "WRITE"))
            case .full: _ = try await self.administrator.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            case .garbage:
                _ = try await self.administrator.send(
                    RedisCommand(
                        "EVAL", "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('SET', key, 'garbage') end", 0))
            }
        }

        func heal(_ fault: Fault) async throws {
            switch fault {
            case .stopped, .killed: try await self.redis.start()
            case .paused: self.redis.resume()
            case .slow: _ = try await self.administrator.send(RedisCommand("CLIENT", "UNPAUSE"))
            case .full: _ = try await self.administrator.send(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            case .garbage: break
            }
        }
    }

    @Test(arguments: Fault.allCases)
    func `fails makes full handshakes, refuses no client, and resumes sessions when it has recovered`(fault: Fault) async throws {
        // The machine that runs the tests may be busy: a store that answers is given time.
        let service = try await Service(deadline: fault.isSilent ? .milliseconds(50) : .seconds(30))
        try await service.visitUntilResumed()
        let before = service.listener.statistics
        try await service.inject(fault)
        for number in 0..<20 {
            let isResumed = try await service.visit()
            if fault.fullHandshakes.contains(number) { #expect(!isResumed, "connection \(number)") }
            await until { service.tickets.statistics.requestsInProgress == 0 || fault.isSilent }
        }
        let after = service.listener.statistics
        #expect(after.failedHandshakes == [:])
        #expect(after.completedHandshakes == before.completedHandshakes + 20)
        let reasons = after.fullHandshakes.filter { $0.value > before.fullHandshakes[$0.key] ?? 0 }.map(\.key)
        #expect(fault.reasons.isSuperset(of: reasons), "\(reasons)")
        try await service.heal(fault)
        try await service.visitUntilResumed()
        service.listener.close()
    }
}
