import DevelopmentCertificates
import Foundation
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// A session must be resumed only where a full handshake would have accepted the same client and shown it the same server. Where servers
/// share ticket keys, this was violated by nginx (CVE-2025-23419), Apache httpd (CVE-2025-23048) and Go (CVE-2025-68121): a client with a
/// certificate for one virtual host was admitted to another.
@Suite struct `A session does not cross identities` {
    /// The servers between which a client tries to carry its session.
    enum Policy: Int, CaseIterable, CustomTestStringConvertible {
        case plain, otherIdentity, byName, requiresClient, requiresOtherClient, asksForClient, otherProtocol, otherVersion
        case admitsClient, rejectsClient, shortChains
        case refusesOtherNames, selected, revokesClient, acceptsServersAsClients, requiresProtocol

        var testDescription: String { "\(self)" }

        /// Whether the requested name makes a difference.
        var looksAtNames: Bool { [.byName, .refusesOtherNames, .selected].contains(self) }
        /// The policies that accept this client.
        static func accepting(_ client: Client) -> [Policy] {
            let always: [Policy] = [
                .plain, .otherIdentity, .byName, .otherProtocol, .refusesOtherNames, .selected, .requiresProtocol,
            ]
            return switch client {
            case .known: always + [.requiresClient, .asksForClient, .admitsClient, .acceptsServersAsClients]
            case .ofOtherAuthority: always + [.requiresOtherClient]
            case .forServersOnly: always + [.acceptsServersAsClients]
            case .withoutCertificate: always + [.asksForClient]
            }
        }
    }

    /// The certificates of the clients.
    enum Client: CaseIterable, Sendable {
        case known, ofOtherAuthority, forServersOnly, withoutCertificate
    }

    /// The authorities and identities of one test.
    private struct World {
        let clients: CertificateAuthority
        let otherClients: CertificateAuthority
        let a: Identity
        let b: Identity
        let certificates: [Client: Identity]
        let revocation: RevocationListStore
        let version: TLSVersion

        init(_ version: TLSVersion) throws {
            self.version = version
            let servers = try CertificateAuthority.root()
            self.clients = try .root(commonName: "clients")
            self.otherClients = try .root(commonName: "other clients")
            self.a = try Identity(servers.issue(commonName: "a.example", names: ["a.example"]))
            self.b = try Identity(servers.issue(commonName: "b.example", names: ["b.example"]))
            let intermediate = try self.clients.intermediate(commonName: "clients 1")
            let known = try intermediate.issue(commonName: "client", purposes: [.client])
            self.certificates = [
                .known: try Identity(known),
                .ofOtherAuthority: try Identity(self.otherClients.issue(commonName: "client", purposes: [.client])),
                .forServersOnly: try Identity(intermediate.issue(commonName: "client", purposes: [.server])),
            ]
            let list = try intermediate.revocationList(
                revoking: [.init(serialNumber: known.certificate.serialNumber, date: Date(timeIntervalSinceNow: -60))])
            self.revocation = try RevocationListStore(.bytes(Array(list.pem.utf8)))
        }

        func contexts() throws -> [Policy: TLSContext] {
            try Dictionary(uniqueKeysWithValues: Policy.allCases.map { ($0, try self.context($0)) })
        }

        func context(_ policy: Policy) throws -> TLSContext {
            var settings = TLSSettings(role: .server)
            settings.identity = self.a
            func verify(_ verification: TLSSettings.PeerVerification, _ authority: CertificateAuthority) throws {
                settings.verification = verification
                settings.trust = try TrustStore(.bytes(Array(authority.certificatePEM.utf8)))
            }
            switch policy {
            case .plain: break
            case .otherIdentity: settings.identity = self.b
            case .byName:
                var names = ServerNames(refusesOthers: false)
                var other = settings
                other.identity = self.b
                _ = names.add("a.example", try TLSContext(settings))
                _ = names.add("b.example", try TLSContext(other))
                return try TLSContext(settings, serverNames: names)
            case .requiresClient: try verify(.required, self.clients)
            case .requiresOtherClient: try verify(.required, self.otherClients)
            case .asksForClient: try verify(.ifGiven, self.clients)
            case .otherProtocol: settings.applicationProtocols = ["h2"]
            case .otherVersion: settings.versions = self.version == .v1_2 ? .v1_3 ... .v1_3 : .v1_2 ... .v1_2
            case .admitsClient:
                try verify(.required, self.clients)
                settings.peerDecision = { _, _ in .accept }
            case .rejectsClient:
                try verify(.required, self.clients)
                settings.peerDecision = { _, _ in .refuse(ProgramRefusal(alert: AlertDescription(code: 49), reason: "no")) }
            case .shortChains:
                try verify(.required, self.clients)
                settings.depth = 1
            case .refusesOtherNames:
                var names = ServerNames(refusesOthers: true)
                _ = names.add("a.example", try TLSContext(settings))
                return try TLSContext(settings, serverNames: names)
            case .selected:
                var other = settings
                other.identity = self.b
                let (a, b) = (try TLSContext(settings), try TLSContext(other))
                settings.identitySelector = { hello, _ in .use(hello.serverName == "b.example" ? b : a) }
            case .revokesClient:
                try verify(.required, self.clients)
                settings.revocation = RevocationCheck(
                    lists: self.revocation, extent: .leaf, acceptsOutdated: false, acceptsMissing: true)
            case .acceptsServersAsClients:
                try verify(.required, self.clients)
                settings.acceptsServerCertificatesOfClients = true
            case .requiresProtocol:
                settings.applicationProtocols = ["h2"]
                settings.requiresApplicationProtocol = true
            }
            return try TLSContext(settings)
        }

