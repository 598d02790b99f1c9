import NIOCore
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// Messages about two sides that have nothing in common. They name what each side has.
@Suite struct `Messages about failed negotiations` {
    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    /// What a server, and its client, say of a handshake that fails.
    private func errors(
        client: (inout TLSParameters) -> Void, server: (inout TLSParameters) -> Void = { _ in }
    ) throws -> (client: String, server: String) {
        var parameters = (client: TLSParameters(), server: TLSParameters())
        client(&parameters.client)
        server(&parameters.server)
        let client = try TLSEngine(
            client: self.certificates.clientConfiguration(parameters: parameters.client).context, serverName: nil, expecting: nil)
        let server = try TLSEngine(server: self.certificates.serverConfiguration(parameters: parameters.server).context)
        _ = client.handshake()
        server.receive(try #require(client.takeOutput()))
        let atServer = try self.text(of: server, .server)
        client.receive(try #require(server.takeOutput()))
        return (try self.text(of: client, .client), atServer)
    }

    private func text(of engine: TLSEngine, _ role: TLSSettings.Role) throws -> String {
        try self.error(of: engine, role).description
    }

    private func error(of engine: TLSEngine, _ role: TLSSettings.Role) throws -> SecureSocketError {
        guard case .failed(let failure) = engine.handshake() else { return try #require(nil, "the handshake did not fail") }
        return SecureSocketError(failure, role: role, step: .handshake, peer: "PEER")
    }

    /// What a server says of this hello.
    private func text(of hello: RawClientHello, _ parameters: TLSParameters = .init()) throws -> String {
        let engine = try TLSEngine(server: self.certificates.serverConfiguration(parameters: parameters).context)
        engine.receive(ByteBuffer(bytes: hello.record))
        return try self.text(of: engine, .server)
    }

    /// The server's suites for its key; their order depends on the processor.
    private var suites: String {
        get throws {
            let all = try self.certificates.serverConfiguration().context.cipherSuites
            return all.filter { $0.contains("_ECDSA_") }.joined(separator: ", ")
        }
    }

    @Test func `a client with old versions only`() throws {
        var hello = RawClientHello()
        hello.version = 0x0302
        hello.cipherSuites = [0x002f]
        #expect(
            try self.text(of: hello)
                == "PEER: it offers no version of TLS that this server has (UNSUPPORTED_PROTOCOL): it offers TLS 1.1, TLS 1.0, and this "
                + "server has TLS 1.2, TLS 1.3. Update the peer: it must have TLS 1.2 or 1.3 (RFC 8996)")
    }

    @Test func `versions that are not allowed`() throws {
        let texts = try self.errors(client: { $0.versions = .tls12 ... .tls12 }, server: { $0.versions = .tls13 ... .tls13 })
        #expect(
            texts.server
                == "PEER: it offers no version of TLS that this server has (UNSUPPORTED_PROTOCOL): it offers TLS 1.2, TLS 1.1, TLS 1.0, and "
                + "this server has TLS 1.3. Add one of its versions to `TLSParameters.versions`, or update the peer")
        #expect(
            texts.client
                == "PEER refused the connection: it speaks no version of TLS that was offered (protocol_version): TLS 1.2. "
                + "Add the other version of TLS to `TLSParameters.versions`")
    }

