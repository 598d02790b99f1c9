import Foundation
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `A development authority` {
    private let authority: DevelopmentAuthority

    init() throws {
        self.authority = try DevelopmentAuthority()
    }

    /// Why the handshake failed; nil if it has not.
    private func refusal(
        of server: DevelopmentIdentity, host: String = "localhost", trust: TLSTrust? = nil
    ) async throws -> CertificateProblem? {
        try await self.refusal(
            client: TLSClientConfiguration(trust: trust ?? self.authority.trust),
            server: TLSServerConfiguration(identity: server.identity), host: host)
    }

    private func refusal(ofClient client: DevelopmentIdentity) async throws -> CertificateProblem? {
        let server = try self.authority.server()
        return try await self.refusal(
            client: TLSClientConfiguration(trust: self.authority.trust, identity: client.identity),
            server: TLSServerConfiguration(identity: server.identity, clients: .required(trust: self.authority.trust)))
    }

    private func refusal(
        client: TLSClientConfiguration, server: TLSServerConfiguration, host: String = "localhost"
    ) async throws -> CertificateProblem? {
        do throws(SecureSocketError) {
            let pair = try await SecureSocket.connectedPair(
                client: client, server: server, host: host, timeout: Encounter.patience)
            pair.client.close()
            pair.server.close()
            return nil
        } catch {
            #expect(error.code == .certificateVerificationFailed)
            return error.certificateProblem
        }
    }

    private static let keys: [(DevelopmentIdentity.Key, TLSCertificate.PublicKeyKind)] = [
        (.p256, .p256), (.p384, .p384), (.rsa2048, .rsa(bits: 2048)), (.ed25519, .ed25519),
    ]

    @Test(arguments: keys)
    func `certifies servers and clients with every kind of key`(
        key: DevelopmentIdentity.Key, kind: TLSCertificate.PublicKeyKind
    ) async throws {
        let authority = try DevelopmentAuthority(commonName: "Authority", key: key)
        let server = try authority.server(key: key)
        let client = try authority.client(
            commonName: "Billing", names: ["billing.example.org"], uris: ["spiffe://example.org/billing"],
            emailAddresses: ["billing@example.org"], key: key)
        #expect(authority.certificate.publicKey == kind)
        #expect(authority.certificate.subject == "CN=Authority")
        let pair = try await SecureSocket.connectedPair(
            client: TLSClientConfiguration(trust: authority.trust, identity: client.identity),
            server: TLSServerConfiguration(identity: server.identity, clients: .required(trust: authority.trust)))
        #expect(pair.client.information.peerCertificates == [server.certificate])
        #expect(pair.server.information.peerCertificates == [client.certificate])
        #expect(server.certificate.subject == "CN=localhost")
        #expect(server.certificate.publicKey == kind)
        #expect(server.certificate.dnsNames == ["localhost"])
        #expect(server.certificate.ipAddresses == ["127.0.0.1", "::1"])
        #expect(client.certificate.subject == "CN=Billing")
        #expect(client.certificate.dnsNames == ["billing.example.org"])
        #expect(client.certificate.uris == ["spiffe://example.org/billing"])
        #expect(client.certificate.emailAddresses == ["billing@example.org"])
        pair.client.close()
        pair.server.close()
    }

    @Test func `is the end of the chains of its intermediates, which servers send along`() async throws {
        let lower = try self.authority.intermediate(commonName: "Upper").intermediate(commonName: "Lower")
        let server = try lower.server(names: ["*.example.org"], uris: ["spiffe://example.org/server"])
        #expect(server.identity.certificates.map(\.issuer) == ["CN=Lower", "CN=Upper", "CN=Development authority"])
        #expect(server.certificate.uris == ["spiffe://example.org/server"])
        #expect(try await self.refusal(of: server, host: "www.example.org") == nil)
        #expect(try await self.refusal(of: server, host: "www.example.org", trust: lower.trust) == nil)
        #expect(try await self.refusal(of: server, host: "www.example.com")?.kind == .wrongName)
    }

    @Test func `is not trusted by those who trust another of its name`() async throws {
        let other = try DevelopmentAuthority()
        #expect(try await self.refusal(of: self.authority.server(), trust: other.trust)?.kind == .issuerUnknown)
    }

    @Test func `makes certificates that a peer must refuse`() async throws {
        let problems: [(CertificateProblem.Kind, DevelopmentIdentity, client: DevelopmentIdentity)] = [
            (.expired, try self.authority.server(validity: .expired), try self.authority.client(validity: .expired)),
            (.notYetValid, try self.authority.server(validity: .notYetValid), try self.authority.client(validity: .notYetValid)),
            (.wrongPurpose, try self.authority.server(purposes: [.client]), try self.authority.client(purposes: [.server])),
        ]
        for (kind, server, client) in problems {
            for problem in [try await self.refusal(of: server), try await self.refusal(ofClient: client)] {
                #expect(problem?.kind == kind)
                #expect(problem?.depth == 0)
            }
        }
        // Both purposes, or none at all, are good for both sides.
        for purposes in [[.server, .client], []] as [Set<DevelopmentIdentity.Purpose>] {
            #expect(try await self.refusal(of: self.authority.server(purposes: purposes)) == nil)
            #expect(try await self.refusal(ofClient: self.authority.client(purposes: purposes)) == nil)
        }
    }

    @Test func `makes authorities that a peer must refuse`() async throws {
        for (validity, kind) in [
            (.expired, .expired), (.notYetValid, .notYetValid),
        ] as [(DevelopmentIdentity.Validity, CertificateProblem.Kind)] {
            let intermediate = try await self.refusal(of: self.authority.intermediate(validity: validity).server())
            #expect(intermediate?.kind == kind)
            #expect(intermediate?.depth == 1)
            let root = try DevelopmentAuthority(validity: validity)
            #expect(try await self.refusal(of: root.server(), trust: root.trust)?.kind == kind)
        }
        let tooLong = try self.authority.intermediate(pathLength: 0).intermediate()
        #expect(tooLong.certificate.subject == "CN=Development intermediate 2")
        #expect(try await self.refusal(of: tooLong.server())?.kind == .pathLengthExceeded)
    }

    @Test func `gives its certificates and keys as PEM`() async throws {
        let server = try self.authority.intermediate().server()
        let identity = try TLSIdentity(
            certificateChain: .text(server.certificateChainPEM), privateKey: .text(server.privateKeyPEM))
        #expect(identity.certificates == server.identity.certificates)
        #expect(identity.certificates.count == 2)
        #expect(identity.certificates.first == server.certificate)
        #expect(try await self.refusal(of: server, trust: .only(.text(self.authority.certificatePEM))) == nil)
        #expect(self.authority.privateKeyPEM.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
    }

    @Test func `says which name is none`() throws {
        func message(_ issue: () throws -> DevelopmentIdentity) throws -> String {
            let error = try #require(throws: SecureSocketError.self) { try issue() }
            #expect(error.code == .invalidArgument)
            #expect(error.blame == .caller)
            #expect(error.step == .configuring)
            return error.description
        }
        #expect(
            try message { try self.authority.server(names: ["localhost:443"]) }
                == "'localhost:443' is not a name for a certificate: it is not an IPv6 address, and a name is written without a port or "
                + "scheme. Give a host name or an IP address")
        #expect(
            try message { try self.authority.client(commonName: "") }
                == "'' is not a common name: it must have 1 to 64 characters. Shorten it; host names go into the names")
        for uri in ["", "example.org/service", "spiffe:", ":", "1a:b"] {
            #expect(
                try message { try self.authority.client(uris: [uri]) }
                    == "'\(uri)' is not a URI for a certificate: it must begin with a scheme, as in spiffe://example.org/service. "
                    + "Give an absolute URI; other characters are percent-encoded")
        }
        #expect(try message { try self.authority.client(uris: ["spiffe://example.org/ä"]) }.contains("characters outside ASCII"))
        for address in ["operator", "@example.org", "operator@", "a@b@c"] {
            #expect(
                try message { try self.authority.client(emailAddresses: [address]) }
                    == "'\(address)' is not an e-mail address for a certificate: it must be written as name@host. "
                    + "Give an address in ASCII")
        }
        #expect(try message { try self.authority.client(emailAddresses: ["a b@example.org"]) }.contains("it has spaces"))
        let error = #expect(throws: SecureSocketError.self) { try DevelopmentAuthority(commonName: "") }
        #expect(error?.code == .invalidArgument)
        let long = #expect(throws: SecureSocketError.self) {
            try self.authority.intermediate(commonName: String(repeating: "a", count: 65))
        }
        #expect(long?.code == .invalidArgument)
    }

    @Test func `revokes only what it has issued`() throws {
        let other = try DevelopmentAuthority(commonName: "Other")
        let certificate = try other.server().certificate
        let error = try #require(throws: SecureSocketError.self) { try self.authority.revocationList(of: [certificate]) }
        #expect(error.code == .invalidArgument)
        #expect(
            error.message
                == "the certificate of CN=localhost was issued by CN=Other, and CN=Development authority cannot revoke it")
        #expect(try other.revocationList(of: [certificate]).hasPrefix("-----BEGIN X509 CRL-----\n"))
    }

    @Test(.enabled(if: Program.openssl != nil, "needs OpenSSL 3"))
    func `makes revocation lists that OpenSSL honours`() throws {
        let openssl = try #require(Program.openssl)
        let folder = try TemporaryDirectory()
        let (revoked, good) = (try self.authority.server(), try self.authority.server())
        let intermediate = try self.authority.intermediate()
        let ca = try folder.write(self.authority.certificatePEM, to: "ca.pem")

        let list = try folder.write(
            self.authority.revocationList(of: [revoked.certificate, intermediate.certificate], number: 7), to: "list.pem")
        let text = try openssl.run(["crl", "-in", list, "-noout", "-text", "-verify", "-CAfile", ca]).output
        #expect(text.contains("verify OK"))
        #expect(text.components(separatedBy: "Serial Number: ").count == 3)
        #expect(text.contains("X509v3 CRL Number: \n                7\n"))

        func verdict(_ pem: String, _ list: String) throws -> String {
            let file = try folder.write(pem, to: "certificate.pem")
            return try openssl.run(["verify", "-crl_check", "-CRLfile", list, "-CAfile", ca, file]).output
        }
        #expect(try verdict(revoked.certificateChainPEM, list).contains("certificate revoked"))
        #expect(try verdict(intermediate.certificatePEM, list).contains("certificate revoked"))
        #expect(try verdict(good.certificateChainPEM, list).contains("OK"))
        for (validity, reason) in [
            (.expired, "CRL has expired"), (.notYetValid, "CRL is not yet valid"),
        ] as [(DevelopmentIdentity.Validity, String)] {
            let list = try folder.write(self.authority.revocationList(of: [], validity: validity), to: "\(reason).pem")
            #expect(try verdict(good.certificateChainPEM, list).contains(reason))
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct `A development identity` {
    @Test(arguments: [DevelopmentIdentity.Key.p256, .p384, .rsa2048, .ed25519])
    func `is trusted by its own certificate, and by no other`(key: DevelopmentIdentity.Key) async throws {
        let identity = try TLSIdentity.development(key: key)
        let server = try TLSServerConfiguration(identity: identity)
        let client = try TLSClientConfiguration(trust: .only(identity.certificates))
        for host in ["localhost", "127.0.0.1", "::1"] {
            let pair = try await SecureSocket.connectedPair(client: client, server: server, host: host)
            pair.client.close()
            pair.server.close()
        }
        let stranger = try TLSClientConfiguration(trust: .only(TLSIdentity.development(key: key).certificates))
        let error = await #expect(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connectedPair(client: stranger, server: server)
        }
        #expect(error?.certificateProblem?.kind == .selfSigned)
    }

    @Test func `has the names that are given, and is for clients too`() async throws {
        let identity = try TLSIdentity.development(names: ["*.example.org", "192.0.2.1"])
        #expect(identity.certificates.map(\.subject) == ["CN=*.example.org"])
        let trust = try TLSTrust.only(identity.certificates)
        let pair = try await SecureSocket.connectedPair(
            client: TLSClientConfiguration(trust: trust, identity: identity),
            server: TLSServerConfiguration(identity: identity, clients: .required(trust: trust)), host: "www.example.org")
        #expect(pair.server.information.peerCertificates == identity.certificates)
        pair.client.close()
        pair.server.close()
        #expect(try TLSIdentity.development(names: []).certificates.map(\.subject) == ["CN=Development certificate"])
        let error = #expect(throws: SecureSocketError.self) { try TLSIdentity.development(names: ["not a name"]) }
        #expect(error?.code == .invalidArgument)
    }
}
