import DevelopmentCertificates
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// curl as a client of our listener: what its options verify, and what our policy refuses.
@Suite(.serialized, .enabled(if: Program.curl != nil, "needs curl"), .timeLimit(.minutes(5)))
struct `A request of curl` {
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
        try await withServedListener(tls, { try await $0.answerRequest() }, body)
    }

    /// Runs curl to its end. Its status is 0, or the number of its error.
    private func get(
        _ name: String = "localhost", from listener: SecureListener, _ version: TLSProtocolVersion,
        trusting authority: String? = nil, _ options: String...
    ) async throws -> (status: Int32, output: String, errors: String) {
        let port = listener.localEndpoint.port
        let versions = version == .tls12 ? ["--tlsv1.2", "--tls-max", "1.2"] : ["--tlsv1.3"]
        let running = try RunningProgram(
            Program.curl.required("curl"),
            ["-q", "--noproxy", "*", "--silent", "--show-error", "--max-time", "30", "--cacert", authority ?? self.trusted]
                + versions + options + ["--resolve", "\(name):\(port):127.0.0.1", "https://\(name):\(port)/"])
        try await running.finishInput()
        return await running.outcome()
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused by its list of revoked certificates only if ours is in it`(version: TLSProtocolVersion) async throws {
        let other = try self.authority.server().certificate
        try await self.withServer(self.tls()) { listener, failures in
            let good = try self.folder.write(self.authority.revocationList(of: [other]), to: "good.pem")
            let accepted = try await self.get(from: listener, version, "--crlfile", good)
            #expect(accepted.status == 0 && accepted.output == "localhost ", "\(accepted.errors)")

            let bad = try self.folder.write(
                self.authority.revocationList(of: [other, self.identity.certificate]), to: "bad.pem")
            let refused = try await self.get(from: listener, version, "--crlfile", bad)
            // CURLE_PEER_FAILED_VERIFICATION
            try #require(refused.status == 60, "\(refused.errors)")
            #expect(refused.errors.contains("certificate revoked"), "\(refused.errors)")
            #expect(await failures.next()?.alert == .certificateRevoked)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `requires the response that we staple`(version: TLSProtocolVersion) async throws {
        let stapled = try StapledServer()
        let authority = try self.folder.write(stapled.root.pem, to: "root.pem")
        // curl looks for the issuer among the certificates that the server has sent.
        let identity = try TLSIdentity(
            certificateChain: .text(stapled.leaf.pem + stapled.root.pem), privateKey: .text(stapled.leaf.key.pem))
        let stapling = try identity.stapling(ocspResponse: .bytes(stapled.response()))
        try await self.withServer(TLSServerConfiguration(identity: stapling)) { listener, _ in
            let accepted = try await self.get(from: listener, version, trusting: authority, "--cert-status")
            #expect(accepted.status == 0 && accepted.output == "localhost ", "\(accepted.errors)")

            try await listener.update(tls: TLSServerConfiguration(identity: identity))
            let refused = try await self.get(from: listener, version, trusting: authority, "--cert-status")
            // CURLE_SSL_INVALIDCERTSTATUS
            #expect(refused.status == 91, "\(refused.errors)")
            #expect(refused.errors.contains("No OCSP response received"), "\(refused.errors)")
            #expect(try await self.get(from: listener, version, trusting: authority).status == 0)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `accepts our pin of the public key, and no other`(version: TLSProtocolVersion) async throws {
        let (pin, other) = (self.identity.certificate.publicKeyPin, try self.authority.server().certificate.publicKeyPin)
        try await self.withServer(self.tls()) { listener, _ in
            for pins in ["sha256//\(pin)", "sha256//\(other);sha256//\(pin)"] {
                let accepted = try await self.get(from: listener, version, "--pinnedpubkey", pins)
                #expect(accepted.status == 0 && accepted.output == "localhost ", "\(accepted.errors)")
            }
            let refused = try await self.get(from: listener, version, "--pinnedpubkey", "sha256//\(other)")
            // CURLE_SSL_PINNEDPUBKEYNOTMATCH
            #expect(refused.status == 90, "\(refused.errors)")
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused with a certificate that our list revokes`(version: TLSProtocolVersion) async throws {
        let honest = try self.authority.client(commonName: "honest")
        let revoked = try self.authority.client(commonName: "revoked")
        let lists = try RevocationLists(.text(self.authority.revocationList(of: [revoked.certificate])))
        let clients = TLSServerConfiguration.ClientAuthentication.required(
            trust: self.authority.trust.checkingRevocation(with: lists))
        try await self.withServer(self.tls(clients: clients)) { listener, failures in
            func get(as client: DevelopmentIdentity) async throws -> (status: Int32, output: String, errors: String) {
                let files = try client.files(in: self.folder)
                return try await self.get(from: listener, version, "--cert", files.chain, "--key", files.key)
            }
            let accepted = try await get(as: honest)
            #expect(accepted.status == 0 && accepted.output == "localhost CN=honest", "\(accepted.errors)")

            let refused = try await get(as: revoked)
            // With TLS 1.3, curl's handshake is complete when the alert arrives. CURLE_RECV_ERROR, CURLE_SSL_CONNECT_ERROR
            try #require(refused.status == (version == .tls13 ? 56 : 35), "\(refused.errors)")
            #expect(refused.errors.contains("alert certificate revoked"), "\(refused.errors)")
            #expect(await failures.next()?.certificateProblem?.kind == .revoked)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused for a name that is not served`(version: TLSProtocolVersion) async throws {
        try await self.withServer(self.tls()) { listener, failures in
            #expect(try await self.get("localhost", from: listener, version).output == "localhost ")
            let refused = try await self.get("d.example", from: listener, version)
            // CURLE_SSL_CONNECT_ERROR
            try #require(refused.status == 35, "\(refused.errors)")
            #expect(refused.errors.contains("unrecognized name"), "\(refused.errors)")
            #expect(await failures.next()?.code == .unrecognizedName)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `gets the renewed certificate after an update`(version: TLSProtocolVersion) async throws {
        let renewed = try self.authority.server()
        try await self.withServer(self.tls()) { listener, _ in
            let before = try await self.get(from: listener, version, "--write-out", "%{certs}")
            #expect(before.status == 0 && before.output.contains(self.identity.certificateChainPEM), "\(before)")
            try await listener.update(tls: self.tls(renewed))
            let after = try await self.get(from: listener, version, "--write-out", "%{certs}")
            #expect(after.status == 0 && after.output.contains(renewed.certificateChainPEM), "\(after)")
            #expect(!after.output.contains(self.identity.certificateChainPEM))
        }
    }
}
