import DevelopmentCertificates
import TestSupport
import Testing

@testable import TLSEngine

/// Servers and clients that meet at one place, and the caches of the clients.
struct SessionMeetings {
    let authority: CertificateAuthority
    let keys = TicketKeyRing()

    init() throws { self.authority = try .root() }

    func server(
        _ name: String = "one", keys: TicketKeyRing? = nil, change: (inout TLSSettings) -> Void = { _ in }
    ) throws -> LiveServerContext {
        var settings = TLSSettings(role: .server)
        settings.identity = try Identity(self.authority.issue(commonName: name, names: ["one", "two"]))
        change(&settings)
        return LiveServerContext(try TLSContext(settings), ticketKeys: keys ?? self.keys)
    }

    func client(
        _ cache: SessionCache, _ versions: ClosedRange<TLSVersion> = .v1_2 ... .v1_3,
        change: (inout TLSSettings) -> Void = { _ in }
    ) throws -> TLSContext {
        var settings = TLSSettings(role: .client)
        settings.trust = try TrustStore(.bytes(Array(self.authority.certificatePEM.utf8)))
        settings.verification = .required
        settings.sessionCache = cache
        settings.versions = versions
        change(&settings)
        return try TLSContext(settings)
    }

    /// Shakes hands. No ticket of TLS 1.3 arrives yet.
    func begin(
        _ client: TLSContext, _ server: LiveServerContext, as name: String = "one", at place: String = "there"
    ) async throws -> EnginePair {
        let pair = EnginePair(
            client: try TLSEngine(client: client, serverName: name, expecting: PeerName(name), sessionsOf: place),
            server: try TLSEngine(server: server))
        await pair.shakeHandsDeciding()
        #expect(pair.clientProgress == .complete && pair.serverProgress == .complete)
        return pair
    }

    /// Has the server speak, so that its tickets arrive.
    func deliverTickets(_ pair: EnginePair) throws {
        try pair.server.write("hello")
        _ = pair.move(from: pair.server, to: pair.client)
    }

    /// Meets once, to the end. Returns the reason for a full handshake at the client.
    func meet(
        _ client: TLSContext, _ server: LiveServerContext, as name: String = "one", at place: String = "there"
    ) async throws -> ReasonForFullHandshake? {
        let pair = try await self.begin(client, server, as: name, at: place)
        try self.deliverTickets(pair)
        return try #require(pair.client.negotiated).fullHandshakeReason
    }
}
