import TestSupport
import Testing

@testable import TLSEngine

/// What a client says about a session that it does not resume. Reasons that depend on the time are in `Sessions`.
@Suite struct `A full handshake's reason at a client is` {
    private let world: SessionMeetings
    private let cache = SessionCache(capacity: 20)

    init() throws { self.world = try SessionMeetings() }

    private func client(_ version: TLSVersion, change: (inout TLSSettings) -> Void = { _ in }) throws -> TLSContext {
        try self.world.client(self.cache, version...version, change: change)
    }

    @Test(arguments: TLSVersion.allCases) func `noSession at first, and nil when the session is resumed`(
        version: TLSVersion
    ) async throws {
        let (client, server) = try (self.client(version), self.world.server())
        #expect(try await self.world.meet(client, server) == .noSession)
        #expect(try await self.world.meet(client, server) == nil)
        #expect(try await self.world.meet(client, server, at: "elsewhere") == .noSession)
        self.cache.removeAll()
        #expect(try await self.world.meet(client, server) == .noSession)
    }

    @Test(arguments: TLSVersion.allCases) func `noSession if the cache had no room for the session`(
        version: TLSVersion
    ) async throws {
        let client = try self.world.client(SessionCache(capacity: 1), version...version)
        let server = try self.world.server()
        #expect(try await self.world.meet(client, server, at: "here") == .noSession)
        #expect(try await self.world.meet(client, server, at: "there") == .noSession)
        #expect(try await self.world.meet(client, server, at: "here") == .noSession)
    }

    @Test(arguments: TLSVersion.allCases) func `disabled if the client resumes none`(version: TLSVersion) async throws {
        let client = try self.client(version) { $0.sessionLifetime = .none }
        #expect(try await self.world.meet(client, self.world.server()) == .disabled)
    }

    @Test(arguments: TLSVersion.allCases) func `notIssued if the server issued none in the connection before`(
        version: TLSVersion
    ) async throws {
        let client = try self.client(version)
        let silent = try self.world.server { $0.sessionLifetime = .none }
        #expect(try await self.world.meet(client, silent) == .noSession)
        #expect(try await self.world.meet(client, silent) == .notIssued)
        // Now it issues one.
        let server = try self.world.server()
        #expect(try await self.world.meet(client, server) == .notIssued)
        #expect(try await self.world.meet(client, server) == nil)
    }

    @Test func `usedUp while other connections use the sessions of TLS 1.3`() async throws {
        let (client, server) = try (self.client(.v1_3), self.world.server())
        #expect(try await self.world.meet(client, server) == .noSession)
        let first = try await self.world.begin(client, server)
        let second = try await self.world.begin(client, server)
        let third = try await self.world.begin(client, server)
        #expect(first.client.negotiated?.fullHandshakeReason == nil)
        #expect(second.client.negotiated?.fullHandshakeReason == .usedUp)
        #expect(third.client.negotiated?.fullHandshakeReason == .usedUp)
        try self.world.deliverTickets(third)
        #expect(try await self.world.meet(client, server) == nil)
    }

    @Test func `notIssued after usedUp if that connection has ended without a ticket`() async throws {
        let (client, server) = try (self.client(.v1_3), self.world.server())
        _ = try await self.world.meet(client, server)
        let resumed = try await self.world.begin(client, server)
        #expect(try await self.world.begin(client, server).client.negotiated?.fullHandshakeReason == .usedUp)
        #expect(try await self.world.begin(client, server).client.negotiated?.fullHandshakeReason == .notIssued)
        try self.world.deliverTickets(resumed)
        #expect(try await self.world.begin(client, server).client.negotiated?.fullHandshakeReason == nil)
    }

    @Test(arguments: TLSVersion.allCases) func `refusedByDecision if the client has a rule for its servers`(
        version: TLSVersion
    ) async throws {
        let client = try self.client(version) { $0.peerDecision = { _, _ in .accept } }
        let server = try self.world.server()
        #expect(try await self.world.meet(client, server) == .refusedByDecision)
        #expect(try await self.world.meet(client, server) == .refusedByDecision)
    }

