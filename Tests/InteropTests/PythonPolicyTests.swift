import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// The policy of a listener, and Python's client.
@Suite(.serialized, .enabled(if: Program.python != nil, "needs Python 3 with ssl"), .timeLimit(.minutes(5)))
struct `A client in Python` {
    private let authority: DevelopmentAuthority
    private let folder: TemporaryDirectory
    private let trusted: String
    private let identity: DevelopmentIdentity

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.folder = try TemporaryDirectory()
        self.trusted = try self.folder.write(self.authority.certificatePEM, to: "ca.pem")
        self.identity = try self.authority.server()
    }

    private func tls(
        _ identity: DevelopmentIdentity? = nil, clients: TLSServerConfiguration.ClientAuthentication = .none
    ) throws -> TLSServerConfiguration {
        try TLSServerConfiguration(
            identities: [ServerIdentity((identity ?? self.identity).identity)], unknownServerNames: .refused, clients: clients)
    }

    private func withServer(
        _ tls: TLSServerConfiguration, _ body: (SecureListener, HandshakeFailures) async throws -> Void
    ) async throws {
        try await withServedListener(tls, { try await $0.echoLine() }, body)
    }

    private func connect(
        to listener: SecureListener, _ version: TLSProtocolVersion, as name: String = "localhost",
        identity: DevelopmentIdentity? = nil, list: String? = nil
    ) async throws -> PythonClient.Outcome {
        try await PythonClient(
            to: listener, version, trusting: self.trusted, as: name, identity: identity.map { try $0.files(in: self.folder) },
            list: list
        ).outcome()
    }

    private var connected: PythonClient.Outcome { .connected(fingerprint: self.identity.certificate.sha256Fingerprint) }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `refuses our server if the authority's list has it`(version: TLSProtocolVersion) async throws {
        let other = try self.authority.server().certificate
        try await self.withServer(self.tls()) { listener, failures in
            func connect(revoking revoked: [TLSCertificate]) async throws -> PythonClient.Outcome {
                let list = try self.folder.write(self.authority.revocationList(of: revoked), to: "list.pem")
                return try await self.connect(to: listener, version, list: list)
            }
            #expect(try await connect(revoking: [other]) == self.connected)
            try #require(
                try await connect(revoking: [other, self.identity.certificate]) == .failed(reason: "certificate revoked"))
            #expect(await failures.next()?.alert == .certificateRevoked)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused if our list has its certificate`(version: TLSProtocolVersion) async throws {
        let honest = try self.authority.client(commonName: "honest")
        let revoked = try self.authority.client(commonName: "revoked")
        let lists = try RevocationLists(.text(self.authority.revocationList(of: [revoked.certificate])))
        let trust = self.authority.trust.checkingRevocation(with: lists)
        try await self.withServer(self.tls(clients: .required(trust: trust))) { listener, failures in
            #expect(try await self.connect(to: listener, version, identity: honest) == self.connected)
            let refused = try await self.connect(to: listener, version, identity: revoked)
            try #require(refused == .failed(reason: "SSLV3_ALERT_CERTIFICATE_REVOKED"))
            #expect(await failures.next()?.certificateProblem?.kind == .revoked)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is admitted by a rule for its certificate, and receives the alert of a rule that rejects it`(
        version: TLSProtocolVersion
    ) async throws {
        let front = try self.authority.client(commonName: "front", names: ["front.example"])
        let back = try self.authority.client(commonName: "back", names: ["back.example"])
        let rule = PeerRule { peer in
            if peer.certificate.subject == "CN=back" { throw TLSRejection("it is the back", alert: .insufficientSecurity) }
        }
        let clients = TLSServerConfiguration.ClientAuthentication.required(
            trust: self.authority.trust, allow: .all(rule, .dnsName(in: ["front.example"])))
        try await self.withServer(self.tls(clients: clients)) { listener, failures in
            #expect(try await self.connect(to: listener, version, identity: front) == self.connected)
            let refused = try await self.connect(to: listener, version, identity: back)
            try #require(refused == .failed(reason: "TLSV1_ALERT_INSUFFICIENT_SECURITY"))
            let failure = await failures.next()
            #expect(failure?.code == .rejected && failure?.message.contains("it is the back") == true)

            let other = try self.authority.client(commonName: "other", names: ["other.example"])
            let denied = try await self.connect(to: listener, version, identity: other)
            try #require(denied == .failed(reason: "TLSV1_ALERT_ACCESS_DENIED"))
            #expect(await failures.next()?.code == .rejected)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused for a name that is not served, and gets the renewed certificate after an update`(
        version: TLSProtocolVersion
    ) async throws {
        try await self.withServer(self.tls()) { listener, failures in
            #expect(try await self.connect(to: listener, version) == self.connected)
            let refused = try await self.connect(to: listener, version, as: "d.example")
            try #require(refused == .failed(reason: "TLSV1_UNRECOGNIZED_NAME"))
            #expect(await failures.next()?.code == .unrecognizedName)

            let renewed = try self.authority.server()
            try await listener.update(tls: self.tls(renewed))
            #expect(
                try await self.connect(to: listener, version)
                    == .connected(fingerprint: renewed.certificate.sha256Fingerprint))
        }
    }
}