        /// A client that offers whatever session it has to any server, whatever the names.
        func clientContext(_ client: Client = .known) throws -> TLSContext {
            var settings = TLSSettings(role: .client)
            settings.identity = self.certificates[client]
            settings.sessionCache = SessionCache(capacity: 10)
            settings.versions = self.version...self.version
            settings.applicationProtocols = ["h2", "http/1.1"]
            return try TLSContext(settings)
        }
    }

    /// What a client learns about a server, and a server about its client.
    private struct Meeting: Equatable {
        var serverCertificate: DecodedCertificate?
        var clientCertificate: DecodedCertificate?
        var isResumed = false
        var isAccepted = false
    }

    private func meet(_ client: TLSContext, _ server: LiveServerContext, as name: String) async throws -> Meeting {
        let pair = EnginePair(
            client: try TLSEngine(client: client, serverName: name, expecting: nil, sessionsOf: "anybody"),
            server: try TLSEngine(server: server))
        await pair.shakeHandsDeciding()
        guard pair.serverProgress == .complete, pair.clientProgress == .complete else { return Meeting() }
        try pair.server.write("hello")
        _ = pair.move(from: pair.server, to: pair.client)
        return Meeting(
            serverCertificate: pair.client.negotiated?.peerCertificates.first,
            clientCertificate: pair.server.negotiated?.peerCertificates.first,
            isResumed: pair.server.negotiated?.resumption == .resumed, isAccepted: true)
    }

    enum Way: CaseIterable, Sendable {
        case update, sharedKeys, derivedKeys, givenKeys, singleUse

        /// Whether the names are tested in pairs as well. The three kinds of keys do not differ in that.
        var separatesNames: Bool { self == .update || self == .singleUse }

        private static let secret = TicketSecret(Array(0..<48))
        private static let givenKey = GivenTicketKey(
            id: 1, secret: secret, times: TicketKeyTimes(sealsFrom: 0, sealsUntil: .max, opensUntil: .max))

        /// - Parameter store: What the two servers have in common.
        func ticketKeys(_ store: ShareStore) -> TicketKeyRing {
            switch self {
            case .update, .sharedKeys: return TicketKeyRing()
            case .derivedKeys: return TicketKeyRing(derivedFrom: [Self.secret])
            case .givenKeys:
                let ring = TicketKeyRing()
                ring.replaceKeys(with: [Self.givenKey])
                return ring
            case .singleUse: return TicketKeyRing(derivedFrom: [Self.secret], singleUse: store)
            }
        }
    }