    @Test(arguments: TLSVersion.allCases) func `differentName if the sessions of the server are of another name`(
        version: TLSVersion
    ) async throws {
        let (client, server) = try (self.client(version), self.world.server())
        _ = try await self.world.meet(client, server, as: "one")
        #expect(try await self.world.meet(client, server, as: "two") == .differentName)
        #expect(try await self.world.meet(client, server, as: "two") == nil)
    }

    @Test(arguments: TLSVersion.allCases) func `differentPolicy if the sessions of the server are of other settings`(
        version: TLSVersion
    ) async throws {
        let server = try self.world.server()
        _ = try await self.world.meet(self.client(version), server)
        let shallow = try self.client(version) { $0.depth = 1 }
        #expect(try await self.world.meet(shallow, server) == .differentPolicy)
        #expect(try await self.world.meet(shallow, server) == nil)
    }

    @Test func `differentVersion if the session is of TLS 1.2 and the handshake of 1.3, or the reverse`() async throws {
        let older = try self.world.server { $0.versions = .v1_2 ... .v1_2 }
        let newer = try self.world.server { $0.versions = .v1_3 ... .v1_3 }
        for (first, second) in [(older, newer), (newer, older)] {
            let client = try self.world.client(SessionCache(capacity: 20))
            _ = try await self.world.meet(client, first)
            #expect(try await self.world.meet(client, second) == .differentVersion)
        }
    }

    @Test(arguments: TLSVersion.allCases) func `declinedByServer if the server has other keys`(version: TLSVersion) async throws {
        let client = try self.client(version)
        _ = try await self.world.meet(client, self.world.server())
        #expect(try await self.world.meet(client, self.world.server(keys: TicketKeyRing())) == .declinedByServer)
    }

    // MARK: What it costs to know

    private func key(_ number: Int, configuration: [UInt8] = []) -> SessionCache.Key {
        SessionCache.Key(configuration: configuration, server: "\(number)", requestedName: nil, expectedName: nil)
    }

    @Test func `known for a bounded number of servers, the latest`() {
        var notes = SessionNotes(capacity: 10)
        for number in 1...1000 {
            notes.completed(self.key(number))
            #expect(notes.count <= 10)
        }
        #expect(notes.reason(for: self.key(1000)) == .notIssued)
        #expect(notes.reason(for: self.key(996)) == .notIssued)
        #expect(notes.reason(for: self.key(1)) == .noSession)
    }

    private enum Event: CaseIterable {
        case taken, expired, completed, ended, displaced

        func happens(to key: SessionCache.Key, in notes: inout SessionNotes) {
            switch self {
            case .taken:
                notes.stored(key)
                notes.taken(key, isLast: true)
            case .expired:
                notes.stored(key)
                notes.expired(key, isLast: true)
            case .completed: notes.completed(key)
            case .ended: notes.endedWithoutTicket(key)
            case .displaced:
                notes.stored(key)
                notes.dropped(key)
            }
        }
    }

    @Test func `the one of the table, for each event in each state`() {
        let key = self.key(1)
        let states: [Event?] = [nil, .taken, .expired, .completed]
        let table: [Event: [ReasonForFullHandshake]] = [
            .taken: [.usedUp, .usedUp, .usedUp, .usedUp],
            .expired: [.expired, .expired, .expired, .expired],
            .completed: [.notIssued, .usedUp, .expired, .notIssued],
            .ended: [.notIssued, .notIssued, .notIssued, .notIssued],
            .displaced: [.noSession, .noSession, .noSession, .noSession],
        ]
        for event in Event.allCases {
            let reasons = states.map { state in
                var notes = SessionNotes(capacity: 10)
                state?.happens(to: key, in: &notes)
                event.happens(to: key, in: &notes)
                return notes.reason(for: key)
            }
            #expect(reasons == table[event], "\(event)")
        }
    }
}
