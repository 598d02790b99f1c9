import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// Rules, purposes and names, with OpenSSL's client and OpenSSL's server.
@Suite(.serialized, .enabled(if: Program.openssl != nil, "needs OpenSSL 3"), .timeLimit(.minutes(5)))
struct `OpenSSL and our rules` {
    private let own: TestCertificates
    private let folder: TemporaryDirectory

    init() throws {
        self.own = try TestCertificates.shared.get()
        self.folder = try TemporaryDirectory()
    }

    private func server(_ clients: TLSServerConfiguration.ClientAuthentication) throws -> TLSServerConfiguration {
        try TLSServerConfiguration(identity: self.own.serverIdentity, clients: clients)
    }

    // MARK: Our server

    /// Has `s_client` send a line, which the server returns. Returns what it prints.
    private func exchange(
        with listener: SecureListener, _ version: String, as identity: DevelopmentIdentity
    ) async throws -> (output: String, errors: String) {
        let files = try identity.files(in: self.folder)
        let client = try await OpenSSLPeer.client(
            to: listener.localEndpoint.port, version, "-quiet", "-cert", files.chain, "-key", files.key)
        try await client.program.finishInput(with: "hello\n")
        let outcome = await client.program.outcome()
        return (outcome.output, outcome.errors)
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `admits a client by a rule, and another one receives the alert of the rule`(version: String) async throws {
        let rule = PeerRule { peer in
            if peer.certificate.subject == "CN=late" { throw TLSRejection("it is late", alert: .certificateExpired) }
        }
        let clients = TLSServerConfiguration.ClientAuthentication.required(
            trust: self.own.trust, allow: .all(rule, .emailAddress(in: ["front@example.org"])))
        let front = try self.own.authority.client(commonName: "front", emailAddresses: ["front@example.org"])
        try await withServedListener(self.server(clients), { try await $0.echoLine() }) { listener, failures in
            let accepted = try await self.exchange(with: listener, version, as: front)
            #expect(accepted.output == "hello\n", "\(accepted.errors)")

            let late = try await self.exchange(with: listener, version, as: self.own.authority.client(commonName: "late"))
            try #require(late.errors.contains("alert certificate expired"), "\(late)")
            let failure = await failures.next()
            #expect(failure?.code == .rejected && failure?.message.contains("it is late") == true)

            let denied = try await self.exchange(with: listener, version, as: self.own.client)
            try #require(denied.errors.contains("alert access denied"), "\(denied)")
            #expect(await failures.next()?.code == .rejected)
            #expect(late.output.isEmpty && denied.output.isEmpty)
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `admits a certificate for servers only if it was told to`(version: String) async throws {
        let forServers = try self.own.authority.client(commonName: "mail", purposes: [.server])
        let clients = TLSServerConfiguration.ClientAuthentication.required(trust: self.own.trust)
        try await withServedListener(self.server(clients), { try await $0.echoLine() }) { listener, failures in
            #expect(try await self.exchange(with: listener, version, as: self.own.client).output == "hello\n")
            let refused = try await self.exchange(with: listener, version, as: forServers)
            try #require(refused.errors.contains("alert unsupported certificate"), "\(refused)")
            let failure = await failures.next()
            #expect(failure?.certificateProblem?.kind == .wrongPurpose)
            #expect(failure?.advice?.contains("ClientAuthentication.acceptingServerCertificates") == true)

            try await listener.update(tls: self.server(clients.acceptingServerCertificates))
            for identity in [forServers, self.own.client] {
                let accepted = try await self.exchange(with: listener, version, as: identity)
                #expect(accepted.output == "hello\n", "\(accepted.errors)")
            }
        }
    }

    // MARK: Our client

    private func connect(
        to server: OpenSSLPeer, as name: String? = "localhost", allow rule: PeerRule? = nil
    ) async throws(SecureSocketError) -> SecureSocket {
        let tls = try TLSClientConfiguration(trust: self.own.trust, allow: rule, serverName: name)
        return try await SecureSocket.connect(to: "127.0.0.1", port: server.port, tls: tls, timeout: Encounter.patience)
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `admits a server by a rule, and another one receives the alert of the rule`(version: String) async throws {
        let server = try await OpenSSLPeer.server(version, "-rev", "-naccept", "3")
        try await self.connect(to: server, allow: .dnsName(in: ["localhost"])).expectReversedEcho()
        let rule = PeerRule { _ in throw TLSRejection("it is too weak", alert: .insufficientSecurity) }
        for (rule, reason) in [(rule, "it is too weak"), (.dnsName(in: ["a.example"]), "is permitted")] {
            let error = await #expect(throws: SecureSocketError.self) { try await self.connect(to: server, allow: rule) }
            #expect(error?.code == .rejected && error?.message.contains(reason) == true, "\(String(describing: error))")
        }
        let outcome = await server.program.outcome()
        #expect(outcome.errors.contains("alert insufficient security"), "\(outcome.errors)")
        #expect(outcome.errors.contains("alert access denied"), "\(outcome.errors)")
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `gets a certificate by name, and an alert for a name that the server does not have`(version: String) async throws {
        let second = try self.own.authority.server(names: ["b.example"])
        let files = try second.files(in: self.folder)
        let server = try await OpenSSLPeer.server(
            version, "-rev", "-servername", "b.example", "-servername_fatal", "-cert2", files.chain, "-key2", files.key)
        // For an address, no name is requested.
        for (name, certificate) in [(nil, self.own.server.certificate), ("b.example", second.certificate)] {
            let socket = try await self.connect(to: server, as: name)
            #expect(socket.information.peerCertificate == certificate)
            try await socket.expectReversedEcho()
        }
        let error = await #expect(throws: SecureSocketError.self) { try await self.connect(to: server, as: "d.example") }
        #expect(error?.code == .alertReceived)
        #expect(error?.alert == .unrecognizedName)
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `gets the default certificate if a server only warns of the name`(version: String) async throws {
        let files = try self.own.authority.server(names: ["b.example"]).files(in: self.folder)
        let server = try await OpenSSLPeer.server(
            version, "-rev", "-servername", "b.example", "-cert2", files.chain, "-key2", files.key)
        // With TLS 1.2, OpenSSL sends the alert as a warning.
        try await self.connect(to: server, as: "localhost").expectReversedEcho()
        let error = await #expect(throws: SecureSocketError.self) { try await self.connect(to: server, as: "d.example") }
        #expect(error?.certificateProblem?.kind == .wrongName)
    }
}

/// Connections of `s_client` that are open when the policy of a listener changes.
@Suite(.serialized, .enabled(if: Program.openssl != nil, "needs OpenSSL 3"), .timeLimit(.minutes(5)))
struct `OpenSSL's open connection` {
    private let own: TestCertificates
    private let folder: TemporaryDirectory

    init() throws {
        self.own = try TestCertificates.shared.get()
        self.folder = try TemporaryDirectory()
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `ends when a list revokes the client's certificate, and others stay open`(version: String) async throws {
        let revoked = try self.own.authority.client(commonName: "revoked")
        func tls(revoking certificates: [TLSCertificate]) throws -> TLSServerConfiguration {
            let lists = try RevocationLists(.text(self.own.authority.revocationList(of: certificates)))
            return try TLSServerConfiguration(
                identity: self.own.serverIdentity, clients: .required(trust: self.own.trust.checkingRevocation(with: lists)))
        }
        var options = ListenerOptions.patient
        options.openConnections = .endIfRefused(grace: .zero)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls(revoking: []), socketOptions: .patient, options: options)
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        func connect(as identity: DevelopmentIdentity) async throws -> RunningProgram {
            let files = try identity.files(in: self.folder)
            let client = try await OpenSSLPeer.client(
                to: listener.localEndpoint.port, version, "-quiet", "-cert", files.chain, "-key", files.key)
            try await client.program.send("hello\n")
            try #require(await client.program.line(behind: "hello") == "")
            return client.program
        }
        let (ending, staying) = (try await connect(as: revoked), try await connect(as: self.own.client))
        try await listener.update(tls: tls(revoking: [self.own.authority.client(commonName: "other").certificate]))
        for client in [ending, staying] {
            try await client.send("first\n")
            try #require(await client.line(behind: "first") == "")
        }
        try await listener.update(tls: tls(revoking: [revoked.certificate]))
        let outcome = await ending.outcome()
        #expect(outcome.errors.contains("alert certificate revoked"), "\(outcome)")
        try await staying.send("second\n")
        #expect(await staying.line(behind: "second") == "")

        staying.kill()
        listener.close()
        try await serving
    }
}

extension SecureSocket {
    /// Exchanges a line with `s_server -rev`, which reverses it, and closes the connection.
    func expectReversedEcho() async throws(SecureSocketError) {
        try await self.send("hello\n")
        #expect(try await self.receiveLine(timeout: Encounter.patience) == ByteBuffer(string: "olleh"))
        self.close()
    }
}
