import NIOCore
import SecureSockets
import TestSupport
import Testing

/// Our client and other people's servers.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Our client` {
    private let site: Site

    init() throws {
        self.site = try Site()
    }

    @Test(arguments: PeerServer.allCases, TLSProtocolVersion.allCases)
    func `sends a MiB to a server, finishes, and has it all back`(
        _ peer: PeerServer, over version: TLSProtocolVersion
    ) async throws {
        let server = try await peer.start(self.site.server, .init(version: version))
        defer { server.program.kill() }
        let socket = try await self.connect(to: server.port)
        #expect(socket.information.version == version)
        #expect(socket.information.applicationProtocol == "echo/1")
        #expect(socket.information.verifiedChainLength == 3)
        #expect(socket.information.peerCertificates.map(\.subject) == ["CN=server", "CN=Interop intermediate"])

        try await self.expectEcho(over: socket)
        if peer != .openssl { #expect(await server.program.line(behind: "ENDED ") == "well") }
    }

    @Test(arguments: PeerServer.allCases)
    func `refuses a server by its name`(_ peer: PeerServer) async throws {
        let server = try await peer.start(self.site.elsewhere)
        defer { server.program.kill() }
        for name in ["localhost", nil] {
            let error = try await #require(throws: SecureSocketError.self) {
                _ = try await self.connect(to: server.port, as: name)
            }
            #expect(error.code == .certificateVerificationFailed)
            #expect(error.certificateProblem?.kind == (name == nil ? .wrongAddress : .wrongName))
            #expect(
                error.message.hasSuffix(
                    "(CN=elsewhere) is not for \(name ?? "127.0.0.1") but for elsewhere.example, 192.0.2.1"))
        }
        // By its right name the very same server is fine.
        try await self.expectEcho(over: self.connect(to: server.port, as: "elsewhere.example"))
    }

    @Test(arguments: PeerServer.allCases)
    func `refuses a server of an authority that it does not know`(_ peer: PeerServer) async throws {
        let server = try await peer.start(self.site.server)
        defer { server.program.kill() }
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await self.connect(to: server.port, trusting: self.site.otherAuthority)
        }
        #expect(error.certificateProblem?.kind == .issuerUnknown)
        #expect(error.certificateProblem?.depth == 1)
        #expect(error.certificateProblem?.certificate?.subject == "CN=Interop intermediate")
    }

    @Test(arguments: PeerServer.allCases, TLSProtocolVersion.allCases)
    func `shows its certificate to a server that wants one`(
        _ peer: PeerServer, over version: TLSProtocolVersion
    ) async throws {
        let server = try await peer.start(self.site.server, .init(version: version, clients: self.site.authority))
        defer { server.program.kill() }
        try await self.expectEcho(over: self.connect(to: server.port, identity: self.site.client.identity))
    }

    @Test(arguments: PeerServer.allCases, TLSProtocolVersion.allCases)
    func `is told that it has to show a certificate`(
        _ peer: PeerServer, over version: TLSProtocolVersion
    ) async throws {
        let server = try await peer.start(self.site.server, .init(version: version, clients: self.site.authority))
        defer { server.program.kill() }
        let error = try await #require(throws: SecureSocketError.self) {
            let socket = try await self.connect(to: server.port)
            _ = try await socket.receive(timeout: Encounter.patience)
        }
        #expect(error.code == .alertReceived)
        #expect(error.alert?.description == (version == .tls13 ? "certificate_required" : "handshake_failure"))
    }

    @Test func `exports keying material only if it is its connection's alone`() async throws {
        let folder = try TemporaryDirectory()
        let settings = try folder.write(
            """
            openssl_conf = all
            [all]
            ssl_conf = tls
            [tls]
            system_default = old
            [old]
            Options = -ExtendedMasterSecret
            """, to: "old.cnf")
        for (version, settings) in [(TLSProtocolVersion.tls12, nil), (.tls13, settings), (.tls12, settings)] {
            let server = try await PeerServer.openssl.start(
                self.site.server, .init(version: version, openSSLSettings: settings))
            defer { server.program.kill() }
            let socket = try await self.connect(to: server.port)
            func export() async throws(SecureSocketError) -> [UInt8] {
                try await socket.exportKeyingMaterial(label: "EXPORTER-test", length: 32)
            }
            if version == .tls13 || settings == nil {
                #expect(try await export().count == 32)
            } else {
                let error = await #expect(throws: SecureSocketError.self) { try await export() }
                #expect(error?.code == .invalidConfiguration)
                #expect(error?.blame == .peer)
                #expect(
                    error?.description.hasSuffix(
                        "speaks TLS 1.2 without the extended master secret. Have the peer use TLS 1.3, or TLS 1.2 with the extended master secret (RFC 7627)"
                    ) == true)
            }
            socket.close()
        }
    }

    // MARK: Helpers

    private func connect(
        to port: Int, as name: String? = "localhost", trusting authority: String? = nil, identity: TLSIdentity? = nil
    ) async throws -> SecureSocket {
        var parameters = TLSParameters()
        parameters.applicationProtocols = ["echo/1"]
        let tls = try TLSClientConfiguration(
            trust: .only(.file(authority ?? self.site.authority)), identity: identity, serverName: name, parameters: parameters)
        return try await SecureSocket.connect(to: "127.0.0.1", port: port, tls: tls, timeout: Encounter.patience)
    }

    /// Sends and receives at the same time, finishes sending, and reads to the clean end.
    private func expectEcho(over socket: SecureSocket) async throws {
        async let sent: Void = {
            try await socket.send(Payload.text)
            try await socket.closeWriting()
        }()
        var received = ByteBuffer()
        while received.readableBytes < Payload.text.utf8.count {
            guard var chunk = try await socket.receive(timeout: Encounter.patience) else { break }
            received.writeBuffer(&chunk)
        }
        #expect(String(buffer: received) == Payload.text)
        try await sent
        #expect(try await socket.receive(timeout: Encounter.patience) == nil)
        socket.close()
        try await socket.waitUntilClosed()
    }
}
