import DevelopmentCertificates
import TestSupport
import Testing

@testable import SecureSockets

/// The rules about names, without connections.
@Suite struct `A rule about a peer's names` {
    private func admits(_ rule: PeerRule, _ name: GeneralNameValue) async throws -> Bool {
        let certificate = try client(by: nil) { $0.set(.alternativeNames([name])) }
        let peer = VerifiedPeer(certificate: try TLSCertificate(derBytes: certificate.der))
        do {
            try await rule.decide(peer)
            return true
        } catch is TLSRejection {
            return false
        }
    }

    /// Swift's strings are equal if they are canonically equivalent: U+212A, the sign of the unit kelvin, is equal to the letter K.
    @Test func `compares their bytes, not their characters`() async throws {
        let kelvin = "\u{212A}"
        let names = PeerRule.dnsName(in: ["k.example"])
        #expect(try await self.admits(names, .dns("K.example")))
        #expect(try await !self.admits(names, .dns("\(kelvin).example")))
        #expect(try await !self.admits(.dnsName(in: ["\(kelvin).example"]), .dns("k.example")))
        #expect(try await !self.admits(.dnsName(in: ["\(kelvin).example"]), .dns("\(kelvin).example")))

        let addresses = PeerRule.emailAddress(in: ["K@k.example"])
        #expect(try await self.admits(addresses, .email("K@K.example")))
        #expect(try await !self.admits(addresses, .email("\(kelvin)@k.example")))
        #expect(try await !self.admits(addresses, .email("K@\(kelvin).example")))
        #expect(try await !self.admits(.emailAddress(in: ["\(kelvin)@k.example"]), .email("K@k.example")))

        #expect(try await self.admits(.spiffe(trustDomain: "K.example", paths: ["/K", "/k/*"]), .uri("spiffe://k.example/K")))
        #expect(try await !self.admits(.spiffe(trustDomain: "\(kelvin).example"), .uri("spiffe://k.example/K")))
        #expect(try await !self.admits(.spiffe(trustDomain: "k.example"), .uri("spiffe://\(kelvin).example/K")))
        for path in ["/\(kelvin)", "/\(kelvin)/*"] {
            let rule = PeerRule.spiffe(trustDomain: "k.example", paths: [path])
            #expect(try await !self.admits(rule, .uri("spiffe://k.example/K/K")), "\(path)")
            #expect(try await !self.admits(rule, .uri("spiffe://k.example/K")), "\(path)")
        }
    }

    private func admits(_ rule: PeerRule, _ leaf: IssuedCertificate, _ root: IssuedCertificate) async throws -> Bool {
        let peer = VerifiedPeer(
            certificate: try TLSCertificate(derBytes: leaf.der), issuers: [try TLSCertificate(derBytes: root.der)])
        do {
            try await rule.decide(peer)
            return true
        } catch is TLSRejection {
            return false
        }
    }

    @Test func `admits a SPIFFE ID only under an authority of its trust domain, if these are given`() async throws {
        let (a, b) = (try authority("a"), try authority("b"))
        let rule = PeerRule.spiffe(trustDomain: "a", authorities: [try TLSCertificate(derBytes: a.der)])
        for (root, isAdmitted) in [(a, true), (b, false)] {
            let leaf = try client(by: root) { $0.set(.alternativeNames([.uri("spiffe://a/admin")])) }
            #expect(try await self.admits(rule, leaf, root) == isAdmitted)
            #expect(try await self.admits(.spiffe(trustDomain: "a"), leaf, root))
            #expect(try await !self.admits(.spiffe(trustDomain: "a", authorities: []), leaf, root))
        }
    }

    @Test func `admits no SPIFFE ID of a certificate that may sign others`() async throws {
        let root = try authority("root")
        let changes: [@Sendable (inout CertificateDraft) -> Void] = [
            { $0.set(.basicConstraints(isAuthority: true)) }, { $0.set(.keyUsage(.digitalSignature, .keyCertSign)) },
            { $0.set(.keyUsage(.digitalSignature, .crlSign)) },
        ]
        for change in changes {
            let leaf = try client(by: root) {
                $0.set(.alternativeNames([.uri("spiffe://a/admin")]))
                change(&$0)
            }
            #expect(try await !self.admits(.spiffe(trustDomain: "a"), leaf, root))
        }
    }
}
