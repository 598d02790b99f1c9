import DevelopmentCertificates
import Foundation
import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// nginx as a server, and our client.
@Suite(.serialized, .enabled(if: Nginx.program != nil, "needs nginx with TLS"), .timeLimit(.minutes(5)))
struct `A server of nginx` {
    private let authority: DevelopmentAuthority
    private let folder: TemporaryDirectory

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.folder = try TemporaryDirectory()
        _ = try self.folder.write(self.authority.certificatePEM, to: "ca.pem")
    }

    /// A `server` block with a certificate for its name.
    private func server(_ name: String, at address: String, _ identity: DevelopmentIdentity, _ directives: String) throws
        -> String
    {
        """
        server {
        listen \(address) ssl;
        server_name \(name);
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate \(try self.folder.write(identity.certificateChainPEM, to: "\(name).pem"));
        ssl_certificate_key \(try self.folder.write(identity.privateKeyPEM, to: "\(name)-key.pem"));
        \(directives)
        }
        """
    }

    private func connect(
        to nginx: Nginx, as name: String, _ version: TLSProtocolVersion, identity: DevelopmentIdentity? = nil,
        trust: TLSTrust? = nil, tls12CipherSuites: [TLSCipherSuite]? = nil
    ) async throws(SecureSocketError) -> SecureSocket {
        var parameters = TLSParameters()
        parameters.versions = version...version
        parameters.tls12CipherSuites = tls12CipherSuites
        let tls = try TLSClientConfiguration(
            trust: trust ?? self.authority.trust, identity: identity?.identity, serverName: name, parameters: parameters)
        return try await SecureSocket.connect(to: "127.0.0.1", port: nginx.port, tls: tls, timeout: Encounter.patience)
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `has a certificate for each name, and refuses others`(version: TLSProtocolVersion) async throws {
        let names = ["a.example", "b.example"]
        let identities = try names.map { try self.authority.server(names: [$0]) }
        let nginx = try await Nginx(in: self.folder) { address in
            let servers = try zip(names, identities).map { name, identity in
                try self.server(name, at: address, identity, "location / { return 200 $ssl_server_name; }")
            }
            return servers.joined() + """
                server {
                listen \(address) ssl default_server;
                ssl_protocols TLSv1.2 TLSv1.3;
                ssl_reject_handshake on;
                }
                """
        }
        for (name, identity) in zip(names, identities) {
            let socket = try await self.connect(to: nginx, as: name, version)
            #expect(socket.information.peerCertificate == identity.certificate)
            #expect(socket.information.version == version)
            #expect(try await socket.get(host: name) == (200, name))
        }
        let error = await #expect(throws: SecureSocketError.self) {
            _ = try await self.connect(to: nginx, as: "c.example", version)
        }
        #expect(error?.code == .alertReceived)
        #expect(error?.alert?.description == "unrecognized_name")
    }

    @Test func `has an ECDSA and an RSA certificate, and shows our client the one that it can verify`() async throws {
        let ecdsa = try self.authority.server(names: ["a.example", "ecdsa.example"])
        let rsa = try self.authority.server(names: ["a.example"], key: .rsa2048)
        let files = try rsa.files(in: self.folder)
        let nginx = try await Nginx(in: self.folder) { address in
            let answer = "location / { return 200 hello; }"
            let second = "ssl_certificate \(files.chain); ssl_certificate_key \(files.key);"
            return try self.server("a.example", at: address, ecdsa, second + answer)
                + self.server("ecdsa.example", at: address, ecdsa, answer)
        }
        let (onlyECDSA, onlyRSA): (TLSCipherSuite, TLSCipherSuite) = (
            .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
        for (suite, identity) in [(onlyECDSA, ecdsa), (onlyRSA, rsa)] {
            let socket = try await self.connect(to: nginx, as: "a.example", .tls12, tls12CipherSuites: [suite])
            #expect(socket.information.peerCertificate == identity.certificate)
            #expect(try await socket.get(host: "a.example") == (200, "hello"))
        }
        let error = await #expect(throws: SecureSocketError.self) {
            _ = try await self.connect(to: nginx, as: "ecdsa.example", .tls12, tls12CipherSuites: [onlyRSA])
        }
        #expect(error?.alert == .handshakeFailure)
        // Our client verifies both.
        let socket = try await self.connect(to: nginx, as: "a.example", .tls13)
        #expect([ecdsa.certificate, rsa.certificate].contains(socket.information.peerCertificate))
        #expect(try await socket.get(host: "a.example") == (200, "hello"))
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `refuses our client's certificate if its list revokes it`(version: TLSProtocolVersion) async throws {
        let admitted = try self.authority.client(commonName: "admitted")
        let revoked = try self.authority.client(commonName: "revoked")
        let list = try self.folder.write(self.authority.revocationList(of: [revoked.certificate]), to: "list.pem")
        let identity = try self.authority.server(names: ["a.example"])
        let nginx = try await Nginx(in: self.folder) { address in
            // nginx completes the handshake and refuses the request. 495: the certificate does not verify; 496: there is none.
            try self.server(
                "a.example", at: address, identity,
                """
                ssl_verify_client on;
                ssl_client_certificate \(self.folder.path(of: "ca.pem"));
                ssl_crl \(list);
                error_page 495 496 =403 @refused;
                location / { return 200 "$ssl_client_verify $ssl_client_s_dn"; }
                location @refused { return 403 $ssl_client_verify; }
                """)
        }
        func answer(_ identity: DevelopmentIdentity?) async throws -> (Int?, String) {
            try await self.connect(to: nginx, as: "a.example", version, identity: identity).get(host: "a.example")
        }
        #expect(try await answer(admitted) == (200, "SUCCESS CN=admitted"))
        #expect(try await answer(revoked) == (403, "FAILED:certificate revoked"))
        #expect(try await answer(nil) == (403, "NONE"))
        let log = try await nginx.stop()
        #expect(log.contains("client SSL certificate verify error: (23:certificate revoked)"), "\(log)")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `staples the response that our client requires`(version: TLSProtocolVersion) async throws {
        let stapled = try StapledServer(mustStaple: true)
        let trust = try stapled.trust
        let chain = try self.folder.write(stapled.leaf.pem, to: "stapled.pem")
        let key = try self.folder.write(stapled.leaf.key.pem, to: "stapled-key.pem")
        func problem(with response: [UInt8]?) async throws -> CertificateProblem.Kind? {
            var stapling = ""
            if let response {
                stapling = "ssl_stapling on; ssl_stapling_file \(try self.folder.write(response, to: "response.der"));"
            }
            let nginx = try await Nginx(in: self.folder) { address in
                """
                server {
                listen \(address) ssl;
                ssl_protocols TLSv1.2 TLSv1.3;
                ssl_certificate \(chain);
                ssl_certificate_key \(key);
                \(stapling)
                location / { return 200 hello; }
                }
                """
            }
            do throws(SecureSocketError) {
                let socket = try await self.connect(to: nginx, as: "localhost", version, trust: trust)
                #expect(try await socket.get(host: "localhost") == (200, "hello"))
                return nil
            } catch {
                guard let problem = error.certificateProblem else { throw error }
                return problem.kind
            }
        }
        #expect(try await problem(with: stapled.response()) == nil)
        #expect(try await problem(with: stapled.response(.revoked(.now))) == .revoked)
        #expect(try await problem(with: nil) == .statusResponseMissing)
    }
}

