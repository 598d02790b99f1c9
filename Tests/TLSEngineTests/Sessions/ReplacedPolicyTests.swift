import DevelopmentCertificates
import TestSupport
import Testing

@testable import TLSEngine

@Suite struct `After an update, a session` {
    private let authority: CertificateAuthority
    private let other: CertificateAuthority

    init() throws {
        self.authority = try .root()
        self.other = try .root(commonName: "other clients")
    }

    private func server(trusting authorities: CertificateAuthority...) throws -> TLSContext {
        var settings = TLSSettings(role: .server)
        settings.identity = try Identity(self.authority.issue(commonName: "server", names: ["localhost"]))
        settings.verification = .required
        settings.trust = try TrustStore(.bytes(Array(authorities.map(\.certificatePEM).joined().utf8)))
        return try TLSContext(settings)
    }

    private func client(_ version: TLSVersion) throws -> TLSContext {
        var settings = TLSSettings(role: .client)
        settings.versions = version...version
        settings.identity = try Identity(self.authority.issue(commonName: "client", purposes: [.client]))
        settings.sessionCache = SessionCache(capacity: 10)
        return try TLSContext(settings)
    }

    private func meet(_ client: TLSContext, _ server: LiveServerContext) throws -> TLSEngine {
        let pair = EnginePair(
            client: try TLSEngine(client: client, serverName: "localhost", expecting: nil, sessionsOf: "the server"),
            server: try TLSEngine(server: server))
        pair.shakeHands()
        #expect(pair.serverProgress == .complete)
        try pair.server.write("hello")
        _ = pair.move(from: pair.server, to: pair.client)
        return pair.server
    }

    /// The chain of the full handshake limits the session's lifetime. Without a check, a session could outlive the chain by which the new
    /// rules accept the client.
    @Test(arguments: TLSVersion.allCases)
    func `has its client verified at every resumption, not only at the first`(version: TLSVersion) throws {
        let (client, first, second) = try (
            self.client(version), self.server(trusting: self.authority), self.server(trusting: self.authority, self.other)
        )
        let server = LiveServerContext(first, ticketKeys: TicketKeyRing())
        _ = try self.meet(client, server)
        server.replace(with: second)
        for _ in 1...3 {
            let engine = try self.meet(client, server)
            #expect(engine.negotiated?.resumption == .resumed)
            #expect(engine.bindingOfOpenedTicket == first.binding)
        }
        // A full handshake binds to the new rules.
        let another = try self.client(version)
        _ = try self.meet(another, server)
        #expect(try self.meet(another, server).bindingOfOpenedTicket == second.binding)
    }
}
