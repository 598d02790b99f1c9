import DevelopmentCertificates
import Foundation
import NIOCore
import SecureSockets
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

@testable import TLSEngine

// Serialized: there is one manual clock.
@Suite(.serialized) struct `Sessions` {
    /// A world in which two engines meet again and again, with a clock that stands still until it is set.
    private final class World: Sendable {
        let cache: SessionCache

        init(capacity: Int = 100) {
            self.cache = SessionCache(capacity: capacity)
            ManualClock.time.store(UInt64(Date().timeIntervalSince1970), ordering: .relaxed)
        }

        func pass(seconds: UInt64) { ManualClock.time.wrappingAdd(seconds, ordering: .relaxed) }

        func settings(_ role: TLSSettings.Role, _ lifetime: SessionLifetime) throws -> TLSSettings {
            let certificates = try TestCertificates.shared.get()
            var settings = TLSSettings(role: role)
            settings.sessionLifetime = lifetime
            settings.sessionCache = self.cache
            settings.hasOwnClock = true
            switch role {
            case .client:
                settings.trust = try TrustStore(.bytes(Array(certificates.authority.certificatePEM.utf8)))
                settings.verification = .required
            case .server: settings.identity = certificates.server.identity.identity
            }
            return settings
        }

        /// Meets once; the server speaks first, so that its tickets arrive.
        func meet(
            _ client: TLSContext, _ server: TLSContext, at endpoint: String = "there:443", as name: String = "localhost"
        ) throws -> (client: ResumptionOutcome?, server: ResumptionOutcome?) {
            let pair = try self.shakeHands(client, server, at: endpoint, as: name)
            try self.deliverTickets(pair)
            return (pair.client.negotiated?.resumption, pair.server.negotiated?.resumption)
        }

        /// Meets once with a server whose context can be replaced. Returns what became of the session there.
        func meet(_ client: TLSContext, _ server: LiveServerContext) throws -> ResumptionOutcome? {
            let pair = EnginePair(
                client: try TLSEngine(
                    client: client, serverName: "localhost", expecting: PeerName("localhost"), sessionsOf: "there:443"),
                server: try TLSEngine(server: server))
            pair.shakeHands()
            try self.deliverTickets(pair)
            return pair.server.negotiated?.resumption
        }

        func shakeHands(
            _ client: TLSContext, _ server: TLSContext, at endpoint: String = "there:443", as name: String = "localhost"
        ) throws -> EnginePair {
            let pair = EnginePair(
                client: try TLSEngine(
                    client: client, serverName: name, expecting: PeerName(name), sessionsOf: "\(endpoint) \(name)"),
                server: try TLSEngine(server: server))
            pair.shakeHands()
            return pair
        }

        func deliverTickets(_ pair: EnginePair) throws {
            try pair.server.write("hello")
            _ = pair.move(from: pair.server, to: pair.client)
        }
    }

    @Test(arguments: TLSVersion.allCases, [SessionLifetime.library, .seconds(100)])
    func `are resumed by both sides within their lifetime`(version: TLSVersion, lifetime: SessionLifetime) throws {
        let world = World()
        var settings = try world.settings(.client, lifetime)
        settings.versions = version...version
        let client = try TLSContext(settings)
        let server = try TLSContext(world.settings(.server, lifetime))

        #expect(try world.meet(client, server) == (.notOffered, .notOffered))
        #expect(try world.meet(client, server) == (.resumed, .resumed))
        #expect(try world.meet(client, server) == (.resumed, .resumed))
    }

    @Test(arguments: TLSVersion.allCases)
    func `are forgotten by the client when their lifetime is over`(version: TLSVersion) throws {
        let world = World()
        var settings = try world.settings(.client, .seconds(100))
        settings.versions = version...version
        let client = try TLSContext(settings)
        let server = try TLSContext(world.settings(.server, .library))

        #expect(try world.meet(client, server) == (.notOffered, .notOffered))
        world.pass(seconds: 101)
        let pair = try world.shakeHands(client, server)
        #expect(pair.client.negotiated?.resumption == .notOffered && pair.server.negotiated?.resumption == .notOffered)
        #expect(pair.client.negotiated?.fullHandshakeReason == .expired)
        try world.deliverTickets(pair)
        #expect(try world.meet(client, server) == (.resumed, .resumed))
    }

    @Test(arguments: TLSVersion.allCases)
    func `are not offered by the client if the server's certificate is not accepted any more`(version: TLSVersion) throws {
        let world = World()
        let authority = try CertificateAuthority.root()
        let list = try authority.revocationList(nextUpdate: Date().addingTimeInterval(1000))
        var settings = try world.settings(.server, .library)
        settings.identity = try Identity(authority.issue(commonName: "server", names: ["localhost"]))
        let server = try TLSContext(settings)
        settings = try world.settings(.client, .library)
        settings.versions = version...version
        settings.trust = try TrustStore(.bytes(Array(authority.certificatePEM.utf8)))
        settings.revocation = RevocationCheck(
            lists: try RevocationListStore(.bytes(Array(list.pem.utf8))), extent: .leaf, acceptsOutdated: false,
            acceptsMissing: false)
        let client = try TLSContext(settings)

        #expect(try world.meet(client, server) == (.notOffered, .notOffered))
        #expect(try world.meet(client, server) == (.resumed, .resumed))
        world.pass(seconds: 1001)
        // The full handshake fails for the same reason.
        let pair = try world.shakeHands(client, server)
        #expect(pair.client.reasonNotToOffer == .peerNotAccepted)
        #expect(pair.client.negotiated == nil)
    }

