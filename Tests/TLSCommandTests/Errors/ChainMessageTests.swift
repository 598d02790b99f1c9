import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

/// The tool's messages about a server's chain, and the options with which it is accepted.
@Suite(.timeLimit(.minutes(5))) struct `Chains of servers` {
    private struct Outcome {
        let status: Int32
        let text: String
    }

    /// Connects to a server with this chain; the text is without the server's address.
    private func connect(_ chain: Chain, as name: String = "www.example.org", _ options: String...) async throws -> Outcome {
        let folder = try TemporaryDirectory()
        let identity = try TLSIdentity(
            certificateChain: .text(chain.sent.joined()), privateKey: .text(chain.key),
            allowing: [.sha1Signatures, .rsaKeysUnder2048Bits])
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: identity), socketOptions: .patient,
            options: .patient)
        async let serving: Void = listener.serve(handshakeFailed: { _, _ in }) { _ = try await $0.receive() }
        let tool = try Tool(
            [
                "connect", "127.0.0.1:\(listener.localEndpoint.port)", "--server-name", name, "--ca",
                folder.write(chain.trusted.joined(), to: "ca.pem"),
            ] + options)
        try tool.endInput()
        let outcome = await tool.outcome()
        listener.close()
        try await serving
        let text = outcome.errors.replacing("127.0.0.1:\(listener.localEndpoint.port)", with: "SERVER")
        return Outcome(status: outcome.status, text: text)
    }

    private func expectRefusal(_ outcome: Outcome, _ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(outcome.status == 1, sourceLocation: sourceLocation)
        #expect(outcome.text == "tls: SERVER: \(text)\n", sourceLocation: sourceLocation)
    }

    @Test func `an authority that was made anew`() async throws {
        let (old, new) = try (authority("Root"), authority("Root"))
        self.expectRefusal(
            try await self.connect(Chain(sent: [server(by: new)], trusted: [old])),
            "the peer's certificate (CN=Server) was issued by CN=Root; a trusted certificate has this name, but another key. "
                + "The authority was probably made anew: pass its present certificate with --ca FILE.")
        #expect(try await self.connect(Chain(sent: [server(by: new)], trusted: [old, new])).status == 0)
    }

    @Test func `an issuer that is no authority`() async throws {
        let root = try authority("Root")
        let issuer = try server(by: root)
        self.expectRefusal(
            try await self.connect(Chain(sent: [server(by: issuer), issuer], trusted: [root])),
            "the certificate at depth 1 of the chain (CN=Server) is not an authority, but issued the certificate below it "
                + "(its basic constraints or its key usage do not allow that). Have the certificate issued by an authority.")
    }

    @Test func `weak certificates, which an option accepts`() async throws {
        let root = try authority("Root")
        let forgeable = try Chain(sent: [server(by: root, change: { $0.signatureAlgorithm = .ecdsaSHA1 })], trusted: [root])
        self.expectRefusal(
            try await self.connect(forgeable),
            "the peer's certificate (CN=Server) is signed with SHA-1, for which forgeries can be made. Have the peer use another "
                + "certificate; until then, --allow-legacy-certificates accepts this one.")
        #expect(try await self.connect(forgeable, "--allow-legacy-certificates").status == 0)
        let short = try Chain(sent: [server(by: root, key: .rsa(bits: 1024, number: 0))], trusted: [root])
        self.expectRefusal(
            try await self.connect(short),
            "the peer's certificate (CN=Server) has an RSA key of 1024 bits; at least 2048 are required. Have the peer use another "
                + "certificate; until then, --allow-legacy-certificates accepts this one.")
        #expect(try await self.connect(short, "--allow-legacy-certificates").status == 0)
    }

    @Test func `an intermediate that is trusted without its root, which an option accepts`() async throws {
        let root = try authority("Root")
        let intermediate = try authority("Intermediate", by: root)
        let chain = try Chain(sent: [server(by: intermediate), intermediate], trusted: [intermediate])
        self.expectRefusal(
            try await self.connect(chain),
            "the certificate at depth 1 of the chain (CN=Intermediate) was issued by CN=Root, whose certificate is neither sent nor "
                + "trusted. If you trust its authority, pass that with --ca FILE; a server must send its whole chain.")
        #expect(try await self.connect(chain, "--partial-chain").status == 0)
    }

    @Test func `an address that is a DNS name`() async throws {
        let root = try authority("Root")
        self.expectRefusal(
            try await self.connect(Chain(sent: [server(by: root, names: [.dns("127.0.0.1")])], trusted: [root]), as: "127.0.0.1"),
            "the peer's certificate (CN=Server) has 127.0.0.1 as a DNS name, not as an address. Have it issued with the address as an IP "
                + "address (subjectAltName=IP:127.0.0.1)")
    }

    @Test func `chains with expired twins, too many certificates and constraints on addresses are accepted`() async throws {
        let key = try CertificateKey.p256()
        let root = try authority("Root", key: key)
        let expired = try authority("Root", key: key) { $0.validity = .expired }
        let constrained = try authority("Root") {
            $0.set(.nameConstraints(permitted: [.address([127, 0, 0, 0, 255, 0, 0, 0])]))
        }
        let leaf = try server(by: root)
        let a = try authority("a", by: root)
        let b = try authority("b", by: a)
        for chain in [
            try Chain(sent: [leaf], trusted: [expired, root]), try Chain(sent: [leaf], trusted: [root, expired]),
            try Chain(sent: [leaf, expired, root], trusted: [root]), try Chain(sent: [server(by: b), b, a], trusted: [root, b]),
        ] {
            #expect(try await self.connect(chain).text == "")
        }
        let inside = try server(by: constrained, names: [.address([127, 0, 0, 1])])
        #expect(try await self.connect(Chain(sent: [inside], trusted: [constrained]), as: "127.0.0.1").text == "")
    }
}