    /// Has a client meet two servers in succession, for every pair of policies, and compares the second meeting with that of a client without
    /// a session. Returns the policies between which sessions were resumed.
    private func cross(_ world: World, _ way: Way, as kind: Client) async throws -> [Policy: Set<Policy>] {
        var resumptions: [Policy: Set<Policy>] = [:]
        let (firsts, seconds) = (try world.contexts(), try world.contexts())
        let isThorough = way == .sharedKeys && kind == .known
        for second in Policy.allCases {
            let context = try #require(seconds[second])
            var full: [String: Meeting] = [:]
            for name in ["a.example", "b.example"] {
                let server = LiveServerContext(context, ticketKeys: TicketKeyRing())
                let meeting = try await self.meet(world.clientContext(kind), server, as: name)
                #expect(!meeting.isResumed)
                full[name] = meeting
            }
            // A server that refuses a client gives it no session, which is tested in one way only.
            for first in isThorough ? Policy.allCases : Policy.accepting(kind) {
                // Names make a difference only to the policies that look at them.
                let isByName = (isThorough || way.separatesNames) && (first.looksAtNames || second.looksAtNames)
                for names in [("a.example", "a.example"), ("a.example", "b.example"), ("b.example", "a.example")]
                where isByName || names.0 == names.1 {
                    let client = try world.clientContext(kind)
                    let store = ShareStore()
                    let one = LiveServerContext(try #require(firsts[first]), ticketKeys: way.ticketKeys(store))
                    let earlier = try await self.meet(client, one, as: names.0)
                    let other: LiveServerContext
                    switch way {
                    case .update:
                        one.replace(with: context)
                        other = one
                    case .sharedKeys: other = LiveServerContext(context, ticketKeys: one.ticketKeys)
                    case .derivedKeys, .givenKeys, .singleUse:
                        other = LiveServerContext(context, ticketKeys: way.ticketKeys(store))
                    }
                    let later = try await self.meet(client, other, as: names.1)
                    var expected = try #require(full[names.1])
                    // Whatever the client offers, it gets what a client without a session gets.
                    expected.isResumed = later.isResumed
                    #expect(later == expected, "\(first) to \(second), \(names)")
                    guard later.isResumed else { continue }
                    resumptions[first, default: []].insert(second)
                    #expect(earlier.serverCertificate == later.serverCertificate, "\(first) to \(second), \(names)")
                }
            }
        }
        return resumptions
    }

    @Test(arguments: TLSVersion.allCases, Way.allCases)
    func `for every pair of policies, with an update, and with ticket keys in common`(
        version: TLSVersion, way: Way
    ) async throws {
        let resumptions = try await self.cross(World(version), way, as: .known)
        // Where nothing differs that matters, sessions are resumed.
        for policy in Policy.accepting(.known) { #expect(resumptions[policy]?.contains(policy) == true, "\(policy)") }
        #expect(resumptions[.requiresClient]?.contains(.admitsClient) == true)
        #expect(resumptions[.admitsClient]?.contains(.requiresClient) == true)
        #expect(resumptions[.requiresClient]?.contains(.acceptsServersAsClients) == true)
        #expect(resumptions[.plain]?.contains(.byName) == true)
        #expect(resumptions[.plain]?.contains(.selected) == true)
        #expect(resumptions.values.allSatisfy { !$0.contains(.revokesClient) })
    }

    /// Sessions of clients that few policies accept.
    @Test(arguments: TLSVersion.allCases, Client.allCases.filter { $0 != .known })
    func `whatever the client's certificate is`(version: TLSVersion, client: Client) async throws {
        let resumptions = try await self.cross(World(version), .sharedKeys, as: client)
        let accepting = Policy.accepting(client)
        for policy in accepting { #expect(resumptions[policy]?.contains(policy) == true, "\(policy)") }
        #expect(Set(resumptions.keys).isSubset(of: accepting))
        #expect(resumptions.values.allSatisfy { $0.isSubset(of: accepting) })
    }

    @Test(arguments: TLSVersion.allCases)
    func `between the names of one listener`(version: TLSVersion) async throws {
        let world = try World(version)
        let server = LiveServerContext(try world.context(.byName), ticketKeys: TicketKeyRing())
        let client = try world.clientContext()
        #expect(try await !self.meet(client, server, as: "a.example").isResumed)
        #expect(try await !self.meet(client, server, as: "b.example").isResumed)
        #expect(try await self.meet(client, server, as: "b.example").isResumed)
        let back = try await self.meet(client, server, as: "a.example")
        #expect(!back.isResumed && back.serverCertificate?.subject == "CN=a.example")
    }

    /// A connection that was created before an update, and whose hello arrives after it, belongs to the new policy: also a session that
    /// BoringSSL itself keeps for a client without tickets.
    @Test(arguments: TLSVersion.allCases, Policy.allCases)
    func `when the policy changes between the connection and its hello`(version: TLSVersion, second: Policy) async throws {
        let world = try World(version)
        let context = try world.context(second)
        let full = try await self.meet(
            world.clientContext(), LiveServerContext(context, ticketKeys: TicketKeyRing()), as: "a.example")
        for first in Policy.accepting(.known) {
            let client = try world.clientContext()
            let server = LiveServerContext(try world.context(first), ticketKeys: TicketKeyRing())
            _ = try await self.meet(client, server, as: "a.example")
            let pair = EnginePair(
                client: try TLSEngine(client: client, serverName: "a.example", expecting: nil, sessionsOf: "anybody"),
                server: try TLSEngine(server: server))
            server.replace(with: context)
            await pair.shakeHandsDeciding()
            #expect((pair.serverProgress == .complete) == full.isAccepted, "\(first)")
            guard full.isAccepted else { continue }
            // BoringSSL would look for sessions by the former context.
            #expect(pair.server.negotiated?.resumption != .resumed, "\(first)")
            #expect(pair.client.negotiated?.peerCertificates.first == full.serverCertificate, "\(first)")
            #expect(pair.server.negotiated?.peerCertificates.first == full.clientCertificate, "\(first)")
        }
    }
}
