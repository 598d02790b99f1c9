import DevelopmentCertificates
import TestSupport
import Testing

@testable import TLSEngine

/// What a server says about a session that it does not resume. Reasons that depend on the time are in `Sessions`.
@Suite struct `A full handshake's reason at a server is` {
    private let authority: CertificateAuthority
    private let keys = TicketKeyRing()

    init() throws { self.authority = try .root() }

    private func settings(_ names: String...) throws -> TLSSettings {
        var settings = TLSSettings(role: .server)
        settings.identity = try Identity(self.authority.issue(commonName: names[0], names: names))
        return settings
    }

    private func live(_ settings: TLSSettings, keys: TicketKeyRing? = nil) throws -> LiveServerContext {
        LiveServerContext(try TLSContext(settings), ticketKeys: keys ?? self.keys)
    }

    private func client(_ version: TLSVersion, change: (inout TLSSettings) -> Void = { _ in }) throws -> TLSContext {
        var settings = TLSSettings(role: .client)
        settings.identity = try Identity(self.authority.issue(commonName: "client", purposes: [.client]))
        settings.sessionCache = SessionCache(capacity: 10)
        settings.versions = version...version
        change(&settings)
        return try TLSContext(settings)
    }

    /// Meets once, and returns the reason at the server.
    private func meet(_ client: TLSContext, _ server: LiveServerContext, as name: String = "one") async throws
        -> ReasonForFullHandshake?
    {
        let pair = EnginePair(
            client: try TLSEngine(client: client, serverName: name, expecting: nil, sessionsOf: "the server"),
            server: try TLSEngine(server: server))
        await pair.shakeHandsDeciding()
        #expect(pair.serverProgress == .complete)
        try pair.server.write("hello")
        _ = pair.move(from: pair.server, to: pair.client)
        return pair.server.negotiated?.fullHandshakeReason
    }

    /// Meets the first server and then the second, and returns the reason at the second.
    private func reason(
        _ version: TLSVersion, from first: LiveServerContext, at second: LiveServerContext,
        as names: (String, String) = ("one", "one")
    ) async throws -> ReasonForFullHandshake? {
        let client = try self.client(version)
        #expect(try await self.meet(client, first, as: names.0) == .noSession)
        return try await self.meet(client, second, as: names.1)
    }

    @Test(arguments: TLSVersion.allCases) func `nil if a session was resumed`(version: TLSVersion) async throws {
        let server = try self.live(self.settings("one"))
        #expect(try await self.reason(version, from: server, at: server) == nil)
    }

    @Test(arguments: TLSVersion.allCases) func `disabled if the server resumes none`(version: TLSVersion) async throws {
        var settings = try self.settings("one")
        let issuing = try self.live(settings)
        settings.sessionLifetime = .none
        #expect(try await self.reason(version, from: issuing, at: self.live(settings)) == .disabled)
    }

    @Test(arguments: TLSVersion.allCases)
    func `unknownKey, retiredKey or forgotten, by what became of the ticket's key`(version: TLSVersion) async throws {
        let settings = try self.settings("one")
        let server = try self.live(settings)
        #expect(try await self.reason(version, from: server, at: self.live(settings, keys: TicketKeyRing())) == .unknownKey)

        var client = try self.client(version)
        _ = try await self.meet(client, server)
        for _ in 1...TicketKeyRing.mostKeys { self.keys.rotate(now: settings.now()) }
        #expect(try await self.meet(client, server) == .retiredKey)

        client = try self.client(version)
        _ = try await self.meet(client, server)
        self.keys.removeAll(now: settings.now())
        #expect(try await self.meet(client, server) == .forgotten)
    }

    @Test func `known for the latest sixteen keys that were removed`() throws {
        let now: UInt64 = 1_900_000_000
        var ids: [UInt64] = []
        for _ in 1...40 {
            self.keys.rotate(now: now)
            ids.append(try #require(self.keys.sealingKey(now: now)?.id))
        }
        let reasons = ids.map { id -> ReasonForFullHandshake? in
            if case .failure(let failure) = self.keys.openingKey(id, issued: now, now: now) { failure.reason } else { nil }
        }
        #expect(
            reasons == Array(repeating: .unknownKey, count: 16) + Array(repeating: .retiredKey, count: 16)
                + Array(repeating: nil, count: 8))
    }

    @Test(arguments: TLSVersion.allCases)
    func `differentPolicy if the server's settings are others`(version: TLSVersion) async throws {
        var settings = try self.settings("one")
        let first = try self.live(settings)
        settings.applicationProtocols = ["h2"]
        #expect(try await self.reason(version, from: first, at: self.live(settings)) == .differentPolicy)
    }