/// nginx as a client of our listener: a reverse proxy, which keeps one session per address, whatever name it requests.
@Suite(.serialized, .enabled(if: Nginx.program != nil, "needs nginx with TLS"), .timeLimit(.minutes(5)))
struct `A proxy of nginx` {
    private let authority: DevelopmentAuthority
    private let folder: TemporaryDirectory

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.folder = try TemporaryDirectory()
        _ = try self.folder.write(self.authority.certificatePEM, to: "ca.pem")
    }

    private func tls(
        by authority: DevelopmentAuthority? = nil, clients: TLSServerConfiguration.ClientAuthentication = .none
    ) throws -> TLSServerConfiguration {
        let identities = try ["a.example", "b.example"].map { try (authority ?? self.authority).server(names: [$0]) }
        return try TLSServerConfiguration(
            identities: identities.map { ServerIdentity($0.identity) }, unknownServerNames: .refused, clients: clients)
    }

    /// Starts a proxy that requests and verifies the host of each request, in front of a listener. Returns the proxy's error log.
    private func withProxy(
        _ version: TLSProtocolVersion, _ tls: TLSServerConfiguration, client: DevelopmentIdentity? = nil,
        _ body: (SecureListener, HandshakeFailures, _ get: (String) async throws -> (status: Int?, body: String)) async throws ->
            Void
    ) async throws -> String {
        var identity = ""
        if let client {
            identity = """
                proxy_ssl_certificate \(try self.folder.write(client.certificateChainPEM, to: "client.pem"));
                proxy_ssl_certificate_key \(try self.folder.write(client.privateKeyPEM, to: "client-key.pem"));
                """
        }
        var log = ""
        try await withServedListener(tls, { try await $0.answerRequest() }) { listener, failures in
            let nginx = try await Nginx(in: self.folder) { address in
                """
                server {
                listen \(address);
                location / {
                proxy_pass https://127.0.0.1:\(listener.localEndpoint.port);
                proxy_ssl_protocols \(version == .tls12 ? "TLSv1.2" : "TLSv1.3");
                proxy_ssl_server_name on;
                proxy_ssl_name $host;
                proxy_ssl_verify on;
                proxy_ssl_trusted_certificate \(self.folder.path(of: "ca.pem"));
                proxy_ssl_session_reuse on;
                \(identity)
                }
                }
                """
            }
            try await body(listener, failures) { host in
                try await PlainSocket.connect(to: "127.0.0.1", port: nginx.port, timeout: Encounter.patience).get(host: host)
            }
            log = try await nginx.stop()
        }
        return log
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `gets the identity of the host, and resumes only its sessions`(version: TLSProtocolVersion) async throws {
        _ = try await self.withProxy(version, self.tls()) { listener, failures, get in
            #expect(try await get("a.example") == (200, "a.example "))
            #expect(try await get("a.example") == (200, "a.example "))
            #expect(listener.statistics.resumedHandshakes == 1)
            #expect(listener.statistics.declinedSessions == 0)
            // It offers the session of the other name, which verified another certificate.
            #expect(try await get("b.example") == (200, "b.example "))
            #expect(listener.statistics.declinedSessions == 1)
            #expect(try await get("b.example") == (200, "b.example "))
            #expect(listener.statistics.resumedHandshakes == 2)

            // Certificates that were renewed, and the same names: the same identities.
            try await listener.update(tls: self.tls())
            #expect(try await get("b.example") == (200, "b.example "))
            #expect(listener.statistics.resumedHandshakes == 3)
            try await listener.update(tls: self.tls(clients: .optional(trust: self.authority.trust)))
            #expect(try await get("b.example") == (200, "b.example "))
            #expect(listener.statistics.resumedHandshakes == 3)
            #expect(listener.statistics.declinedSessions == 2)
            try #require(try await get("c.example").status == 502)
            #expect(await failures.next()?.code == .unrecognizedName)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `refuses our listener after an update with another authority's certificate`(version: TLSProtocolVersion) async throws {
        let log = try await self.withProxy(version, self.tls()) { listener, failures, get in
            #expect(try await get("a.example") == (200, "a.example "))
            let other = try DevelopmentAuthority(commonName: "Another authority")
            // Other rules for clients, so that the session is not resumed.
            try await listener.update(tls: self.tls(by: other, clients: .optional(trust: other.trust)))
            #expect(try await get("a.example").status == 502)
        }
        #expect(log.contains("upstream SSL certificate verify error: (21:unable to verify the first certificate)"), "\(log)")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is admitted by a rule for its certificate, and refused by another`(version: TLSProtocolVersion) async throws {
        func clients(_ name: String) -> TLSServerConfiguration.ClientAuthentication {
            .required(trust: self.authority.trust, allow: .dnsName(in: [name]))
        }
        let client = try self.authority.client(commonName: "front", names: ["front.example"])
        let log = try await self.withProxy(version, self.tls(clients: clients("front.example")), client: client) {
            listener, failures, get in
            #expect(try await get("a.example") == (200, "a.example CN=front"))
            #expect(try await get("a.example") == (200, "a.example CN=front"))
            #expect(listener.statistics.resumedHandshakes == 1)
            // The rule applies to the session too.
            try await listener.update(tls: self.tls(clients: clients("back.example")))
            try #require(try await get("a.example").status == 502)
            #expect(listener.statistics.resumedHandshakes == 1)
            #expect(await failures.next()?.code == .rejected)
        }
        #expect(log.contains("alert access denied"), "\(log)")
    }
}
