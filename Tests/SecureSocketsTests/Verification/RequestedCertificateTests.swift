import DevelopmentCertificates
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// Which clients a server accepts with a certificate and without one, and what a rejected client finds out.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Certificates of clients` {
    @Test func `a client that only sends finds out from the alert that it was refused`() async throws {
        let certificates = try TestCertificates.shared.get()
        let encounter = try await Encounter(
            of: certificates.clientConfiguration(),
            with: TLSServerConfiguration(identity: certificates.serverIdentity, clients: .required(trust: certificates.trust)))
        let socket = try encounter.client.get()
        let error = await #expect(throws: SecureSocketError.self) {
            while true { try await socket.send("more", timeout: Encounter.patience) }
        }
        #expect(error?.code == .alertReceived)
        #expect(error?.alert?.description == "certificate_required")
        #expect(error?.step == .sending)
        // The connection has ended in both directions, and every later call throws the same error.
        let again = await #expect(throws: SecureSocketError.self) { try await socket.send("more") }
        #expect(again?.alert?.description == "certificate_required")
        let received = await #expect(throws: SecureSocketError.self) { _ = try await socket.receive() }
        #expect(received?.alert?.description == "certificate_required")
        let finished = await #expect(throws: SecureSocketError.self) { try await socket.closeWriting() }
        #expect(finished?.alert?.description == "certificate_required")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a client without a required certificate receives an alert that says so`(over version: TLSProtocolVersion) async throws {
        let certificates = try TestCertificates.shared.get()
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0,
            tls: TLSServerConfiguration(identity: certificates.serverIdentity, clients: .required(trust: certificates.trust)),
            socketOptions: .patient)
        let (failures, continuation) = AsyncStream.makeStream(of: SecureSocketError.self)
        async let serving: Void = listener.serve(handshakeFailed: { error, _ in continuation.yield(error) }) { _ in
            Issue.record("a client was served that should not have been")
        }

        let atClient = await #expect(throws: SecureSocketError.self) {
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port,
                tls: certificates.clientConfiguration(parameters: .init(version)))
            _ = try await socket.receive(timeout: Encounter.patience)
        }
        #expect(atClient?.code == .alertReceived)
        #expect(atClient?.alert?.description == (version == .tls13 ? "certificate_required" : "handshake_failure"))
        #expect(atClient?.advice == "Give the configuration an identity that the server accepts")

        var reports = failures.makeAsyncIterator()
        let atServer = try #require(await reports.next())
        #expect(atServer.code == .protocolError)
        #expect(atServer.libraryReason == "PEER_DID_NOT_RETURN_A_CERTIFICATE")
        #expect(atServer.blame == .peer)
        #expect(atServer.step == .handshake)
        #expect(
            atServer.description.hasSuffix(
                ": it showed no certificate, and one is required. Give the client a certificate of an authority that this server trusts (CN=Test authority)"
            ))
        listener.close()
        try await serving
    }

    @Test(arguments: [false, true], TLSProtocolVersion.allCases)
    func `a client without a certificate is accepted where none is required`(
        isAsked: Bool, over version: TLSProtocolVersion
    ) async throws {
        let certificates = try TestCertificates.shared.get()
        let clients = isAsked ? TLSServerConfiguration.ClientAuthentication.optional(trust: certificates.trust) : .none
        let encounter = try await Encounter(
            of: certificates.clientConfiguration(parameters: .init(version)),
            with: TLSServerConfiguration(identity: certificates.serverIdentity, clients: clients))
        #expect(try encounter.server.get().information.peerCertificates.isEmpty)
        #expect(try encounter.client.get().information.verifiedChainLength == 2)
    }

    enum Asked: CaseIterable { case not, optionally, strictly }

    @Test(arguments: Asked.allCases, TLSProtocolVersion.allCases)
    func `a client's certificate is shown where it is asked for`(_ asked: Asked, over version: TLSProtocolVersion) async throws {
        let certificates = try TestCertificates.shared.get()
        let clients: TLSServerConfiguration.ClientAuthentication =
            switch asked {
            case .not: .none
            case .optionally: .optional(trust: certificates.trust)
            case .strictly: .required(trust: certificates.trust)
            }
        let encounter = try await Encounter(
            of: TLSClientConfiguration(
                trust: certificates.trust, identity: certificates.clientIdentity, parameters: .init(version)),
            with: TLSServerConfiguration(identity: certificates.serverIdentity, clients: clients))
        let seen = try encounter.server.get().information
        #expect(seen.peerCertificates.map(\.subject) == (asked == .not ? [] : ["CN=client"]))
        #expect(seen.verifiedChainLength == (asked == .not ? nil : 2))
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a server can have more client authorities than a request for a certificate can name`(
        version: TLSProtocolVersion
    ) async throws {
        let authorities = try (0..<900).map { try authority(String(repeating: "a", count: 60) + "\($0)") }
        let own = try client(by: authorities[899])
        let pair = try await SecureSocket.connectedPair(
            client: TLSClientConfiguration(
                verification: .dangerouslyNone,
                identity: TLSIdentity(certificateChain: .text(own.pem), privateKey: .text(own.key.pem)),
                parameters: .init(version)),
            server: TLSServerConfiguration(
                identity: TestCertificates.shared.get().serverIdentity,
                clients: .required(trust: .only(.text(authorities.map(\.pem).joined())))),
            timeout: Encounter.patience)
        #expect(pair.server.information.peerCertificates.first?.subject == "CN=Client")
        pair.client.close()
        pair.server.close()
    }
}
