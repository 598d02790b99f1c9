import NIOCore
import SecureSockets
import TestSupport
import Testing

/// Our server and other people's clients.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Our server` {
    private let site: Site

    init() throws {
        self.site = try Site()
    }

    @Test(arguments: PeerClient.allCases, TLSProtocolVersion.allCases)
    func `sends a client's MiB back`(_ peer: PeerClient, over version: TLSProtocolVersion) async throws {
        let server = try await TestServer.echo(self.site.server.identity)
        let outcome = try await peer.run(
            port: server.port, trusting: self.site.authority, .init(version: version))
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output == Payload.text)

        let seen = try await server.end()
        #expect(seen.sockets.map(\.version) == [version])
        #expect(seen.sockets.map(\.serverName) == ["localhost"])
        #expect(seen.sockets.map(\.applicationProtocol) == ["echo/1"])
        #expect(seen.failures.isEmpty)
    }

    @Test(arguments: PeerClient.allCases, TLSProtocolVersion.allCases)
    func `is refused by its name`(_ peer: PeerClient, over version: TLSProtocolVersion) async throws {
        let server = try await TestServer.echo(self.site.elsewhere.identity)
        let outcome = try await peer.run(port: server.port, trusting: self.site.authority, .init(version: version))
        #expect(outcome.status != 0)
        #expect(outcome.output.isEmpty)
        let complaint =
            switch peer {
            case .openssl: "hostname mismatch"
            case .python: "Hostname mismatch, certificate is not valid for 'localhost'"
            case .node: "ERR_TLS_CERT_ALTNAME_INVALID"
            }
        #expect(outcome.errors.contains(complaint))

        let seen = try await server.end()
        // Node looks at the name when the handshake is complete, and hangs up without a word.
        if peer != .node {
            #expect(seen.failures.map(\.code) == [.alertReceived])
            #expect(seen.failures.map(\.alert?.description) == ["bad_certificate"], "\(seen.failures)")
        }
    }

    @Test(arguments: PeerClient.allCases)
    func `is refused by a client that does not know its authority`(_ peer: PeerClient) async throws {
        let server = try await TestServer.echo(self.site.server.identity)
        let outcome = try await peer.run(port: server.port, trusting: self.site.otherAuthority)
        #expect(outcome.status != 0)
        #expect(outcome.output.isEmpty)

        let seen = try await server.end()
        if peer != .node {
            #expect(seen.failures.map(\.alert?.description) == ["unknown_ca"])
            #expect(
                seen.failures.first?.advice
                    == "Have the client trust the authority of this server, and send the whole chain")
        }
    }

    @Test(arguments: PeerClient.allCases, TLSProtocolVersion.allCases)
    func `knows a client by its certificate`(_ peer: PeerClient, over version: TLSProtocolVersion) async throws {
        let server = try await TestServer.echo(self.site.server.identity, clients: .only(.file(self.site.authority)))
        let outcome = try await peer.run(
            port: server.port, trusting: self.site.authority, .init(version: version, identity: self.site.client))
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output == Payload.text)

        let seen = try await server.end()
        #expect(seen.sockets.map(\.peerCertificates.first?.subject) == ["CN=client"])
        #expect(seen.sockets.map(\.verifiedChainLength) == [3])
    }

    @Test(arguments: PeerClient.allCases, TLSProtocolVersion.allCases)
    func `turns a client without a certificate away`(
        _ peer: PeerClient, over version: TLSProtocolVersion
    ) async throws {
        let server = try await TestServer.echo(self.site.server.identity, clients: .only(.file(self.site.authority)))
        let outcome = try await peer.run(port: server.port, trusting: self.site.authority, .init(version: version))
        #expect(outcome.status != 0)
        #expect(outcome.output.isEmpty)
        let seen = try await server.end()
        #expect(seen.sockets.isEmpty)
        #expect(seen.failures.map(\.libraryReason) == ["PEER_DID_NOT_RETURN_A_CERTIFICATE"])
    }

    // MARK: curl

    @Test(arguments: TLSProtocolVersion.allCases)
    func `answers curl, which posts a MiB`(over version: TLSProtocolVersion) async throws {
        let curl = try Program.curl.required("curl")
        let server = try await TestServer.http(self.site.server.identity)
        let running = try RunningProgram(
            curl,
            self.curlArguments(version) + [
                "--cacert", self.site.authority, "--data-binary", "@-", "-H", "Expect:",
                "--resolve", "localhost:\(server.port):127.0.0.1", "https://localhost:\(server.port)/echo",
            ])
        try await running.finishInput(with: Payload.text)
        let outcome = await running.outcome()
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output == Payload.text)
        let seen = try await server.end()
        #expect(seen.sockets.map(\.applicationProtocol) == ["http/1.1"])
        #expect(seen.sockets.map(\.version) == [version])
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused by curl by its name, and by an address that is not its own`(
        over version: TLSProtocolVersion
    ) async throws {
        let curl = try Program.curl.required("curl")
        let server = try await TestServer.http(self.site.elsewhere.identity)
        for host in ["localhost", "127.0.0.1"] {
            let running = try RunningProgram(
                curl,
                self.curlArguments(version) + [
                    "--cacert", self.site.authority, "--resolve", "localhost:\(server.port):127.0.0.1",
                    "https://\(host):\(server.port)/",
                ])
            try await running.finishInput()
            let outcome = await running.outcome()
            // CURLE_PEER_FAILED_VERIFICATION
            #expect(outcome.status == 60, "\(outcome.errors)")
            #expect(outcome.output.isEmpty)
        }
        let seen = try await server.end()
        #expect(seen.requests == 0)
    }

    @Test func `knows curl by its certificate`() async throws {
        let curl = try Program.curl.required("curl")
        let server = try await TestServer.http(self.site.server.identity, clients: .only(.file(self.site.authority)))
        let running = try RunningProgram(
            curl,
            self.curlArguments(.tls13) + [
                "--cacert", self.site.authority, "--cert", self.site.client.chain, "--key", self.site.client.key,
                "--data-binary", "hello", "https://127.0.0.1:\(server.port)/",
            ])
        try await running.finishInput()
        let outcome = await running.outcome()
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output == "hello")
        #expect(try await server.end().sockets.map(\.peerCertificates.first?.subject) == ["CN=client"])
    }

    private func curlArguments(_ version: TLSProtocolVersion) -> [String] {
        // No settings of the user's, no proxy.
        ["-q", "--noproxy", "*", "--silent", "--show-error", "--max-time", "30"]
            + (version == .tls12 ? ["--tlsv1.2", "--tls-max", "1.2"] : ["--tlsv1.3"])
    }
}
