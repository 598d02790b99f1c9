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
}
