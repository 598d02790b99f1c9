import DevelopmentCertificates
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// What a refusal says: what is true of the chain, and what to do next.
@Suite(.timeLimit(.minutes(5))) struct `Texts about chains` {
    private func refusal(_ chain: Chain, host: String = "www.example.org", trust: ((TLSTrust) -> TLSTrust)? = nil) async throws
        -> String
    {
        let all = try TLSTrust.only(.text(chain.trusted.joined()))
        let client = try TLSClientConfiguration(trust: trust.map { $0(all) } ?? all)
        let legacy: LegacyCertificates = [.sha1Signatures, .rsaKeysUnder2048Bits]
        let identity = try TLSIdentity(
            certificateChain: .text(chain.sent.joined()), privateKey: .text(chain.key), allowing: legacy)
        do {
            let pair = try await SecureSocket.connectedPair(
                client: client, server: TLSServerConfiguration(identity: identity), host: host, timeout: Encounter.patience)
            pair.client.close()
            pair.server.close()
            return "accepted"
        } catch {
            #expect(error.code == .certificateVerificationFailed)
            return error.description
        }
    }

    @Test func `an authority that was made anew under its old name`() async throws {
        let (old, new) = try (authority("Root"), authority("Root"))
        #expect(
            try await self.refusal(Chain(sent: [server(by: new)], trusted: [old]))
                == "www.example.org (in memory): the peer's certificate (CN=Server) was issued by CN=Root; a trusted certificate has this name, "
                + "but another key. The authority was probably made anew: trust its present certificate")
        #expect(
            try await self.refusal(Chain(sent: [server(by: new), new], trusted: [old]))
                == "www.example.org (in memory): the certificate at depth 1 of the chain (CN=Root) is the root of the chain and is not "
                + "trusted; a trusted certificate has this name, but another key. The authority was probably made anew: trust its present "
                + "certificate")
    }

    @Test func `a certificate that was issued by one that is no authority`() async throws {
        let root = try authority("Root")
        let issuer = try server(by: root)
        #expect(
            try await self.refusal(Chain(sent: [server(by: issuer), issuer], trusted: [root]))
                == "www.example.org (in memory): the certificate at depth 1 of the chain (CN=Server) is not an authority, but issued the "
                + "certificate below it (its basic constraints or its key usage do not allow that). Have the certificate issued by an "
                + "authority")
    }

    @Test func `weak certificates, and how to allow them`() async throws {
        let root = try authority("Root")
        let forgeable = try Chain(sent: [server(by: root, change: { $0.signatureAlgorithm = .ecdsaSHA1 })], trusted: [root])
        #expect(
            try await self.refusal(forgeable)
                == "www.example.org (in memory): the peer's certificate (CN=Server) is signed with SHA-1, for which forgeries can be made. Have "
                + "it issued again with SHA-256; for peers that cannot, allow LegacyCertificates.sha1Signatures")
        #expect(try await self.refusal(forgeable) { $0.allowing(.sha1Signatures) } == "accepted")
        let short = try Chain(sent: [server(by: root, key: .rsa(bits: 1024, number: 0))], trusted: [root])
        #expect(
            try await self.refusal(short)
                == "www.example.org (in memory): the peer's certificate (CN=Server) has an RSA key of 1024 bits; at least 2048 are required. "
                + "Have the peer use a larger key, or ECDSA; for peers that cannot, allow LegacyCertificates.rsaKeysUnder2048Bits"
        )
        #expect(try await self.refusal(short) { $0.allowing(.rsaKeysUnder2048Bits) } == "accepted")
        #expect(try await self.refusal(short) { $0.allowing(.sha1Signatures) } != "accepted")
    }

    @Test func `an intermediate that is trusted without its root, and partial chains`() async throws {
        let root = try authority("Root")
        let intermediate = try authority("Intermediate", by: root)
        let chain = try Chain(sent: [server(by: intermediate), intermediate], trusted: [intermediate])
        #expect(
            try await self.refusal(chain)
                == "www.example.org (in memory): the certificate at depth 1 of the chain (CN=Intermediate) was issued by CN=Root, whose "
                + "certificate is neither sent nor trusted. If you trust the authority that issued it, say so with TLSTrust; the peer has "
                + "to send its whole chain")
        #expect(try await self.refusal(chain) { $0.acceptingPartialChains } == "accepted")
        let leaf = try server(by: root)
        #expect(try await self.refusal(Chain(sent: [leaf], trusted: [leaf])) { $0.acceptingPartialChains } == "accepted")
    }

    @Test func `an address that is a DNS name`() async throws {
        let root = try authority("Root")
        let leaf = try server(by: root, names: [.dns("127.0.0.1")])
        #expect(
            try await self.refusal(Chain(sent: [leaf], trusted: [root]), host: "127.0.0.1")
                == "127.0.0.1 (in memory): the peer's certificate (CN=Server) has 127.0.0.1 as a DNS name, not as an address. Have it "
                + "issued with the address as an IP address (subjectAltName=IP:127.0.0.1)")
    }

    @Test func `a name that an authority may not certify`() async throws {
        let root = try authority("Root", change: { $0.set(.nameConstraints(permitted: [.dns("example.com")])) })
        #expect(
            try await self.refusal(Chain(sent: [server(by: root)], trusted: [root]))
                == "www.example.org (in memory): the peer's certificate (CN=Server) is for www.example.org, which the name constraints of an authority "
                + "above it do not permit. Have it issued for a name that its authorities may certify")
    }
}
