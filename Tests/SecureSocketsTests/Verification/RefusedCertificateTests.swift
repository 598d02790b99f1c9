import DevelopmentCertificates
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// Certificates that end the handshake: the error of each end, for every kind of fault.
///
/// One after the other, since a hundred handshakes at a time in a debug build would delay all other tests.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Certificates that are refused` {
    @Test(arguments: VerificationRow.chains + VerificationRow.purposes + VerificationRow.names, TLSProtocolVersion.allCases)
    func `a client refuses a server's`(_ row: VerificationRow, over version: TLSProtocolVersion) async throws {
        let shown = try row.show(.server)
        let encounter = try await Encounter(
            of: TLSClientConfiguration(
                trust: shown.trust, serverName: row.serverName, parameters: .init(version, depth: shown.depth)),
            with: TLSServerConfiguration(identity: shown.identity))

        row.expect(try #require(await encounter.clientRefusal), from: .handshake)

        let server = try #require(encounter.serverRefusal)
        #expect(server.code == .alertReceived)
        #expect(server.alert?.description == row.alert)
        #expect(server.blame == .peer)
        #expect(server.step == .handshake)
    }

    @Test(arguments: VerificationRow.chains, TLSProtocolVersion.allCases)
    func `a server refuses a client's`(_ row: VerificationRow, over version: TLSProtocolVersion) async throws {
        let shown = try row.show(.client)
        let own = try TestCertificates.shared.get()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: own.trust, identity: shown.identity, parameters: .init(version)),
            with: TLSServerConfiguration(
                identity: own.serverIdentity, clients: .optional(trust: shown.trust), parameters: .init(depth: shown.depth)))

        row.expect(try #require(encounter.serverRefusal), from: .handshake)

        // With TLS 1.3 the client's handshake is complete before the server has seen its certificate.
        let client = try #require(await encounter.clientRefusal)
        #expect(client.code == .alertReceived)
        #expect(client.alert?.description == row.alert)
        #expect(client.blame == .peer)
        #expect(client.step == (version == .tls12 ? .handshake : .receiving))
    }

    @Test func `names with control characters, and many of them, are escaped and cut in messages`() async throws {
        let (identity, pem) = try OddCertificate.withControlCharacters()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: .only(.text(pem)), serverName: "localhost"),
            with: TLSServerConfiguration(identity: identity))
        let refusal = try #require(await encounter.clientRefusal)
        let problem = try #require(refusal.certificateProblem)
        #expect(
            problem.description
                == "the peer's certificate (CN=a\\u{9b}2J\\u{202e}z) is not for localhost "
                + "but for a\\u{a}b\\u{1b}[2J.example, 1.example, 2.example, 3.example and 146 more")
        #expect(refusal.message.hasSuffix(problem.description))
        // The properties hold the names unchanged.
        #expect(problem.certificate?.subject == "CN=a\u{9b}2J\u{202e}z")
        #expect(problem.certificate?.dnsNames.first == "a\nb\u{1b}[2J.example")
        #expect(problem.certificate?.dnsNames.count == 150)

        let stranger = try await Encounter(
            of: TestCertificates.shared.get().clientConfiguration(), with: TLSServerConfiguration(identity: identity))
        let untrusted = try #require(await stranger.clientRefusal)
        #expect(untrusted.description.unicodeScalars.allSatisfy { !$0.isUnsafeForDisplay })
    }
}