    @Test func `suites that the server does not have, without GREASE and signals, and by their names`() throws {
        var hello = RawClientHello()
        hello.cipherSuites = [0x0a0a, 0x0033, 0x002f, 0x1234, 0x00ff, 0x5600]
        hello.groups = [23]
        hello.signatureAlgorithms = [0x0403]
        #expect(
            try self.text(of: hello, .init(.tls12))
                == "PEER: it offers no cipher suite that this server has (NO_SHARED_CIPHER): it offers TLS_DHE_RSA_WITH_AES_128_CBC_SHA, "
                + "TLS_RSA_WITH_AES_128_CBC_SHA, 0x1234, and this server has \(self.suites), for its key (ECDSA on P-256). "
                + "Add one of the client's suites to `TLSParameters.tls12CipherSuites`, or have the client offer one of this server's"
        )
    }

    @Test func `suites for another key`() throws {
        let texts = try self.errors {
            $0.versions = .tls12 ... .tls12
            $0.tls12CipherSuites = [.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
        }
        let suites = try self.suites
        #expect(
            texts.server
                == "PEER: it offers no cipher suite that this server has (NO_SHARED_CIPHER): it offers "
                + "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, and this server has \(suites), for its key (ECDSA on P-256). "
                + "Use an identity (`TLSIdentity`) with a key of another kind, which the client's suites are for")
        #expect(
            texts.client
                == "PEER refused the connection: it does not say why; probably it has nothing in common with what was offered "
                + "(handshake_failure): TLS 1.2; suites TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256; groups X25519, P-256, P-384; "
                + "signatures ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, rsa_pkcs1_sha256, ed25519, ecdsa_secp384r1_sha384, "
                + "rsa_pss_rsae_sha384, rsa_pkcs1_sha384, ecdsa_secp521r1_sha512 and 2 more. "
                + "Compare this with what the server allows; its log may say more. What is offered is set by `TLSParameters.versions`, "
                + "`tls12CipherSuites` and `groups`")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `groups that the server does not have`(over version: TLSProtocolVersion) throws {
        // With TLS 1.2 the client's groups must include the curve of the server's key as well (RFC 8422 §5.1.1).
        let texts = try self.errors {
            $0.versions = version...version
            $0.groups = [.secp256r1]
        } server: {
            $0.groups = [.x25519, .secp384r1]
        }
        #expect(
            texts.server
                == "PEER: it offers no key exchange group that this server has (NO_SHARED_\(version == .tls12 ? "CIPHER" : "GROUP")): it "
                + "offers P-256, and this server has X25519, P-384. "
                + "Add one of the client's groups to `TLSParameters.groups`, or have the client offer one of this server's")
        #expect(texts.client.contains("; groups P-256; "))
    }

    @Test func `groups without the curve of the server's key`() throws {
        let texts = try self.errors {
            $0.versions = .tls12 ... .tls12
            $0.groups = [.x25519]
        }
        #expect(
            texts.server
                == "PEER: its groups (X25519) do not include the curve of this server's key (ECDSA on P-256) (WRONG_CURVE). "
                + "Use an identity (`TLSIdentity`) with an RSA key or one on a curve that the client has")
    }

    @Test(arguments: TLSVersion.allCases)
    func `signatures that the server's key cannot make`(over version: TLSVersion) throws {
        var hello = RawClientHello()
        hello.cipherSuites = version == .v1_2 ? [0xc02b] : [0x1301]
        hello.supportedVersions = [0x2a2a, version.rawValue]
        hello.groups = [0x3a3a, 23]
        hello.signatureAlgorithms = [0x0804, 0x0808]
        #expect(
            try self.text(of: hello)
                == "PEER: it offers no signature algorithm that this server has "
                + "(\(version == .v1_2 ? "NO_SHARED_CIPHER" : "NO_COMMON_SIGNATURE_ALGORITHMS")): it offers rsa_pss_rsae_sha256, ed448, and "
                + "this server has ecdsa_secp256r1_sha256\(version == .v1_2 ? ", ecdsa_secp384r1_sha384, ecdsa_secp521r1_sha512" : ""), for "
                + "its key (ECDSA on P-256). "
                + "Use an identity (`TLSIdentity`) with a key of another kind, or have the client offer one of these algorithms")
    }

    @Test func `application protocols`() throws {
        let texts = try self.errors {
            $0.applicationProtocols = ["http/1.1", "a\u{1b}b"]
        } server: {
            $0.applicationProtocols = ["h2"]
        }
        #expect(
            texts.server
                == "PEER: it offers no application protocol that this server has (NO_APPLICATION_PROTOCOL): it offers \"http/1.1\", "
                + "\"a\\u{1b}b\", and this server has \"h2\". "
                + "Add one of the client's protocols to `TLSParameters.applicationProtocols`, or have the client offer one of this server's"
        )
        #expect(
            texts.client
                == "PEER refused the connection: it speaks none of the application protocols offered (no_application_protocol): "
                + "\"http/1.1\", \"a\\u{1b}b\". Add a protocol that the server speaks to `TLSParameters.applicationProtocols`, or offer none"
        )
    }

    @Test func `long lists are cut`() throws {
        var hello = RawClientHello()
        // Among them are one value of GREASE.
        hello.cipherSuites = (0x2001...0x2fff).map { $0 }
        let text = try self.text(of: hello)
        #expect(
            text.contains(" 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008 and 4086 more, and this server has "))
    }

    @Test func `both offers are values of the error, with those that the library does not have`() throws {
        var hello = RawClientHello()
        hello.version = 0x0302
        hello.cipherSuites = [0x000a]
        hello.groups = [0x0100, 23]
        hello.signatureAlgorithms = [0x0402]
        let engine = try TLSEngine(server: self.certificates.serverConfiguration().context)
        engine.receive(ByteBuffer(bytes: hello.record))
        let negotiation = try #require(try self.error(of: engine, .server).negotiation)
        #expect(negotiation.parameter == .version)
        #expect(negotiation.own.versions == [.tls12, .tls13])
        #expect(negotiation.own.groups == [.x25519MLKEM768, .x25519, .secp256r1, .secp384r1])
        let peer = try #require(negotiation.peer)
        #expect(peer.versions.map(\.description) == ["TLS 1.1", "TLS 1.0"])
        #expect(peer.cipherSuites.map(\.description) == ["TLS_RSA_WITH_3DES_EDE_CBC_SHA"])
        #expect(peer.groups.map(\.description) == ["ffdhe2048", "P-256"])
        #expect(peer.signatureSchemes.map(\.description) == ["dsa_sha256"])
        #expect(peer.applicationProtocols == [])
    }

    @Test func `no configuration takes from a peer what the library does not have`() throws {
        var hello = RawClientHello()
        hello.version = 0x0302
        hello.groups = [0x0100]
        hello.cipherSuites = [0x000a]
        let engine = try TLSEngine(server: self.certificates.serverConfiguration().context)
        engine.receive(ByteBuffer(bytes: hello.record))
        let peer = try #require(try self.error(of: engine, .server).negotiation?.peer)
        var parameters = TLSParameters()
        parameters.versions = try #require(peer.versions.min()) ... .tls13
        let version = #expect(throws: SecureSocketError.self) {
            try self.certificates.clientConfiguration(parameters: parameters)
        }
        #expect(
            version?.description
                == "TLS 1.0 to TLS 1.3 are not supported. Set `TLSParameters.versions` to a range of TLS 1.2 and TLS 1.3")
        parameters = TLSParameters()
        parameters.groups = peer.groups + [.x25519]
        let group = #expect(throws: SecureSocketError.self) { try self.certificates.clientConfiguration(parameters: parameters) }
        #expect(
            group?.description
                == "the group ffdhe2048 is not supported. Use groups of `TLSNamedGroup.allCases` in `TLSParameters.groups`")
    }

    /// What a server of TLS 1.2 says of a client that answers its choice with this alert.
    private func refusal(
        _ alert: UInt8, _ tls: (TestCertificates) throws -> TLSServerConfiguration = { try $0.serverConfiguration() }
    ) throws -> SecureSocketError {
        var parameters = TLSParameters(.tls12)
        parameters.tls12CipherSuites = [.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
        let client = try TLSEngine(
            client: self.certificates.clientConfiguration(parameters: parameters).context, serverName: nil, expecting: nil)
        let server = try TLSEngine(server: tls(self.certificates).context)
        _ = client.handshake()
        server.receive(try #require(client.takeOutput()))
        #expect(server.handshake() == .waiting)
        server.receive(ByteBuffer(bytes: [21, 3, 3, 0, 2, 2, alert]))
        return try self.error(of: server, .server)
    }

    @Test func `a client that refuses what the server has chosen`() throws {
        let choice = "TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, X25519"
        #expect(
            try self.refusal(40).description
                == "PEER refused the connection: it does not accept what this server has chosen, or refuses for another reason "
                + "(handshake_failure): \(choice). The client's log may say more")
        #expect(
            try self.refusal(70).message
                == "PEER refused the connection: it does not accept the version of TLS that was chosen (protocol_version): TLS 1.2; it had "
                + "offered TLS 1.2, TLS 1.1, TLS 1.0")
        #expect(
            try self.refusal(71).message
                == "PEER refused the connection: it requires stronger cryptography than was chosen (insufficient_security): \(choice); it "
                + "had offered suites TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256; groups X25519, P-256, P-384")
        let withCertificates = try self.refusal(40) {
            try TLSServerConfiguration(identity: $0.serverIdentity, clients: .required(trust: $0.trust))
        }
        #expect(
            withCertificates.message
                == "PEER refused the connection: it does not accept what this server has chosen, has no certificate for this server's "
                + "request, or refuses for another reason (handshake_failure): \(choice)")
        #expect(withCertificates.negotiation?.peer?.groups == [.x25519, .secp256r1, .secp384r1])
    }

    @Test(.enabled(if: Program.openssl != nil, "OpenSSL 3 is not installed"), arguments: TLSProtocolVersion.allCases)
    func `a server that accepts no signature of the client's key`(over version: TLSProtocolVersion) async throws {
        let server = try await OpenSSLPeer.server("-Verify", "1", "-client_sigalgs", "rsa_pss_rsae_sha256:RSA+SHA512")
        let tls = try TLSClientConfiguration(
            trust: self.certificates.trust, identity: self.certificates.clientIdentity, parameters: .init(version))
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(to: "127.0.0.1", port: server.port, tls: tls, timeout: Encounter.patience)
        }
        #expect(error.libraryReason == "\(version == .tls12 ? "UNKNOWN_CERTIFICATE_TYPE" : "NO_COMMON_SIGNATURE_ALGORITHMS")")
        let own = version == .tls12 ? ", ecdsa_secp384r1_sha384, ecdsa_secp521r1_sha512" : ""
        #expect(
            error.message.hasSuffix(
                ": it accepts rsa_pss_rsae_sha256, rsa_pkcs1_sha512, and this client has ecdsa_secp256r1_sha256\(own), for its key "
                    + "(ECDSA on P-256)"))
        #expect(
            error.advice
                == "Use an identity (`TLSIdentity`) with a key for one of these algorithms, or have the server accept this client's"
        )
        #expect(error.negotiation?.parameter == .signatureScheme)
        #expect(error.negotiation?.peer?.signatureSchemes == [.rsaPSSSHA256, .rsaPKCS1SHA512])
        #expect(error.negotiation?.peer?.versions == [version])
    }

    @Test func `an alert after the server has chosen a suite is not put down to what was offered`() throws {
        let client = try TLSEngine(
            client: self.certificates.clientConfiguration(parameters: .init(.tls12)).context, serverName: nil, expecting: nil)
        let server = try TLSEngine(server: self.certificates.serverConfiguration().context)
        _ = client.handshake()
        server.receive(try #require(client.takeOutput()))
        _ = server.handshake()
        client.receive(try #require(server.takeOutput()))
        #expect(client.handshake() == .waiting)
        client.receive(ByteBuffer(bytes: [21, 3, 3, 0, 2, 2, 40]))
        #expect(
            try self.text(of: client, .client) == "PEER refused the connection: it does not say why (handshake_failure)"
        )
    }
}
