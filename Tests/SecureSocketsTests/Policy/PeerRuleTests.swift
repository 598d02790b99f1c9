import NIOCore
import SecureSockets
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `A rule about peers` {
    private let authority: DevelopmentAuthority

    init() throws { self.authority = try DevelopmentAuthority() }

    private func verdict(_ rule: PeerRule, _ peer: DevelopmentIdentity) async throws -> String? {
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0,
            tls: TLSServerConfiguration(
                identity: self.authority.server().identity, clients: .required(trust: self.authority.trust, allow: rule)),
            socketOptions: .patient, options: .patient)
        let tls = try TLSClientConfiguration(
            trust: self.authority.trust, identity: peer.identity, parameters: .init(.tls12))
        let connecting = Task {
            try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls, timeout: Encounter.patience)
        }
        do {
            _ = try await listener.accept(timeout: Encounter.patience)
            _ = try await connecting.value
            return nil
        } catch {
            #expect((error as? SecureSocketError)?.code == .rejected)
            await expectError(.alertReceived) { _ = try await connecting.value }
            return "\(error)"
        }
    }

    @Test func `admits SPIFFE IDs of a trust domain and of paths`() async throws {
        let anywhere = PeerRule.spiffe(trustDomain: "Example.org")
        let billing = PeerRule.spiffe(trustDomain: "example.org", paths: ["/billing", "/api/*"])
        for (uris, inDomain, inPaths) in [
            (["spiffe://example.org/billing"], true, true), (["spiffe://EXAMPLE.org/api/v1"], true, true),
            (["spiffe://example.org/billing/more"], true, false), (["spiffe://example.org/api"], true, false),
            (["spiffe://example.org.evil.net/billing"], false, false), (["spiffe://other.org/billing"], false, false),
            (["spiffe://example.org/billing", "spiffe://example.org/api/v1"], false, false),
            (["spiffe://example.org/api/../billing"], false, false), (["https://example.org/billing"], false, false),
            (["spiffe://example.org@evil.net/billing"], false, false), ([], false, false),
            (["spiffe://example.org/api/%2e%2e/billing"], false, false), (["spiffe://example.org"], false, false),
        ] {
            let peer = try self.authority.client(commonName: "service", uris: uris)
            #expect(try await (self.verdict(anywhere, peer) == nil) == inDomain, "\(uris)")
            #expect(try await (self.verdict(billing, peer) == nil) == inPaths, "\(uris)")
        }
    }

    @Test func `admits names in a set`() async throws {
        let peer = try self.authority.client(
            commonName: "service", names: ["Worker.example.org"], emailAddresses: ["Anna@Example.org"])
        #expect(try await self.verdict(.dnsName(in: ["worker.EXAMPLE.org", "b"]), peer) == nil)
        #expect(try await self.verdict(.dnsName(in: ["example.org", "*.example.org"]), peer) != nil)
        #expect(try await self.verdict(.emailAddress(in: ["Anna@example.org"]), peer) == nil)
        #expect(try await self.verdict(.emailAddress(in: ["anna@example.org"]), peer) != nil)
    }

    @Test func `admits pinned public keys, of the peer or of its authority`() async throws {
        let peer = try self.authority.client(commonName: "service")
        let own = try #require(peer.identity.certificates.first).publicKeyPin
        let other = try #require(self.authority.server().identity.certificates.first).publicKeyPin
        #expect(own.count == 44 && own != other)
        #expect(try await self.verdict(.publicKey(pin: own, backup: other), peer) == nil)
        #expect(try await self.verdict(.publicKey(pin: other, backup: self.authority.certificate.publicKeyPin), peer) == nil)
        let refusal = try await self.verdict(.publicKey(pin: other, backup: other), peer)
        #expect(refusal?.contains("no certificate of the chain has a pinned public key") == true)
    }

    @Test func `combines others`() async throws {
        let peer = try self.authority.client(commonName: "service", names: ["a.example"])
        let (good, bad) = (PeerRule.dnsName(in: ["a.example"]), PeerRule.dnsName(in: ["b.example"]))
        #expect(try await self.verdict(.all(good, good), peer) == nil)
        #expect(try await self.verdict(.all(good, bad), peer) != nil)
        #expect(try await self.verdict(.any(bad, good), peer) == nil)
        #expect(try await self.verdict(.any(bad, bad), peer) != nil)
        #expect(try await self.verdict(.any(), peer) != nil)
    }

    @Test func `names its reason here and sends its alert there`() async throws {
        let rule = PeerRule { peer in
            throw TLSRejection("the account \(peer.certificate.subject) is closed", alert: .certificateRevoked)
        }
        let text = try #require(try await self.verdict(rule, self.authority.client(commonName: "anna")))
        #expect(text.contains("the account CN=anna is closed") && text.contains("certificate_revoked"))
    }

    @Test(arguments: [0, 90, 100, 44])
    func `sends an alert that is an error, whatever it names`(codePoint: UInt8) async throws {
        let rule = PeerRule { _ in throw TLSRejection("closed", alert: TLSAlert(codePoint: codePoint)) }
        let text = try #require(try await self.verdict(rule, self.authority.client(commonName: "anna")))
        #expect(text.contains(codePoint == 44 ? "certificate_revoked" : "access_denied"))
    }

    // MARK: Time

    private func listener(_ rule: PeerRule, _ change: (inout ListenerOptions) -> Void) async throws -> SecureListener {
        var options = ListenerOptions.patient
        change(&options)
        return try await SecureListener.bind(
            host: "127.0.0.1", port: 0,
            tls: TLSServerConfiguration(
                identity: self.authority.server().identity, clients: .optional(trust: self.authority.trust, allow: rule)),
            socketOptions: .patient, options: options)
    }

    private func connect(to listener: SecureListener, _ peer: DevelopmentIdentity?) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port,
            tls: TLSClientConfiguration(
                trust: self.authority.trust, identity: peer?.identity, parameters: .init(.tls12)),
            timeout: Encounter.patience)
    }

    @Test func `that does not end costs its handshake's time, and other clients nothing`() async throws {
        let gate = Gate()
        let listener = try await self.listener(gate.rule) { $0.handshakeTimeout = .seconds(3) }
        let failures = Mutex<[SecureSocketError.Code]>([])
        async let serving: Void = listener.serve(handshakeFailed: { error, _ in failures.withLock { $0.append(error.code) } }) {
            try await $0.send("x")
        }
        let peer = try self.authority.client(commonName: "service")
        let attack = Task { try await self.connect(to: listener, peer) }
        await gate.hasBeenAsked(1)
        let honest = try await self.connect(to: listener, nil)
        #expect(try await honest.receive(exactly: 1) == ByteBuffer(string: "x"))
        honest.close()
        await #expect(throws: SecureSocketError.self) { _ = try await attack.value }
        gate.open()
        listener.close()
        try await serving
        #expect(failures.withLock { $0 } == [.timedOut])
    }

    @Test func `is asked about a bounded number of peers at a time, and the others wait`() async throws {
        let gate = Gate()
        let listener = try await self.listener(gate.rule) { $0.maximumDecisions = 2 }
        async let serving: Void = listener.serve { try await $0.send("x") }
        let peer = try self.authority.client(commonName: "service")
        let clients = (0..<5).map { _ in
            Task {
                let socket = try await self.connect(to: listener, peer)
                defer { socket.close() }
                return try await socket.receive(exactly: 1)
            }
        }
        await gate.hasBeenAsked(2)
        // A client about whom there is nothing to decide does not wait.
        let honest = try await self.connect(to: listener, nil)
        #expect(try await honest.receive(exactly: 1) == ByteBuffer(string: "x"))
        honest.close()
        #expect(gate.count == 2)
        gate.open()
        for client in clients { #expect(try await client.value == ByteBuffer(string: "x")) }
        #expect(gate.count == 5)
        listener.close()
        try await serving
    }

    /// Anybody can send a hello. Only clients with certificates have others decided about.
    @Test func `is asked about a peer while selections of identities occupy their limit`() async throws {
        var options = ListenerOptions.patient
        options.maximumDecisions = 1
        let asked = AsyncStream<Void>.makeStream()
        let tls = try TLSServerConfiguration(
            identities: [ServerIdentity(for: ["known.example"], self.authority.server(names: ["known.example"]).identity)],
            selectIdentity: { _ in
                asked.continuation.yield()
                await untilCancelled()
                return nil
            },
            clients: .required(trust: self.authority.trust, allow: PeerRule { _ in }))
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: options)
        let serving = Task { try await listener.serve { try await $0.send("x") } }
        let client = try self.authority.client(commonName: "service").identity
        func connect(as name: String) async throws -> SecureSocket {
            try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port,
                tls: TLSClientConfiguration(
                    trust: self.authority.trust, verification: .dangerouslyWithoutHostName, identity: client, serverName: name),
                timeout: Encounter.patience)
        }
        let attacks = ["a.example", "b.example"].map { name in Task { try await connect(as: name) } }
        _ = await asked.stream.first { _ in true }
        let honest = try await connect(as: "known.example")
        #expect(try await honest.receive(exactly: 1) == ByteBuffer(string: "x"))
        honest.close()
        for attack in attacks { attack.cancel() }
        for attack in attacks { _ = await attack.result }
        serving.cancel()
        _ = await serving.result
    }

    @Test func `about a server decides within connect`() async throws {
        let listener = try await self.listener(PeerRule { _ in }) { _ in }
        async let serving: Void = listener.serve { try await $0.send("x") }
        for isPinned in [true, false] {
            let pin = isPinned ? self.authority.certificate.publicKeyPin : "another"
            let tls = try TLSClientConfiguration(trust: self.authority.trust, allow: .publicKey(pin: pin, backup: "lost"))
            let connecting = Task {
                try await SecureSocket.connect(
                    to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls, timeout: Encounter.patience)
            }
            if isPinned {
                let socket = try await connecting.value
                #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
                socket.close()
            } else {
                await expectError(.rejected) { _ = try await connecting.value }
            }
        }
        listener.close()
        try await serving
    }
}