/// Python's server, and our client.
@Suite(.serialized, .enabled(if: Program.python != nil, "needs Python 3 with ssl"), .timeLimit(.minutes(5)))
struct `A server in Python` {
    private let authority: DevelopmentAuthority
    private let folder: TemporaryDirectory
    private let trusted: String
    private let identities: [String: DevelopmentIdentity]

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.folder = try TemporaryDirectory()
        self.trusted = try self.folder.write(self.authority.certificatePEM, to: "ca.pem")
        self.identities = [
            "a.example": try self.authority.server(names: ["a.example"]),
            "b.example": try self.authority.server(names: ["b.example"]),
        ]
    }

    private func server(
        _ version: TLSProtocolVersion, clients: String? = nil, list: String? = nil
    ) async throws -> PythonServer {
        try await PythonServer(
            version, self.identities.mapValues { try $0.files(in: self.folder) }, clients: clients, list: list)
    }

    /// Connects, and reads the server's line. Returns the server's certificate.
    @discardableResult private func connect(
        to server: PythonServer, as name: String = "a.example", identity: DevelopmentIdentity? = nil, trust: TLSTrust? = nil,
        allow rule: PeerRule? = nil
    ) async throws(SecureSocketError) -> TLSCertificate? {
        let tls = try TLSClientConfiguration(
            trust: trust ?? self.authority.trust, allow: rule, identity: identity?.identity, serverName: name)
        let socket = try await SecureSocket.connect(
            to: "127.0.0.1", port: server.port, tls: tls, timeout: Encounter.patience)
        #expect(try await socket.receiveLine(timeout: Encounter.patience) == ByteBuffer(string: "hello"))
        try await socket.closeWriting()
        #expect(try await socket.receive(timeout: Encounter.patience) == nil)
        socket.close()
        return socket.information.peerCertificate
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `chooses the certificate for the name, and refuses a name that it does not have`(
        version: TLSProtocolVersion
    ) async throws {
        let server = try await self.server(version)
        for (name, identity) in self.identities {
            #expect(try await self.connect(to: server, as: name) == identity.certificate)
        }
        let error = await #expect(throws: SecureSocketError.self) { try await self.connect(to: server, as: "c.example") }
        #expect(error?.code == .alertReceived)
        #expect(error?.alert == .unrecognizedName)
        #expect(error?.message.hasSuffix("it does not know the server name that was asked for (unrecognized_name)") == true)
        #expect(error?.advice == "Check the name, or ask for one that the server has")
        for connection in 1...2 { #expect(await server.end(of: connection) == "well") }
        #expect(await server.end(of: 3) == "CALLBACK_FAILED")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `refuses our client's certificate if its list revokes it`(version: TLSProtocolVersion) async throws {
        let honest = try self.authority.client(commonName: "honest")
        let revoked = try self.authority.client(commonName: "revoked")
        let list = try self.folder.write(self.authority.revocationList(of: [revoked.certificate]), to: "list.pem")
        let server = try await self.server(version, clients: self.trusted, list: list)
        try await self.connect(to: server, identity: honest)
        let error = await #expect(throws: SecureSocketError.self) { try await self.connect(to: server, identity: revoked) }
        #expect(error?.code == .alertReceived)
        #expect(error?.alert == .certificateRevoked)
        #expect(await server.end(of: 1) == "well")
        #expect(await server.end(of: 2) == "certificate revoked")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is admitted by a rule for its certificate, and receives the alert of a rule that rejects it`(
        version: TLSProtocolVersion
    ) async throws {
        let server = try await self.server(version)
        try await self.connect(to: server, allow: .dnsName(in: ["a.example"]))
        let error = await #expect(throws: SecureSocketError.self) {
            try await self.connect(to: server, allow: .dnsName(in: ["b.example"]))
        }
        #expect(error?.code == .rejected)
        #expect(error?.message.contains("none of the certificate's DNS names (a.example) is permitted") == true)
        #expect(await server.end(of: 1) == "well")
        #expect(await server.end(of: 2) == "TLSV1_ALERT_ACCESS_DENIED")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused if our list has its certificate`(version: TLSProtocolVersion) async throws {
        let server = try await self.server(version)
        let revoked = try #require(self.identities["b.example"]).certificate
        let trust = try self.authority.trust.checkingRevocation(
            with: RevocationLists(.text(self.authority.revocationList(of: [revoked]))))
        try await self.connect(to: server, as: "a.example", trust: trust)
        let error = await #expect(throws: SecureSocketError.self) {
            try await self.connect(to: server, as: "b.example", trust: trust)
        }
        #expect(error?.certificateProblem?.kind == .revoked)
        #expect(await server.end(of: 1) == "well")
        #expect(await server.end(of: 2) == "SSLV3_ALERT_CERTIFICATE_REVOKED")
    }
}
