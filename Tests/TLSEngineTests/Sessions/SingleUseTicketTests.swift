import DevelopmentCertificates
import TestSupport
import Testing

@testable import TLSEngine

@Suite struct `A single-use ticket` {
    private let authority: CertificateAuthority
    private let secret = TicketSecret(Array(0..<48))

    init() throws { self.authority = try .root() }

    /// A server that has the keys of all others in the test.
    private func server(_ store: ShareStore?, change: (inout TLSSettings) -> Void = { _ in }) throws -> LiveServerContext {
        var settings = TLSSettings(role: .server)
        settings.identity = try Identity(self.authority.issue(commonName: "server", names: ["localhost"]))
        change(&settings)
        return LiveServerContext(
            try TLSContext(settings), ticketKeys: TicketKeyRing(derivedFrom: [self.secret], singleUse: store))
    }

    private func client(_ version: TLSVersion, _ cache: SessionCache = SessionCache(capacity: 10)) throws -> TLSContext {
        var settings = TLSSettings(role: .client)
        settings.identity = try Identity(self.authority.issue(commonName: "client", purposes: [.client]))
        settings.sessionCache = cache
        settings.versions = version...version
        return try TLSContext(settings)
    }

    /// Meets once, and returns the reason at the server; nil if a session was resumed.
    private func meet(_ client: TLSContext, _ server: LiveServerContext) async throws -> ReasonForFullHandshake? {
        let pair = EnginePair(
            client: try TLSEngine(client: client, serverName: "localhost", expecting: nil, sessionsOf: "the service"),
            server: try TLSEngine(server: server))
        await pair.shakeHandsDeciding()
        #expect(pair.serverProgress == .complete)
        try pair.server.write("hello")
        _ = pair.move(from: pair.server, to: pair.client)
        return pair.server.negotiated?.fullHandshakeReason
    }

    @Test(arguments: TLSVersion.allCases) func `is opened by another server with the same keys and store`(
        version: TLSVersion
    ) async throws {
        let store = ShareStore()
        let (one, two, client) = try (self.server(store), self.server(store), self.client(version))
        #expect(try await self.meet(client, one) == .noSession)
        #expect(store.count == 1)
        #expect(try await self.meet(client, two) == nil)
        // In TLS 1.3 a resumed connection has a new ticket.
        #expect(store.count == (version == .v1_3 ? 1 : 0))
        #expect(try await self.meet(client, one) == (version == .v1_3 ? nil : .alreadyUsed))
    }

    @Test(arguments: TLSVersion.allCases) func `is worthless when it was used, also to one who has recorded it`(
        version: TLSVersion
    ) async throws {
        let store = ShareStore()
        let (one, two) = try (self.server(store), self.server(store))
        let client = try self.client(version)
        #expect(try await self.meet(client, one) == .noSession)
        let pair = EnginePair(
            client: try TLSEngine(client: client, serverName: "localhost", expecting: nil, sessionsOf: "the service"),
            server: try TLSEngine(server: two))
        _ = pair.client.handshake()
        let hello = try #require(pair.client.takeOutput())
        for expected in [nil, ReasonForFullHandshake.alreadyUsed] {
            let server = try TLSEngine(server: two)
            server.receive(hello)
            #expect(server.handshake() == .deciding)
            server.decide(try #require(await server.pendingDecision?(remoteAddress: nil)))
            _ = server.handshake()
            #expect(server.reasonToDecline == expected)
        }
    }

    @Test(arguments: TLSVersion.allCases, [ReasonForFullHandshake.storeTimedOut, .storeUnavailable])
    func `costs a full handshake if the store fails, and resumes when it works again`(
        version: TLSVersion, reason: ReasonForFullHandshake
    ) async throws {
        let store = ShareStore()
        let (server, client) = try (self.server(store), self.client(version))
        #expect(try await self.meet(client, server) == .noSession)
        store.fail(reason)
        #expect(try await self.meet(client, server) == reason)
        store.fail(nil)
        #expect(try await self.meet(client, server) == nil)
    }

    @Test(arguments: TLSVersion.allCases) func `is not issued if its share is not kept`(version: TLSVersion) async throws {
        let store = ShareStore()
        store.refuseToKeep()
        let (server, client) = try (self.server(store), self.client(version))
        for _ in 1...2 { #expect(try await self.meet(client, server) == .noSession) }
        #expect(store.lookups == 0)
    }

    @Test(arguments: TLSVersion.allCases) func `is not opened with a share that is not its own`(version: TLSVersion) async throws
    {
        let store = ShareStore()
        let (server, client) = try (self.server(store), self.client(version))
        #expect(try await self.meet(client, server) == .noSession)
        store.falsify()
        #expect(try await self.meet(client, server) == .invalidTicket)
    }

    @Test(arguments: TLSVersion.allCases)
    func `is not accepted by a server without the store, nor another ticket by one with it`(version: TLSVersion) async throws {
        let store = ShareStore()
        var client = try self.client(version)
        #expect(try await self.meet(client, self.server(store)) == .noSession)
        #expect(try await self.meet(client, self.server(nil)) == .storeUnavailable)
        client = try self.client(version)
        #expect(try await self.meet(client, self.server(nil)) == .noSession)
        #expect(try await self.meet(client, self.server(store)) == .differentPolicy)
        #expect(store.lookups == 0)
    }

    @Test(arguments: TLSVersion.allCases)
    func `is looked up once, also if the program decides about the client afterwards`(version: TLSVersion) async throws {
        let store = ShareStore()
        let server = try self.server(store) { settings in
            settings.verification = .required
            settings.trust = try? TrustStore(.bytes(Array(self.authority.certificatePEM.utf8)))
            settings.peerDecision = { _, _ in .accept }
        }
        let client = try self.client(version)
        #expect(try await self.meet(client, server) == .noSession)
        #expect(try await self.meet(client, server) == nil)
        #expect(store.lookups == 1)
    }

    @Test func `cannot be changed`() throws {
        let session = Array("a session".utf8)
        let ticket = try #require(session.withUnsafeBufferPointer { SingleUseTicket(sealing: $0) })
        #expect(ticket.bytes.count == session.count + SingleUseTicket.overhead)
        func open(_ bytes: [UInt8], _ share: [UInt8]) -> String? {
            var bytes = bytes
            let length = bytes.withUnsafeMutableBufferPointer { SingleUseTicket.open($0, with: share) }
            return length.map { String(decoding: bytes.prefix($0), as: UTF8.self) }
        }
        #expect(open(ticket.bytes, ticket.share) == "a session")
        for index in ticket.bytes.indices {
            var changed = ticket.bytes
            changed[index] ^= 1
            #expect(open(changed, ticket.share) == nil)
        }
        #expect(open(ticket.bytes, Array(ticket.share.dropLast())) == nil)
        #expect(open([], ticket.share) == nil)
        #expect(open(ticket.bytes, []) == nil)
    }
}
