import DevelopmentCertificates
import Foundation
import SecureSockets
import TestSupport
import Testing

/// Which certificates are refused because of revocation lists, and with which error and alert.
@Suite(.timeLimit(.minutes(5))) struct `A certificate whose revocation is checked` {
    let root: CertificateAuthority

    init() throws { self.root = try .root(commonName: "root") }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused by a client if it is revoked`(over version: TLSProtocolVersion) async throws {
        let server = try self.root.server()
        let lists = try RevocationLists(self.root.list(revoking: [server], reason: .keyCompromise))
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: self.root.trust.checkingRevocation(with: lists), parameters: .init(version)),
            with: TLSServerConfiguration(identity: TLSIdentity(server)))

        let client = try #require(await encounter.clientRefusal)
        self.expectRevoked(client, server, "reason: keyCompromise (1)")
        #expect(encounter.serverRefusal?.alert?.description == "certificate_revoked")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused by a server if it is revoked`(over version: TLSProtocolVersion) async throws {
        let client = try self.root.issue(commonName: "client", purposes: [.client])
        let lists = try RevocationLists(self.root.list(revoking: [client]))
        let own = try TestCertificates.shared.get()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: own.trust, identity: TLSIdentity(client), parameters: .init(version)),
            with: TLSServerConfiguration(
                identity: own.serverIdentity, clients: .required(trust: self.root.trust.checkingRevocation(with: lists))))

        self.expectRevoked(try #require(encounter.serverRefusal), client, nil)
        let received = try #require(await encounter.clientRefusal)
        #expect(received.alert?.description == "certificate_revoked")
    }

    private func expectRevoked(_ error: SecureSocketError, _ key: CertifiedKey, _ reason: String?) {
        #expect(error.code == .certificateVerificationFailed)
        #expect(error.certificateProblem?.kind == .revoked)
        #expect(error.certificateProblem?.code == 23)
        #expect(error.certificateProblem?.depth == 0)
        let number = key.certificate.serialNumber.map { String(format: "%02X", $0) }.joined()
        let details = ["serial number \(number)", "on 2024-02-29 12:34:56 UTC", reason].compactMap(\.self).joined(separator: ", ")
        let text = "the peer's certificate (CN=\(key.certificate.commonName)) has been revoked (\(details))"
        #expect(error.description.splitAfterPeer.1 == "\(text). Have the peer obtain a new certificate, with a new key")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is accepted in both roles if no list has it`(over version: TLSProtocolVersion) async throws {
        let (server, client) = try (self.root.server(), self.root.issue(commonName: "client", purposes: [.client]))
        let lists = try RevocationLists(self.root.list(revoking: [self.root.server("another")]))
        let trust = try self.root.trust.checkingRevocation(with: lists)
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: trust, identity: TLSIdentity(client), parameters: .init(version)),
            with: TLSServerConfiguration(identity: TLSIdentity(server), clients: .required(trust: trust)))
        _ = try encounter.client.get()
        _ = try encounter.server.get()
    }

    @Test func `is refused if there is no list of its issuer, and the peer is not told that its authority is unknown`()
        async throws
    {
        let server = try self.root.server()
        let lists = try RevocationLists(CertificateAuthority.root(commonName: "other").list())
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: self.root.trust.checkingRevocation(with: lists)),
            with: TLSServerConfiguration(identity: TLSIdentity(server)))
        let refusal = try #require(await encounter.clientRefusal)
        #expect(refusal.certificateProblem?.kind == .revocationUnknown)
        #expect(refusal.certificateProblem?.code == 3)
        #expect(
            refusal.description.splitAfterPeer.1
                == "the peer's certificate (CN=server) cannot be checked for revocation: there is no revocation list of its issuer "
                + "(CN=root). Load that authority's list for this certificate into RevocationLists, or accept certificates "
                + "without one with missing: .accept")
        #expect(encounter.serverRefusal?.alert?.description == "certificate_unknown")

        let lenient = try self.root.trust.checkingRevocation(with: lists, missing: .accept)
        #expect(try await problem(with: server, trusting: lenient) == nil)
    }

    @Test func `is accepted without lists for the authorities above if only the leaf is checked`() async throws {
        let intermediate = try self.root.intermediate(commonName: "intermediate")
        let server = try intermediate.server()
        let lists = try RevocationLists(intermediate.list())
        #expect(try await problem(with: server, trusting: self.root.trust.checkingRevocation(with: lists, of: .leaf)) == nil)
        let whole = try await problem(with: server, trusting: self.root.trust.checkingRevocation(with: lists))
        #expect(whole?.kind == .revocationUnknown)
        #expect(whole?.depth == 1)
        #expect(whole?.certificate?.subject == "CN=intermediate")
        let complete = try lists.adding(RevocationLists(self.root.list()))
        #expect(try await problem(with: server, trusting: self.root.trust.checkingRevocation(with: complete)) == nil)
    }

    @Test func `is refused if its intermediate is revoked and the whole chain is checked`() async throws {
        let intermediate = try self.root.intermediate(commonName: "intermediate")
        let server = try intermediate.server()
        let revoking = try self.root.revocationList(
            revoking: [.init(serialNumber: intermediate.issued.serialNumber, date: .of2024, reason: .caCompromise)])
        // The missing list of the intermediate is a lesser fault than the revocation.
        let lists = try RevocationLists(revoking)
        let refusal = try await problem(with: server, trusting: self.root.trust.checkingRevocation(with: lists))
        #expect(refusal?.kind == .revoked)
        #expect(refusal?.depth == 1)
        #expect(refusal?.description.hasSuffix("reason: cACompromise (2))") == true)

        let both = try lists.adding(RevocationLists(intermediate.list()))
        #expect(try await problem(with: server, trusting: self.root.trust.checkingRevocation(with: both, of: .leaf)) == nil)
    }

    @Test func `is accepted by another chain if an intermediate is revoked, but not if it is revoked itself`() async throws {
        // Two roots have certified one intermediate; the first has revoked it.
        let other = try CertificateAuthority.root(commonName: "other")
        let key = try CertificateKey.p256()
        let first = try authority("intermediate", key: key, by: self.root.issued)
        let second = try authority("intermediate", key: key, by: other.issued)
        let leaf = try server(by: first, names: [.address([127, 0, 0, 1])])
        let identity = try TLSIdentity(
            certificateChain: .text(leaf.pem + first.pem + second.pem), privateKey: .text(leaf.key.pem))
        let trust = try TLSTrust.only(.text(self.root.certificatePEM + other.certificatePEM))
        let ofFirst = try self.root.revocationList(revoking: [.init(serialNumber: first.serialNumber, date: .of2024)])
        func list(revoking numbers: [[UInt8]]) throws -> SignedRevocationList {
            let draft = RevocationListDraft(
                thisUpdate: .of2024, nextUpdate: nil, entries: numbers.map { .init(serialNumber: $0, date: .of2024) })
            return try draft.signed(by: first)
        }

        let good = try RevocationLists(ofFirst, other.list(), list(revoking: []))
        #expect(try await problem(with: identity, trusting: trust.checkingRevocation(with: good)) == nil)
        let onlyFirst = try TLSTrust.only(.text(self.root.certificatePEM)).checkingRevocation(with: good)
        #expect(try await problem(with: identity, trusting: onlyFirst)?.kind == .revoked)

        let bad = try RevocationLists(ofFirst, other.list(), list(revoking: [leaf.serialNumber]))
        let refusal = try await problem(with: identity, trusting: trust.checkingRevocation(with: bad))
        #expect(refusal?.kind == .revoked)
    }

    @Test func `is not checked if it is itself the trusted one`() async throws {
        let server = try CertifiedKey.selfSigned(names: ["127.0.0.1"])
        let trust = try TLSTrust.only(.text(server.certificatePEM)).checkingRevocation(with: RevocationLists(self.root.list()))
        #expect(try await problem(with: server, trusting: trust) == nil)
    }

    @Test func `is found among ten thousand`() async throws {
        let (revoked, good) = try (self.root.server("revoked"), self.root.server("good"))
        var entries = (0..<10_000).map {
            RevocationListDraft.Entry(serialNumber: [0x50, UInt8($0 >> 8), UInt8($0 & 0xff)], date: .of2024)
        }
        entries.insert(.init(serialNumber: revoked.certificate.serialNumber, date: .of2024), at: 4711)
        let lists = try RevocationLists(.text(self.root.revocationList(revoking: entries).pem))
        #expect(lists.lists.map(\.entryCount) == [10_001])
        let trust = try self.root.trust.checkingRevocation(with: lists)
        #expect(try await problem(with: revoked, trusting: trust)?.kind == .revoked)
        #expect(try await problem(with: good, trusting: trust) == nil)
    }
}
