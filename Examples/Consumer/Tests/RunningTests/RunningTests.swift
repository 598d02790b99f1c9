// The functions under test are the examples of the article "Running a server". `.ci/examples` adds them to the copy of this package in which
// it runs these tests; without it, this target does not compile.
import Configuration
import Foundation
import SecureSockets
import SecureSocketsTesting
import Testing

// The functions that wait for a signal, bind a fixed port or read fixed paths are compiled only.
@Suite(.timeLimit(.minutes(5))) struct `The examples of running a server` {
    private let authority: DevelopmentAuthority
    private let folder: URL

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.folder = FileManager.default.temporaryDirectory.appending(path: "running-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
    }

    private func write(_ text: String, to name: String) throws -> String {
        let url = self.folder.appending(path: name)
        try Data(text.utf8).write(to: url)
        return url.path
    }

    private func tls(_ identity: TLSIdentity? = nil) throws -> TLSClientConfiguration {
        try TLSClientConfiguration(trust: self.authority.trust, identity: identity)
    }

    private func listening(_ tls: TLSServerConfiguration? = nil) async throws -> SecureListener {
        try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls ?? TLSServerConfiguration(identity: self.authority.server().identity))
    }

    private func connected(to listener: SecureListener, _ tls: TLSClientConfiguration? = nil) async throws -> SecureSocket {
        try await SecureSocket.connect(to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls ?? self.tls())
    }

    @Test func `configure a server by its files, and follow them until the listener is closed`() async throws {
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let identity = try self.authority.server()
        let files = TLSFiles(
            certificateChain: try self.write(identity.certificateChainPEM, to: "tls.crt"),
            privateKey: try self.write(identity.privateKeyPEM, to: "tls.key"),
            clientTrust: try self.write(self.authority.certificatePEM, to: "ca.crt"),
            revocationLists: try self.write(self.authority.revocationList(of: []), to: "list.crl"))
        let client = try self.tls(self.authority.client(commonName: "client").identity)
        let snapshot = try files.load()
        let byOtherRules = try TLSServerConfiguration(identity: snapshot.identity, clients: clients(of: snapshot))
        for tls in [try configuration(snapshot), byOtherRules] {
            let listener = try await self.listening(tls)
            async let accepted = listener.accept()
            let socket = try await self.connected(to: listener, client)
            #expect(try await accepted.information.peerCertificate != nil)
            socket.close()
            listener.close()
        }
        #expect(makeStrictOptions() != ListenerOptions())
        let without = TLSFiles(
            certificateChain: self.folder.appending(path: "tls.crt").path, privateKey: self.folder.appending(path: "tls.key").path
        )
        #expect(throws: TrustMissing.self) { _ = try clients(of: without.load()) }

        let listener = try await self.listening(configuration(snapshot))
        let serving = Task { try await serve(listener, files, startingFrom: snapshot) }
        let socket = try await self.connected(to: listener, client)
        try await socket.send("hello\n")
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
        socket.close()
        listener.close()
        try await serving.value
    }

    @Test func `follow the trust of a client`() async throws {
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let listener = try await self.listening()
        let files = TLSTrustFiles(try self.write(self.authority.certificatePEM, to: "ca.crt"))
        try await follow(trust: files) { tls in
            async let accepted = listener.accept()
            let socket = try await self.connected(to: listener, tls)
            socket.close()
            try await accepted.close()
        }
        listener.close()
    }

    @Test func `keep the former OCSP response if another cannot be obtained`() async throws {
        let listener = try await self.listening()
        let identity = try self.authority.server().identity
        struct ResponderIsDown: Error {}
        let (requests, request) = AsyncStream.makeStream(of: Void.self)
        let stapling = Task {
            try await keepStapled(identity, on: listener, every: .milliseconds(1)) {
                request.yield()
                throw ResponderIsDown()
            } configuration: {
                try TLSServerConfiguration(identity: $0)
            }
        }
        var count = 0
        for await _ in requests {
            count += 1
            if count == 3 { break }
        }
        stapling.cancel()
        await #expect(throws: CancellationError.self) { try await stapling.value }
        #expect(listener.statistics.configurationGeneration == 1)
        listener.close()
    }

    @Test func `select identities for tenants, each loaded once`() async throws {
        let loads = Loads()
        let tenants = Tenants { name in
            await loads.count(name)
            return name == "a.example" ? try self.authority.server(names: [name]).identity : nil
        }
        let listener = try await self.listening(server(of: tenants, standard: self.authority.server().identity))
        let serving = Task { try await listener.serve(handshakeFailed: { _, _ in }) { _ = try await $0.receive() } }
        for _ in 0..<2 {
            let socket = try await self.connected(
                to: listener,
                TLSClientConfiguration(trust: self.authority.trust, serverName: "a.example", sessions: TLSSessionCache()))
            #expect(socket.information.peerCertificate?.dnsNames == ["a.example"])
            socket.close()
        }
        #expect(await loads.counts == ["a.example": 1])
        let error = await #expect(throws: SecureSocketError.self) {
            _ = try await self.connected(
                to: listener, TLSClientConfiguration(trust: self.authority.trust, serverName: "b.example"))
        }
        #expect(error?.alert == .unrecognizedName)
        await tenants.renewed("a.example")
        _ = try await tenants.identity(for: "a.example")
        #expect(await loads.counts["a.example"] == 2)
        serving.cancel()
        try await serving.value
    }

    private actor Loads {
        private(set) var counts: [String: Int] = [:]
        func count(_ name: String) { self.counts[name, default: 0] += 1 }
    }

    @Test func `have several identities, and refuse other names`() async throws {
        let tls = try server(
            ecdsa: self.authority.server(names: ["one.example"]).identity,
            rsa: self.authority.server(names: ["one.example"], key: .rsa2048).identity,
            other: self.authority.server(names: ["x.example.net"]).identity)
        let listener = try await self.listening(tls)
        let serving = Task { try await listener.serve(handshakeFailed: { _, _ in }) { _ in } }
        func connect(as name: String) async throws -> SecureSocket {
            try await self.connected(to: listener, TLSClientConfiguration(trust: self.authority.trust, serverName: name))
        }
        for name in ["one.example", "x.example.net"] {
            let socket = try await connect(as: name)
            #expect(socket.information.peerCertificate?.dnsNames == [name])
            socket.close()
        }
        let error = await #expect(throws: SecureSocketError.self) { _ = try await connect(as: "two.example") }
        #expect(error?.alert == .unrecognizedName)
        serving.cancel()
        try await serving.value
    }

    @Test func `admit clients by their SPIFFE ID`() async throws {
        let listener = try await self.listening(
            TLSServerConfiguration(identity: self.authority.server().identity, clients: clients(of: self.authority.trust)))
        for (uri, isAdmitted) in [("spiffe://example.org/reports/1", true), ("spiffe://example.org/other", false)] {
            let identity = try self.authority.client(commonName: "client", uris: [uri]).identity
            async let accepted = listener.accept()
            let socket = try? await self.connected(to: listener, self.tls(identity))
            let server = try? await accepted
            #expect((server != nil) == isAdmitted)
            socket?.close()
            server?.close()
        }
        listener.close()
    }

    @Test func `are services, and report metrics`() async throws {
        let listener = try await self.listening()
        let reporting = Task { try await serve(listener) }
        let socket = try await self.connected(to: listener)
        try await socket.send("hello\n")
        #expect(try await socket.receiveLine() == ByteBuffer(string: "hello"))
        socket.close()
        reporting.cancel()
        _ = await reporting.result

        let other = try await self.listening()
        let running = Task { try await run(other) }
        let client = try await self.connected(to: other)
        report(other)
        try await client.send("hello\n")
        #expect(try await client.receiveLine() == ByteBuffer(string: "hello"))
        running.cancel()
        _ = await running.result
        #expect(other.isClosed)
        client.close()
    }

    @Test func `are configured by keys`() async throws {
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let identity = try self.authority.server()
        let reader = ConfigReader(
            provider: InMemoryProvider(values: [
                "port": 0,
                "tls.certificateChain": .init(.string(identity.certificateChainPEM), isSecret: false),
                "tls.privateKey": .init(.string(identity.privateKeyPEM), isSecret: true),
                "upstream.tls.trustRoots": .init(.string(self.authority.certificatePEM), isSecret: false),
            ]))
        let listener = try await bind(reader)
        async let accepted = listener.accept()
        let socket = try await self.connected(to: listener, TLSClientConfiguration(config: reader.scoped(to: "upstream")))
        socket.close()
        try await accepted.close()
        listener.close()
    }
}