    @Test(arguments: TLSVersion.allCases)
    func `differentName if the session is of another of the server's identities`(version: TLSVersion) async throws {
        let (one, two) = try (self.settings("one"), self.settings("two"))
        var names = ServerNames(refusesOthers: false)
        _ = names.add("one", try TLSContext(one))
        _ = names.add("two", try TLSContext(two))
        let server = LiveServerContext(try TLSContext(one, serverNames: names), ticketKeys: self.keys)
        #expect(try await self.reason(version, from: server, at: server, as: ("one", "two")) == .differentName)
        #expect(try await self.reason(version, from: server, at: server, as: ("two", "one")) == .differentName)
        #expect(try await self.reason(version, from: server, at: server, as: ("two", "two")) == nil)
    }

    @Test(arguments: TLSVersion.allCases)
    func `differentPolicy if the settings were replaced before the hello arrived`(version: TLSVersion) async throws {
        let server = try self.live(self.settings("one"))
        let client = try self.client(version)
        _ = try await self.meet(client, server)
        let engine = try TLSEngine(server: server)
        server.replace(with: try TLSContext(self.settings("one")))
        let pair = EnginePair(
            client: try TLSEngine(client: client, serverName: "one", expecting: nil, sessionsOf: "the server"), server: engine)
        pair.shakeHands()
        #expect(engine.negotiated?.fullHandshakeReason == .differentPolicy)
    }

    @Test func `differentVersion if the session is of TLS 1.2 and the handshake of 1.3, or the reverse`() async throws {
        var (old, new) = try (self.settings("one"), self.settings("one"))
        old.versions = .v1_2 ... .v1_2
        new.versions = .v1_3 ... .v1_3
        let (older, newer) = try (self.live(old), self.live(new))
        for servers in [(older, newer), (newer, older)] {
            let client = try self.client(.v1_2) { $0.versions = .v1_2 ... .v1_3 }
            #expect(try await self.meet(client, servers.0) == .noSession)
            #expect(try await self.meet(client, servers.1) == .differentVersion)
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `invalidTicket if the ticket was altered or is too short`(version: TLSVersion) throws {
        let server = try self.live(self.settings("one"))
        let engine = try TLSEngine(server: server)
        let key = try #require(self.keys.sealingKey(now: server.current.settings.now()))
        let session = Array("not a session".utf8)
        var ticket = [UInt8](repeating: 0, count: session.count + TicketKey.overhead)
        let issued = server.current.settings.now()
        let sealed = session.withUnsafeBufferPointer { session in
            ticket.withUnsafeMutableBufferPointer { key.seal(session, binding: 0, issued: issued, into: $0) }
        }
        #expect(sealed == ticket.count)
        func reason(_ ticket: [UInt8]) -> ReasonForFullHandshake? {
            var target = [UInt8](repeating: 0, count: ticket.count)
            let opening = ticket.withUnsafeBufferPointer { ticket in
                target.withUnsafeMutableBufferPointer { engine.open(ticket, into: $0) }
            }
            return if case .declined(let reason) = opening { reason } else { nil }
        }
        #expect(reason(ticket) == nil)
        for index in 24..<ticket.count {
            var altered = ticket
            altered[index] ^= 1
            #expect(reason(altered) == .invalidTicket)
        }
        #expect(reason(Array(ticket.prefix(20))) == .invalidTicket)
        #expect(reason([]) == .invalidTicket)
    }

    @Test(arguments: TLSVersion.allCases)
    func `refusedByDecision or peerNotAccepted if the client's certificates are not accepted any more`(
        version: TLSVersion
    ) async throws {
        func server(_ depth: Int, _ decision: PeerDecision?) throws -> LiveServerContext {
            var settings = try self.settings("one")
            settings.verification = .ifGiven
            settings.trust = try TrustStore(.bytes(Array(self.authority.certificatePEM.utf8)))
            settings.depth = depth
            settings.peerDecision = decision
            return try self.live(settings)
        }
        let refusing: PeerDecision = { evidence, _ in
            evidence.isResumption ? .refuse(ProgramRefusal(alert: AlertDescription(code: 49), reason: "no")) : .accept
        }
        let first = try server(5, nil)
        #expect(try await self.reason(version, from: first, at: server(5, refusing)) == .refusedByDecision)

        let client = try self.client(version)
        _ = try await self.meet(client, first)
        let pair = EnginePair(
            client: try TLSEngine(client: client, serverName: "one", expecting: nil, sessionsOf: "the server"),
            server: try TLSEngine(server: server(0, nil)))
        await pair.shakeHandsDeciding()
        // The full handshake fails for the same reason.
        #expect(pair.server.reasonToDecline == .peerNotAccepted)
    }
}
