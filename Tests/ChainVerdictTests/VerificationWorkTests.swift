import DevelopmentCertificates
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// A peer chooses how many certificates, keys and names its chain has; judging them is work of an event loop that has other connections.
@Suite(.timeLimit(.minutes(5))) struct `The work of verifying a chain` {
    private static let tooMuch =
        "is part of a chain that takes too much work to verify: it has too many certificates of one name, too many names, or too large keys"

    private func verdict(_ chain: Chain) async throws -> String {
        let client = try TLSClientConfiguration(trust: .only(.text(chain.trusted.joined())))
        let identity = try TLSIdentity(certificateChain: .text(chain.sent.joined()), privateKey: .text(chain.key))
        do {
            let pair = try await SecureSocket.connectedPair(
                client: client, server: TLSServerConfiguration(identity: identity), host: "www.example.org",
                timeout: Encounter.patience)
            pair.client.close()
            pair.server.close()
            return "accepted"
        } catch {
            return error.certificateProblem?.description ?? error.description
        }
    }

    /// A chain whose authority excludes so many names; the library leaves the comparison to us as soon as an address is among them.
    private func chain(names: Int, constraints: Int) throws -> Chain {
        let root = try authority("Root")
        let excluded = [.address([10, 0, 0, 0, 255, 0, 0, 0])] + (0..<constraints).map { GeneralNameValue.dns("x\($0).example") }
        let issuer = try authority("Issuer", by: root) { $0.set(.nameConstraints(excluded: excluded)) }
        let own: [GeneralNameValue] = [.dns("www.example.org"), .address([127, 0, 0, 1])]
        let leaf = try server(by: issuer, names: own + (0..<names).map { .dns("n\($0).example.org") })
        return try Chain(sent: [leaf, issuer], trusted: [root])
    }

    @Test func `of many names with many constraints is bounded`() async throws {
        #expect(try await self.verdict(self.chain(names: 100, constraints: 500)) == "accepted")
        let verdict = try await self.verdict(self.chain(names: 900, constraints: 900))
        #expect(verdict == "the peer's certificate (CN=Server) \(Self.tooMuch)")
    }

    /// A chain in which so many certificates with large keys have the issuer's name and come before the issuer.
    private func chain(decoys: Int) throws -> Chain {
        let root = try authority("Root")
        func issuer(_ key: CertificateKey) throws -> IssuedCertificate {
            try authority("Issuer", key: key, by: root) { $0.hasKeyIdentifiers = false }
        }
        let issuing = try issuer(.p256())
        let leaf = try server(by: issuing) { $0.hasKeyIdentifiers = false }
        return try Chain(sent: [leaf] + (0..<decoys).map { _ in try issuer(.p521()) } + [issuing], trusted: [root])
    }

    @Test func `of many issuers with large keys is bounded`() async throws {
        #expect(try await self.verdict(self.chain(decoys: 3)) == "accepted")
        #expect(try await self.verdict(self.chain(decoys: 20)) == "the peer's certificate (CN=Server) \(Self.tooMuch)")
    }
}
