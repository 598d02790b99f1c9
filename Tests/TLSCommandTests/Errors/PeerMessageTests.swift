import DevelopmentCertificates
import SecureSockets
import SecureSocketsTesting
import TLSEngine
import TestSupport
import Testing

/// The tool's messages about connections that the peer refused or broke.
@Suite(.timeLimit(.minutes(5))) struct `Messages about peers` {
    private let folder: TemporaryDirectory
    private let authority: String

    init() throws {
        self.folder = try TemporaryDirectory()
        self.authority = try self.folder.write(TestCertificates.shared.get().authority.certificatePEM, to: "ca.pem")
    }

    /// `tls connect` to a server on 127.0.0.1 with a certificate of the test authority.
    private func connect(to port: Int, _ options: [String] = []) throws -> Tool {
        try Tool(["connect", "127.0.0.1:\(port)", "--ca", self.authority] + options)
    }

    /// Expects the tool to end with this message, in which SERVER stands for the address.
    private func expect(_ tool: Tool, _ text: String, port: Int, sourceLocation: SourceLocation = #_sourceLocation) async {
        let outcome = await tool.outcome()
        #expect(outcome.status == 1, sourceLocation: sourceLocation)
        #expect(
            outcome.errors.split(separator: "\n").last { $0.hasPrefix("tls: ") }.map {
                $0.replacing("127.0.0.1:\(port)", with: "SERVER")
            }
                == "tls: \(text)",
            sourceLocation: sourceLocation)
    }

    // MARK: Renegotiation

    @Test(.enabled(if: Program.openssl != nil, "OpenSSL 3 is not installed"))
    func `a server that asks to renegotiate`() async throws {
        let server = try await OpenSSLPeer.server("-tls1_2")
        let tool = try self.connect(to: server.port, ["--info"])
        _ = await tool.errors.line(with: "connected to")
        try await server.program.send("r\n")
        await self.expect(
            tool,
            "SERVER: it asked to renegotiate, which is refused here. If the server does this to ask for a client certificate, have it "
                + "ask in the first handshake.", port: server.port)
    }

    @Test(.enabled(if: Program.openssl != nil, "OpenSSL 3 is not installed"))
    func `a client that asks to renegotiate`() async throws {
        let serving = try await Serving()
        let client = try await OpenSSLPeer.client(to: serving.port, "-tls1_2")
        _ = try await serving.log("accepted")
        try await client.program.send("R\n")
        let error = try #require(try await serving.log("ended").error)
        #expect(error.message.hasSuffix(": it asked to renegotiate, which is refused here"))
        #expect(error.advice == "Turn off renegotiation in the client; TLS 1.3 does not have it")
    }

    // MARK: Certificates that the peer judges

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a server that requires a client certificate`(over version: TLSProtocolVersion) async throws {
        let own = try TestCertificates.shared.get()
        let outcome = try await self.outcome(
            of: TLSServerConfiguration(
                identity: own.serverIdentity, clients: .required(trust: own.trust), parameters: self.parameters(version)))
        let alert = version == .tls12 ? "handshake_failure" : "certificate_required"
        #expect(
            outcome
                == "tls: SERVER refused the connection: it asked for a client certificate issued by CN=Test authority and got none "
                + "(\(alert)). Pass one with --cert FILE and --key FILE.\n")
    }

    @Test func `a client that shows no certificate, or one of another authority`() async throws {
        let certificates = try CertificateFiles()
        let serving = try await Serving(certificates, "--client-ca", certificates.authority, "--require-client-certificate")
        #expect(try await serving.connect().status == 1)
        let error = try #require(try await serving.log("handshakeFailed").error)
        #expect(error.message.hasSuffix(": it showed no certificate, and one is required"))
        let advice = try #require(error.advice)
        #expect(advice.hasPrefix("Give the client a certificate of an authority that this server trusts (CN="))
        #expect(advice.hasSuffix("), or leave out --require-client-certificate"))

        let stranger = try CertificateFiles()
        let strange = try await serving.connect(arguments: stranger.client)
        #expect(strange.status == 1)
        #expect(
            strange.errors.contains("it does not trust the authority of this client's certificate (CN="), "\(strange.errors)")
        withExtendedLifetime(stranger.folder) {}
    }

    @Test func `a client that refuses the server's certificate`() async throws {
        let serving = try await Serving()
        _ = try await Tool.run("connect", serving.address, "--ca", self.authority)
        let error = try #require(try await serving.log("handshakeFailed").error)
        #expect(
            error.message.contains(" refused the connection: it does not trust the authority of this server's certificate (CN="))
    }

    // MARK: Other protocols

    @Test func `a server that greets without TLS`() async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in
            try socket.send("220 mail.example ESMTP\r\n")
            try socket.receiveUntilEnd()
        }
        await self.expect(
            try self.connect(to: server.port),
            "SERVER: it does not speak TLS on this port: it sent an SMTP greeting, \"220 mail.example ESMTP\". Here TLS begins only "
                + "after STARTTLS, which this connection does not send; direct TLS is port 465.", port: server.port)
        try await played
        server.close()
    }

    @Test func `a client that does not speak TLS`() async throws {
        let serving = try await Serving()
        try await onThread {
            let client = try RawSocket.connect(to: serving.port)
            try client.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
            try client.receiveUntilEnd()
        }
        let error = try #require(try await serving.log("handshakeFailed").error)
        #expect(
            error.message.hasSuffix(
                ": it does not speak TLS on this port: it sent a header of the PROXY protocol, \"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\""
            ))
        #expect(error.advice == "Turn the PROXY protocol off in the load balancer: it is not supported here")
    }

    // MARK: Nothing in common

    @Test func `a client and a server without a common application protocol`() async throws {
        let serving = try await Serving(nil, "--alpn", "h2")
        let outcome = try await serving.connect("--alpn", "http/1.1,spdy")
        #expect(outcome.status == 1)
        // Their order depends on the processor.
        let older = try TestCertificates.shared.get().clientConfiguration().context.cipherSuites.joined(separator: ", ")
        let suites = "TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, \(older)"
        #expect(
            outcome.errors
                == "tls: \(serving.address) refused the connection: it speaks none of the application protocols offered "
                + "(no_application_protocol): \"http/1.1\", \"spdy\". Pass others with --alpn LIST.\n"
                + "  this side:\n    versions     TLS 1.2, TLS 1.3\n    ciphers      \(suites)\n"
                + "    groups       X25519MLKEM768, X25519, P-256, P-384\n"
                + "    signatures   ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, rsa_pkcs1_sha256, ed25519, ecdsa_secp384r1_sha384, "
                + "rsa_pss_rsae_sha384, rsa_pkcs1_sha384, ecdsa_secp521r1_sha512, rsa_pss_rsae_sha512, rsa_pkcs1_sha512\n"
                + "    protocols    http/1.1, spdy\n  the peer has not stated its own\n")
        let json = try await serving.connect("--alpn", "http/1.1", "--json")
        #expect(json.errors.contains(#""applicationProtocols":["http/1.1"]"#))
        #expect(json.errors.contains(#""parameter":"applicationProtocol""#))
        let error = try #require(try await serving.log("handshakeFailed").error)
        #expect(error.message.hasSuffix(": it offers \"http/1.1\", \"spdy\", and this server has \"h2\""))
        #expect(error.advice == "Pass one of the client's protocols with --alpn LIST")
    }

    @Test func `a server that does not say what is wrong`() async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in
            _ = try socket.receiveRecord()
            try socket.send([21, 3, 3, 0, 2, 2, 40])
            try socket.receiveUntilEnd()
        }
        let outcome = await (try self.connect(to: server.port)).outcome()
        #expect(outcome.status == 1)
        #expect(
            outcome.errors.contains(
                " refused the connection: it does not say why; probably it has nothing in common with what was offered "
                    + "(handshake_failure): TLS 1.2, TLS 1.3; suites TLS_AES_128_GCM_SHA256, "))
        try await played
        server.close()
    }

    @Test func `a client with old versions only`() async throws {
        let serving = try await Serving()
        try await onThread {
            var hello = RawClientHello()
            hello.version = 0x0301
            hello.cipherSuites = [0x002f]
            let client = try RawSocket.connect(to: serving.port)
            try client.send(hello.record)
            try client.receiveUntilEnd()
        }
        let error = try #require(try await serving.log("handshakeFailed").error)
        #expect(error.message.hasSuffix(": it offers TLS 1.0, and this server has TLS 1.2, TLS 1.3"))
        #expect(error.advice == "Update the peer: it must have TLS 1.2 or 1.3 (RFC 8996)")
    }

    @Test func `a server with old versions only`() async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in
            _ = try socket.receiveRecord()
            // A ServerHello (RFC 8446 §4.1.3) of TLS 1.0.
            try socket.send([22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1] + [UInt8](repeating: 7, count: 32) + [0, 0, 0x2f, 0])
            try socket.receiveUntilEnd()
        }
        await self.expect(
            try self.connect(to: server.port),
            "SERVER: it chose TLS 1.0, which is not allowed here (UNSUPPORTED_PROTOCOL): this client has TLS 1.2, TLS 1.3. "
                + "Update the peer: it must have TLS 1.2 or 1.3 (RFC 8996).", port: server.port)
        try await played
        server.close()
    }

    // MARK: Messages that are too long

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a server with too many certificates`(over version: TLSProtocolVersion) async throws {
        let own = try TestCertificates.shared.get()
        let bundle = String(repeating: own.authority.certificatePEM, count: 400)
        let identity = try TLSIdentity(
            certificateChain: .text(own.server.certificateChainPEM + bundle), privateKey: .text(own.server.privateKeyPEM))
        let length = identity.certificates.reduce(3) { $0 + 3 + $1.derBytes.count }
        let text =
            version == .tls12
            ? "is \(length) bytes long, and at most 102400 are accepted" : "is longer than the 102400 bytes that are accepted"
        let outcome = try await self.outcome(of: TLSServerConfiguration(identity: identity, parameters: self.parameters(version)))
        #expect(
            outcome
                == "tls: SERVER: its certificate message \(text) (EXCESSIVE_MESSAGE_SIZE). Have the server send its own certificate "
                + "and the intermediates, and not all authorities that it trusts.\n")
    }

    @Test func `a client whose hello is too long`() async throws {
        let serving = try await Serving()
        try await onThread {
            let client = try RawSocket.connect(to: serving.port)
            try client.send([22, 3, 1, 0, 4, 1, 1, 0, 0] + [22, 3, 1, 0, 1, 0])
            try client.receiveUntilEnd()
        }
        let error = try #require(try await serving.log("handshakeFailed").error)
        #expect(
            error.message.hasSuffix(
                ": its ClientHello is 65536 bytes long, and at most 16384 are accepted (EXCESSIVE_MESSAGE_SIZE)"))
    }

    // MARK: Breaches of the protocol

    @Test func `a server that fails for a reason of its own`() async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in
            _ = try socket.receiveRecord()
            try socket.send([21, 3, 3, 0, 2, 2, 80])
            try socket.receiveUntilEnd()
        }
        await self.expect(
            try self.connect(to: server.port),
            "SERVER refused the connection: it failed for an internal reason (internal_error). Its log may say more.",
            port: server.port)
        try await played
        server.close()
    }

    @Test func `a client that falls back to an older version`() async throws {
        let serving = try await Serving()
        try await onThread {
            var hello = RawClientHello()
            hello.cipherSuites = [0xc02b, 0x5600]
            let client = try RawSocket.connect(to: serving.port)
            try client.send(hello.record)
            try client.receiveUntilEnd()
        }
        let error = try #require(try await serving.log("handshakeFailed").error)
        #expect(
            error.message.hasSuffix(
                ": it tries again with an older version of TLS than this server has, as clients do after a failed attempt (INAPPROPRIATE_FALLBACK)"
            ))
        #expect(
            error.advice == "Find out why its first attempt failed: it, or something in between, may not tolerate TLS 1.3")
    }

    /// What `tls connect` says of a server with these settings, after which it ends.
    private func outcome(of tls: TLSServerConfiguration, _ options: [String] = []) async throws -> String {
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: .patient)
        async let serving: Void = listener.serve(handshakeFailed: { _, _ in }) { _ = try await $0.receive() }
        let port = listener.localEndpoint.port
        let outcome = await (try self.connect(to: port, options)).outcome()
        listener.close()
        try await serving
        return outcome.errors.replacing("127.0.0.1:\(port)", with: "SERVER")
    }

    private func parameters(_ version: TLSProtocolVersion) -> TLSParameters {
        var parameters = TLSParameters()
        parameters.versions = version...version
        return parameters
    }
}