    @Test(arguments: TLSVersion.allCases)
    func `are declined by the server when their lifetime is over`(version: TLSVersion) throws {
        let world = World()
        var settings = try world.settings(.client, .library)
        settings.versions = version...version
        // A client that lives in the past believes that its session is good.
        settings.hasOwnClock = false
        let client = try TLSContext(settings)
        let server = try TLSContext(world.settings(.server, .seconds(100)))

        #expect(try world.meet(client, server) == (.notOffered, .notOffered))
        world.pass(seconds: 101)
        let pair = try world.shakeHands(client, server)
        #expect(pair.server.negotiated?.resumption == .declined && pair.client.negotiated?.resumption == .declined)
        #expect(pair.server.negotiated?.fullHandshakeReason == .expired)
    }

    @Test(arguments: TLSVersion.allCases)
    func `are declined by a server whose clock has not reached the time of their issue`(version: TLSVersion) throws {
        let world = World()
        var settings = try world.settings(.client, .library)
        settings.versions = version...version
        settings.hasOwnClock = false
        let client = try TLSContext(settings)
        let server = try TLSContext(world.settings(.server, .library))

        world.pass(seconds: 5)
        #expect(try world.meet(client, server) == (.notOffered, .notOffered))
        ManualClock.time.wrappingSubtract(5, ordering: .relaxed)
        #expect(try world.shakeHands(client, server).server.negotiated?.fullHandshakeReason == .issuedInFuture)
    }