@Suite(.timeLimit(.minutes(5))) struct `The identities of a listener` {
    private let authority: DevelopmentAuthority

    init() throws { self.authority = try DevelopmentAuthority() }

    private func identity(_ name: String, key: DevelopmentIdentity.Key = .p256) throws -> TLSIdentity {
        try self.authority.server(names: [name], key: key).identity
    }

    private func answer(_ tls: TLSServerConfiguration, to name: String) async throws -> [String] {
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: .patient)
        let serving = Task { try await listener.serve { _ in } }
        defer { serving.cancel() }
        let socket = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port,
            tls: TLSClientConfiguration(
                trust: self.authority.trust, verification: .dangerouslyWithoutHostName, serverName: name),
            timeout: Encounter.patience)
        socket.close()
        return socket.information.peerCertificate?.dnsNames ?? []
    }

    @Test func `are chosen by name, and the names are those of the certificate if none are given`() async throws {
        let tls = try TLSServerConfiguration(identities: [
            ServerIdentity(self.identity("a.example")), ServerIdentity(self.identity("*.wild.example")),
            ServerIdentity(for: ["alias.example"], self.identity("b.example")),
        ])
        #expect(try await self.answer(tls, to: "a.example") == ["a.example"])
        #expect(try await self.answer(tls, to: "x.wild.example") == ["*.wild.example"])
        #expect(try await self.answer(tls, to: "alias.example") == ["b.example"])
        #expect(try await self.answer(tls, to: "elsewhere.example") == ["a.example"])
    }

    @Test func `are selected by the program from the hello`() async throws {
        let (one, two) = (try self.identity("one.example"), try self.identity("two.example"))
        let fingerprints = Mutex<[String]>([])
        let tls = try TLSServerConfiguration(
            identities: [ServerIdentity(one)], unknownServerNames: .refused,
            selectIdentity: { hello in
                fingerprints.withLock { $0.append(hello.fingerprint) }
                #expect(hello.remoteEndpoint?.host == "127.0.0.1")
                #expect(hello.cipherSuites.contains(.TLS_AES_128_GCM_SHA256))
                if hello.serverName == "broken.example" { throw CancellationError() }
                return hello.serverName == "two.example" ? two : nil
            })
        #expect(try await self.answer(tls, to: "one.example") == ["one.example"])
        for _ in 0..<2 { #expect(try await self.answer(tls, to: "two.example") == ["two.example"]) }
        for name in ["three.example", "broken.example"] {
            await expectError(.alertReceived) { _ = try await self.answer(tls, to: name) }
        }
        let seen = fingerprints.withLock { $0 }
        #expect(seen.count == 4 && Set(seen).count == 1)
        #expect(seen.first?.hasPrefix("t13d") == true)
    }

    @Test func `are refused to every name if none is listed and the program knows none`() async throws {
        let tls = try TLSServerConfiguration(
            identities: [ServerIdentity(for: [], self.identity("one.example"))], unknownServerNames: .refused,
            selectIdentity: { _ in nil })
        await expectError(.alertReceived) { _ = try await self.answer(tls, to: "one.example") }
    }

    /// With TLS 1.3, the signature algorithms decide, not the cipher suites. Clients of this library offer all of them, so OpenSSL's is used.
    @Test(
        .enabled(if: Program.openssl != nil),
        arguments: [("rsa_pss_rsae_sha256", "RSA-PSS"), ("ecdsa_secp256r1_sha256", "ECDSA")])
    func `are chosen by the signatures that a client of TLS 1.3 can verify`(algorithm: String, kind: String) async throws {
        for keys in [[DevelopmentIdentity.Key.p256, .rsa2048], [.rsa2048, .p256]] {
            let identities = try keys.map { try self.identity("a.example", key: $0) }
            let listener = try await SecureListener.bind(
                host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identities: [ServerIdentity(for: [], identities)]),
                socketOptions: .patient, options: .patient)
            let serving = Task { try await listener.serve { _ in } }
            defer { serving.cancel() }
            let client = try await OpenSSLPeer.client(
                to: listener.localEndpoint.port, "-tls1_3", "-sigalgs", algorithm, "-servername", "a.example")
            #expect(await client.program.line(behind: "Peer signature type: ") == kind)
            client.program.kill()
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases, EventLoops.allCases)
    func `are selected within the handshake's time, or the handshake fails`(
        version: TLSProtocolVersion, loops: EventLoops
    ) async throws {
        // The function ignores the cancellation of its task.
        let gate = Gate()
        let one = try self.identity("one.example")
        let tls = try TLSServerConfiguration(
            identities: [ServerIdentity(one)],
            selectIdentity: { _ in
                await gate.wait()
                return one
            }, parameters: TLSParameters(version))
        var options = ListenerOptions.patient
        options.handshakeTimeout = .seconds(3)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: options, on: loops.group)
        let (failures, failure) = AsyncStream.makeStream(of: SecureSocketError.Code.self)
        async let serving: Void = listener.serve(handshakeFailed: { error, _ in failure.yield(error.code) }) {
            try await $0.send("x")
        }
        @Sendable func connect(as name: String) async throws -> SecureSocket {
            try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port,
                tls: TLSClientConfiguration(
                    trust: self.authority.trust, verification: .dangerouslyWithoutHostName, serverName: name),
                timeout: Encounter.patience, on: loops.group)
        }
        let before = ContinuousClock.now
        let attack = Task { try await connect(as: "two.example") }
        await gate.hasBeenAsked(1)
        let honest = try await connect(as: "one.example")
        #expect(try await honest.receive(exactly: 1) == ByteBuffer(string: "x"))
        honest.close()
        #expect(await failures.first { _ in true } == .timedOut)
        #expect(ContinuousClock.now - before >= .seconds(3))
        await #expect(throws: SecureSocketError.self) { _ = try await attack.value }
        #expect(listener.statistics.handshakesInProgress == 0)
        gate.open()
        listener.close()
        try await serving
    }

    @Test func `must have a certificate, and no name twice`() throws {
        let identity = try self.identity("a.example")
        #expect(throws: SecureSocketError(.identityMissing, "")) { try TLSServerConfiguration(identities: []) }
        #expect(throws: SecureSocketError(.identityMissing, "")) {
            try TLSServerConfiguration(identities: [ServerIdentity(identity), ServerIdentity(for: ["b.example"], [])])
        }
        #expect(throws: SecureSocketError(.invalidConfiguration, "")) {
            try TLSServerConfiguration(identities: [ServerIdentity(identity), ServerIdentity(for: ["A.example"], identity)])
        }
    }
}

extension SecureSocketError {
    fileprivate init(_ code: Code, _ text: String) { self.init(code, blame: .configuration, step: .configuring, text) }
}
