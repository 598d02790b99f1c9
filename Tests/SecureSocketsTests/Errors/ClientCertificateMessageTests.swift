import DevelopmentCertificates
import NIOCore
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// The messages of both ends about a client certificate that is missing or refused, and about a server's that is refused.
@Suite(.timeLimit(.minutes(5))) struct `Messages about certificates that the peer judges` {
    /// A client's error without the server's address.
    private func text(_ error: SecureSocketError) -> String {
        error.description.replacing(#/^127\.0\.0\.1:\d+/#, with: "PEER")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a client that shows none to a server that requires one`(over version: TLSProtocolVersion) async throws {
        let own = try TestCertificates.shared.get()
        let encounter = try await Encounter(
            of: own.clientConfiguration(parameters: .init(version)),
            with: TLSServerConfiguration(identity: own.serverIdentity, clients: .required(trust: own.trust)))
        let client = try #require(await encounter.clientRefusal)
        let alert = version == .tls12 ? "handshake_failure" : "certificate_required"
        #expect(client.code == .alertReceived)
        #expect(client.alert?.description == alert)
        #expect(client.isClientCertificateMissing)
        #expect(
            self.text(client)
                == "PEER refused the connection: it asked for a client certificate issued by CN=Test authority and got none (\(alert)). "
                + "Give the configuration an identity that the server accepts")
        let server = try #require(encounter.serverRefusal)
        #expect(server.code == .protocolError)
        #expect(server.isClientCertificateMissing)
        #expect(
            self.text(server)
                == "PEER: it showed no certificate, and one is required. "
                + "Give the client a certificate of an authority that this server trusts (CN=Test authority)")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a client whose certificate is of another authority`(over version: TLSProtocolVersion) async throws {
        let own = try TestCertificates.shared.get()
        let others = try (1...6).map { try CertificateAuthority.root(commonName: "Authority \($0)") }
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: own.trust, identity: own.clientIdentity, parameters: .init(version)),
            with: TLSServerConfiguration(
                identity: own.serverIdentity, clients: .required(trust: .only(.text(others.map(\.certificatePEM).joined())))))
        let client = try #require(await encounter.clientRefusal)
        #expect(client.alert?.description == "unknown_ca")
        #expect(!client.isClientCertificateMissing)
        #expect(
            self.text(client)
                == "PEER refused the connection: it does not trust the authority of this client's certificate (CN=client) "
                + "(unknown_ca). Use a certificate of an authority that the server trusts (CN=Authority 1, CN=Authority 2, "
                + "CN=Authority 3, CN=Authority 4 or one of 2 more), and send the whole chain")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a server whose certificate the client refuses`(over version: TLSProtocolVersion) async throws {
        let own = try TestCertificates.shared.get()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: CertificateAuthority.root().trust, parameters: .init(version)),
            with: own.serverConfiguration())
        let server = try #require(encounter.serverRefusal)
        #expect(server.alert?.description == "unknown_ca")
        #expect(
            self.text(server)
                == "PEER refused the connection: it does not trust the authority of this server's certificate (CN=localhost) "
                + "(unknown_ca). Have the client trust the authority of this server, and send the whole chain")
        #expect(!server.isClientCertificateMissing)
    }

    /// Whatever alert a server chooses.
    @Test(
        arguments: [
            (
                40,
                "it asked for a client certificate, got (CN=client), and does not say why it refuses it (handshake_failure). The server's log "
                    + "may say more. Was the certificate issued by an authority that it accepts (CN=A or CN=B)?"
            ),
            (
                42,
                "it does not accept this client's certificate (CN=client) (bad_certificate). The server's log may say why: it may be of "
                    + "another authority, expired, or not for clients"
            ),
            (
                43,
                "this client's certificate (CN=client) is of a kind that it does not support, or not for this purpose "
                    + "(unsupported_certificate). The server's log may say why: it may be of another authority, expired, or not for clients"
            ),
            (44, "this client's certificate (CN=client) has been revoked (certificate_revoked). Have a new certificate issued"),
            (
                45,
                "this client's certificate (CN=client) has expired, or is not valid yet, by its clock (certificate_expired). "
                    + "Renew the certificate, and check the clocks of both sides"
            ),
            (
                46,
                "it refused this client's certificate (CN=client) without saying why (certificate_unknown). The server's log may say why: "
                    + "it may be of another authority, expired, or not for clients"
            ),
            (
                49,
                "it does not grant access with this client's certificate (CN=client) (access_denied). Use a certificate of an authority "
                    + "that the server trusts (CN=A or CN=B), and have it grant access to this subject"
            ),
        ] as [(UInt8, String)])
    func `a server that refuses a client's certificate says so with`(_ alert: UInt8, _ text: String) {
        let request = CertificateRequest(authorities: ["CN=A", "CN=B"], authorityCount: 2, shownSubject: "CN=client")
        let failure = TLSFailure(.alertReceived(AlertDescription(code: alert)), explanation: .certificateRequest(request))
        let error = SecureSocketError(failure, role: .client, step: .handshake, peer: "PEER")
        #expect(error.description == "PEER refused the connection: \(text)")
        #expect(!error.isClientCertificateMissing)
    }

    @Test(arguments: [40, 41, 42, 43, 46, 48, 49, 116] as [UInt8])
    func `a server that got no certificate says so with any alert`(_ code: UInt8) {
        let request = CertificateRequest(authorities: [], authorityCount: 0, shownSubject: nil)
        let alert = AlertDescription(code: code)
        let error = SecureSocketError(
            TLSFailure(.alertReceived(alert), explanation: .certificateRequest(request)), role: .client, step: .handshake,
            peer: "PEER")
        #expect(error.message == "PEER refused the connection: it asked for a client certificate and got none (\(alert))")
        #expect(error.isClientCertificateMissing)
    }

    @Test(arguments: [false, true])
    func `a server that asks for a certificate, and hangs up`(showsOne: Bool) throws {
        let own = try TestCertificates.shared.get()
        let client = try TLSEngine(
            client: TLSClientConfiguration(
                trust: own.trust, identity: showsOne ? own.clientIdentity : nil, parameters: .init(.tls12)
            ).context, serverName: nil, expecting: nil)
        let server = try TLSEngine(
            server: TLSServerConfiguration(identity: own.serverIdentity, clients: .required(trust: own.trust)).context)
        _ = client.handshake()
        server.receive(try #require(client.takeOutput()))
        _ = server.handshake()
        client.receive(try #require(server.takeOutput()))
        #expect(client.handshake() == .waiting)
        client.receiveEnd()
        guard case .failed(let failure) = client.handshake() else { return try #require(nil, "the end was not seen") }
        let error = SecureSocketError(failure, role: .client, step: .handshake, peer: "PEER")
        #expect(error.code == .endedInHandshake)
        #expect(
            error.description
                == "PEER ended the connection in mid-handshake, after it had asked for a client certificate and got "
                + (showsOne
                    ? "one. Its log may say whether it refuses the certificate"
                    : "none. If the server requires one, give the configuration an identity that it accepts"))
    }

    @Test(
        arguments: [(40, true), (42, true), (46, true), (48, true), (49, true), (50, true), (51, false), (80, false)]
            as [(UInt8, Bool)])
    func `an alert of a server that got no certificate is put down to that, or not`(_ alert: UInt8, _ isAboutIt: Bool) throws {
        let own = try TestCertificates.shared.get()
        let client = try TLSEngine(
            client: own.clientConfiguration(parameters: .init(.tls12)).context, serverName: nil, expecting: nil)
        let server = try TLSEngine(
            server: TLSServerConfiguration(identity: own.serverIdentity, clients: .required(trust: own.trust)).context)
        _ = client.handshake()
        server.receive(try #require(client.takeOutput()))
        _ = server.handshake()
        client.receive(try #require(server.takeOutput()))
        #expect(client.handshake() == .waiting)
        client.receive(ByteBuffer(bytes: [21, 3, 3, 0, 2, 2, alert]))
        guard case .failed(let failure) = client.handshake() else { return try #require(nil, "the alert was not fatal") }
        let error = SecureSocketError(failure, role: .client, step: .handshake, peer: "PEER")
        #expect(error.isClientCertificateMissing == isAboutIt)
        #expect(
            error.message.contains("it asked for a client certificate issued by CN=Test authority and got none (") == isAboutIt)
    }
}