    @Test(arguments: TLSVersion.allCases)
    func `are resumed for no longer than the server's present settings permit`(version: TLSVersion) throws {
        for (lifetime, permitted) in [(SessionLifetime.seconds(100), UInt64(100)), (.library, version == .v1_2 ? 7200 : 172_800)]
        {
            for (age, isResumed) in [(permitted - 1, true), (permitted, false)] {
                let world = World()
                var settings = try world.settings(.client, .library)
                settings.versions = version...version
                settings.hasOwnClock = false
                let client = try TLSContext(settings)
                let server = LiveServerContext(
                    try TLSContext(world.settings(.server, .seconds(400_000))), ticketKeys: TicketKeyRing())
                #expect(try world.meet(client, server) == .notOffered)
                server.replace(with: try TLSContext(world.settings(.server, lifetime)))
                world.pass(seconds: age)
                #expect(try world.meet(client, server) == (isResumed ? .resumed : .declined), "\(lifetime), \(age) s")
            }
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `are not made where the lifetime is none, on either side`(version: TLSVersion) throws {
        for (clientLifetime, serverLifetime) in [(SessionLifetime.none, SessionLifetime.library), (.library, .none)] {
            let world = World()
            var settings = try world.settings(.client, clientLifetime)
            settings.versions = version...version
            let client = try TLSContext(settings)
            let server = try TLSContext(world.settings(.server, serverLifetime))
            #expect(try world.meet(client, server) == (.notOffered, .notOffered))
            #expect(try world.meet(client, server) == (.notOffered, .notOffered))
            #expect(world.cache.count == 0)
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `are not resumed when the certificate that was verified for them has expired`(version: TLSVersion) throws {
        let world = World()
        let authority = try CertificateAuthority.root()
        let now = Date()
        let leaf = try authority.issue(
            commonName: "server", names: ["localhost"],
            validity: Validity(now.addingTimeInterval(-60)..<now.addingTimeInterval(1000)))
        var settings = try world.settings(.server, .library)
        settings.identity = try Identity(leaf)
        let server = try TLSContext(settings)
        settings = try world.settings(.client, .library)
        settings.versions = version...version
        settings.trust = try TrustStore(.bytes(Array(authority.certificatePEM.utf8)))
        let client = try TLSContext(settings)

        #expect(try world.meet(client, server) == (.notOffered, .notOffered))
        world.pass(seconds: 900)
        #expect(try world.meet(client, server) == (.resumed, .resumed))
        world.pass(seconds: 200)
        #expect(try world.meet(client, server) == (.notOffered, .notOffered))
    }

    @Test func `do not cross between servers, names, or configurations`() throws {
        let world = World()
        let client = try TLSContext(world.settings(.client, .library))
        let server = try TLSContext(world.settings(.server, .library))
        #expect(try world.meet(client, server) == (.notOffered, .notOffered))

        #expect(try world.meet(client, server, at: "elsewhere:443") == (.notOffered, .notOffered))
        #expect(try world.meet(client, server, as: "127.0.0.1").client == .notOffered)
        var lenient = try world.settings(.client, .library)
        lenient.verification = .none
        #expect(try world.meet(TLSContext(lenient), server) == (.notOffered, .notOffered))
        var shallow = try world.settings(.client, .library)
        shallow.depth = 1
        #expect(try world.meet(TLSContext(shallow), server) == (.notOffered, .notOffered))

        // The same settings, built again, are the same configuration.
        let again = try TLSContext(world.settings(.client, .library))
        #expect(try world.meet(again, server) == (.resumed, .resumed))
    }

    @Test func `do not cross between revocation lists, ways to check them, or purposes`() throws {
        let world = World()
        let authority = try TestCertificates.shared.get().authority
        func lists(number: Int) throws -> RevocationListStore {
            try RevocationListStore(.bytes(Array(authority.revocationList(of: [], number: number).utf8)))
        }
        let (one, two) = try (lists(number: 1), lists(number: 2))
        func client(_ check: RevocationCheck?) throws -> TLSContext {
            var settings = try world.settings(.client, .library)
            settings.revocation = check
            return try TLSContext(settings)
        }
        let server = try TLSContext(world.settings(.server, .library))
        let checks: [RevocationCheck?] = [
            nil,
            RevocationCheck(lists: one, extent: .leaf, acceptsOutdated: false, acceptsMissing: false),
            RevocationCheck(lists: two, extent: .leaf, acceptsOutdated: false, acceptsMissing: false),
            RevocationCheck(lists: one, extent: .wholeChain, acceptsOutdated: false, acceptsMissing: false),
            RevocationCheck(lists: one, extent: .leaf, acceptsOutdated: true, acceptsMissing: false),
            RevocationCheck(lists: one, extent: .leaf, acceptsOutdated: false, acceptsMissing: true),
        ]
        for check in checks {
            #expect(try world.meet(client(check), server) == (.notOffered, .notOffered))
            #expect(try world.meet(client(check), server) == (.resumed, .resumed))
        }

        var accepting = try world.settings(.server, .library)
        accepting.acceptsServerCertificatesOfClients = true
        #expect(try world.meet(client(nil), TLSContext(accepting)) == (.declined, .declined))
    }

    @Test func `of another server's making are declined`() throws {
        let world = World()
        let client = try TLSContext(world.settings(.client, .library))
        #expect(try world.meet(client, TLSContext(world.settings(.server, .library))) == (.notOffered, .notOffered))
        #expect(try world.meet(client, TLSContext(world.settings(.server, .library))) == (.declined, .declined))
    }

    @Test func `are kept up to a limit, and the oldest go first`() throws {
        let world = World(capacity: 8)
        let client = try TLSContext(world.settings(.client, .library))
        let server = try TLSContext(world.settings(.server, .library))
        for port in 1...20 { _ = try world.meet(client, server, at: "there:\(port)") }
        #expect(world.cache.count == 8)
        #expect(try world.meet(client, server, at: "there:1").client == .notOffered)
        #expect(try world.meet(client, server, at: "there:20").client == .resumed)
    }

    @Test func `are there for as many connections as a client makes at a time`() throws {
        let world = World()
        let client = try TLSContext(world.settings(.client, .library))
        let server = try TLSContext(world.settings(.server, .library))
        let first = try (1...16).map { _ in try world.shakeHands(client, server) }
        for pair in first { try world.deliverTickets(pair) }
        // Their tickets come after all of them have begun.
        let second = try (1...16).map { _ in try world.shakeHands(client, server) }
        #expect(second.allSatisfy { $0.client.negotiated?.resumption == .resumed })
        for pair in second { try world.deliverTickets(pair) }
        #expect(world.cache.count == 16)
        for _ in 1...3 { _ = try world.meet(client, server) }
        #expect(world.cache.count == 16)
    }

    @Test func `of a server that gives many are not looked at beyond the first few, and displace no other server's`() throws {
        let world = World(capacity: 7)
        let client = try TLSContext(world.settings(.client, .library))
        let modest = try TLSContext(world.settings(.server, .library))
        for port in 1...3 { _ = try world.meet(client, modest, at: "there:\(port)") }
        var settings = try world.settings(.server, .library)
        settings.ticketsGiven = 16
        let generous = try TLSEngine(server: TLSContext(settings))
        let visitor = try TLSEngine(
            client: client, serverName: "localhost", expecting: PeerName("localhost"), sessionsOf: "there:4")
        let pair = EnginePair(client: visitor, server: generous)
        pair.shakeHands()
        try generous.write("hello")
        _ = pair.move(from: generous, to: visitor)
        #expect(visitor.ticketsReceived == 16)
        #expect(visitor.ticketsKept == SessionCache.ticketsPerConnection)
        #expect(world.cache.count == 7)
        for port in 1...3 { #expect(try world.meet(client, modest, at: "there:\(port)").client == .resumed) }
    }
}
