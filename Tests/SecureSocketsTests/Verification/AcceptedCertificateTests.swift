import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

/// The names, chains and settings with which a certificate is accepted.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Certificates that are accepted` {
    @Test(
        arguments: [
            (["www.example.org"], "www.example.org"),
            (["www.example.org"], "WWW.Example.ORG"),
            (["www.example.org"], "www.example.org."),
            (["*.example.org"], "www.example.org"),
            (["other.example.org", "www.example.org"], "www.example.org"),
            (["127.0.0.1"], "127.0.0.1"),
            (["192.0.2.1"], "192.0.2.1"),
            (["2001:db8::1"], "2001:db8:0:0::1"),
            (["2001:db8::1"], "[2001:db8::1]"),
        ], TLSProtocolVersion.allCases)
    func `a certificate for these names is one for that host`(
        _ row: (names: [String], host: String), over version: TLSProtocolVersion
    ) async throws {
        let authority = try CertificateAuthority.root()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: authority.trust, serverName: row.host, parameters: .init(version)),
            with: TLSServerConfiguration(identity: TLSIdentity(authority.issue(commonName: "server", names: row.names))))

        let client = try encounter.client.get()
        #expect(client.information.version == version)
        #expect(client.information.verifiedChainLength == 2)
        // An address is never sent as a server name (RFC 6066 §3).
        let isName = row.host.lowercased().hasPrefix("www")
        #expect(try (encounter.server.get().information.serverName != nil) == isName)
    }

    @Test(.enabled(if: hasIPv6Loopback, "this machine has no ::1"))
    func `an IPv6 literal is compared with the certificate's address`() async throws {
        let authority = try CertificateAuthority.root()
        let right = try authority.issue(commonName: "right", names: ["::1"])
        let wrong = try authority.issue(commonName: "wrong", names: ["::2", "127.0.0.1", "localhost"])

        let good = try await Encounter(
            of: TLSClientConfiguration(trust: authority.trust), with: TLSServerConfiguration(identity: TLSIdentity(right)),
            at: "::1")
        #expect(try good.client.get().information.verifiedChainLength == 2)

        let bad = try await Encounter(
            of: TLSClientConfiguration(trust: authority.trust), with: TLSServerConfiguration(identity: TLSIdentity(wrong)),
            at: "::1")
        let problem = try #require(await bad.clientRefusal?.certificateProblem)
        #expect(problem.kind == .wrongAddress)
        #expect(problem.expectedName == "::1")
    }

    @Test func `the name that was connected to is the one that is checked`() async throws {
        let certificates = try TestCertificates.shared.get()
        let listener = try await SecureListener.bind(
            port: 0, tls: certificates.serverConfiguration(), socketOptions: .patient, options: .patient)
        async let accepted = listener.accept(timeout: Encounter.patience)
        let socket = try await SecureSocket.connect(
            to: "localhost", port: listener.localEndpoint.port, tls: certificates.clientConfiguration())
        #expect(socket.information.serverName == "localhost")
        #expect(try await accepted.information.serverName == "localhost")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a chain with two intermediates leads to its root, at both ends`(
        over version: TLSProtocolVersion
    ) async throws {
        let root = try CertificateAuthority.root(commonName: "root")
        let issuer = try root.intermediate(commonName: "upper", pathLength: 1)
            .intermediate(commonName: "lower", pathLength: 0)
        let server = try TLSIdentity(issuer.issue(commonName: "server", names: ["127.0.0.1"]))
        let client = try TLSIdentity(issuer.issue(commonName: "client", purposes: [.client]))
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: root.trust, identity: client, parameters: .init(version)),
            with: TLSServerConfiguration(identity: server, clients: .required(trust: root.trust)))

        let seenByClient = try encounter.client.get().information
        #expect(seenByClient.peerCertificates.map(\.subject) == ["CN=server", "CN=lower", "CN=upper"])
        #expect(seenByClient.verifiedChainLength == 4)
        let seenByServer = try encounter.server.get().information
        #expect(seenByServer.peerCertificates.map(\.subject) == ["CN=client", "CN=lower", "CN=upper"])
        #expect(seenByServer.verifiedChainLength == 4)
    }

    @Test func `a self-signed certificate is good where it is trusted itself`() async throws {
        let server = try CertifiedKey.selfSigned()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: .only(.text(server.certificatePEM)), parameters: .init(depth: 0)),
            with: TLSServerConfiguration(identity: TLSIdentity(server)))
        #expect(try encounter.client.get().information.verifiedChainLength == 1)
    }

    @Test func `without a check of the name any certificate of a trusted authority is accepted`() async throws {
        let authority = try CertificateAuthority.root()
        let server = try TLSIdentity(authority.issue(commonName: "server", names: ["elsewhere.example"]))
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: authority.trust, verification: .dangerouslyWithoutHostName),
            with: TLSServerConfiguration(identity: server))
        #expect(try encounter.client.get().information.verifiedChainLength == 2)

        let stranger = try await Encounter(
            of: TLSClientConfiguration(trust: CertificateAuthority.root().trust, verification: .dangerouslyWithoutHostName),
            with: TLSServerConfiguration(identity: server))
        #expect(await stranger.clientRefusal?.code == .certificateVerificationFailed)
    }

    @Test func `without any check every certificate is accepted, and the information reports no verified chain`() async throws {
        let server = try CertifiedKey.selfSigned(names: ["elsewhere.example"], validity: .expired)
        let encounter = try await Encounter(
            of: TLSClientConfiguration(verification: .dangerouslyNone),
            with: TLSServerConfiguration(identity: TLSIdentity(server)))
        let information = try encounter.client.get().information
        #expect(information.verifiedChainLength == nil)
        #expect(information.peerCertificates.map(\.subject) == ["CN=localhost"])
    }
}
