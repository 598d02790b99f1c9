import DevelopmentCertificates
import Foundation
import SecureSockets
import Synchronization
import TLSEngine
import TestSupport
import Testing

/// Which lists count, and for which certificates.
@Suite(.timeLimit(.minutes(5))) struct `A revocation list` {
    let root: CertificateAuthority
    let server: CertifiedKey

    init() throws {
        self.root = try .root(commonName: "root")
        self.server = try self.root.server()
    }

    private func problem(
        with server: CertifiedKey? = nil, _ lists: SignedRevocationList..., outdated: TLSTrust.OutdatedLists = .refuse,
        missing: TLSTrust.MissingLists = .refuse
    ) async throws -> CertificateProblem? {
        let lists = try RevocationLists(derBytes: lists.map(\.der))
        return try await SecureSocketsTests.problem(
            with: server ?? self.server,
            trusting: self.root.trust.checkingRevocation(with: lists, outdated: outdated, missing: missing))
    }

    @Test func `that is outdated does not count, unless it is accepted`() async throws {
        let list = try self.root.revocationList(thisUpdate: .of2024, nextUpdate: .of2024.addingTimeInterval(.day))
        let problem = try #require(await self.problem(list))
        #expect(problem.kind == .revocationUnknown)
        #expect(problem.code == 12)
        #expect(
            problem.description
                == "the peer's certificate (CN=server) cannot be checked for revocation: the revocation list of its issuer "
                + "(CN=root) is outdated (the next one was due on 2024-03-01 12:34:56 UTC)")
        #expect(try await self.problem(list, outdated: .warn) == nil)
        // A list that is outdated is not a list that is missing.
        #expect(try await self.problem(list, missing: .accept)?.code == 12)
        #expect(try await self.problem(list, self.root.list()) == nil)
    }

    @Test func `that is outdated is reported when it is used, once an hour`() async throws {
        let reports = Mutex<[RevocationListDescription]>([])
        let list = try self.root.revocationList(thisUpdate: .of2024, nextUpdate: .of2024.addingTimeInterval(.day))
        let check = try RevocationCheck(
            lists: RevocationLists(list).store, extent: .wholeChain, acceptsOutdated: true, acceptsMissing: false,
            reportOutdated: { list in reports.withLock { $0.append(list) } })
        for _ in 0..<3 {
            let trust = try self.root.trust.checkingRevocation(check)
            #expect(try await SecureSocketsTests.problem(with: self.server, trusting: trust) == nil)
        }
        #expect(reports.withLock { $0.map(\.issuer) } == ["CN=root"])
    }

    @Test func `that is outdated or from the future revokes what it has`() async throws {
        let entry = RevocationListDraft.Entry(serialNumber: self.server.certificate.serialNumber, date: .of2024)
        let outdated = try self.root.revocationList(
            revoking: [entry], thisUpdate: .of2024, nextUpdate: .of2024.addingTimeInterval(.day))
        let future = try self.root.revocationList(revoking: [entry], thisUpdate: Date(timeIntervalSinceNow: .day))
        for list in [outdated, future] {
            #expect(try await self.problem(list, self.root.list())?.kind == .revoked)
            #expect(try await self.problem(list, outdated: .warn, missing: .accept)?.kind == .revoked)
        }
    }

    @Test func `from the future does not count`() async throws {
        let list = try self.root.revocationList(thisUpdate: Date(timeIntervalSince1970: 4_102_444_800))
        let problem = try #require(await self.problem(list))
        #expect(problem.kind == .revocationUnknown)
        #expect(problem.code == 3)
        #expect(problem.description.hasSuffix("(CN=root) is from the future (2100-01-01 00:00:00 UTC)"))
        #expect(try await self.problem(list, self.root.list()) == nil)
    }

    @Test func `without a time for the next one is never outdated`() async throws {
        let list = try self.root.list { draft in
            draft.thisUpdate = .of2024
            draft.nextUpdate = nil
        }
        #expect(try await self.problem(list) == nil)
        #expect(try RevocationLists(list).nextUpdate == nil)
    }

    @Test func `that another key has signed neither covers nor revokes`() async throws {
        let entry = RevocationListDraft.Entry(serialNumber: self.server.certificate.serialNumber, date: .of2024)
        let forged = try self.root.list { draft in
            draft.entries = [entry]
            draft.signingKey = try .p256()
        }
        let problem = try #require(await self.problem(forged))
        #expect(problem.kind == .revocationUnknown)
        #expect(problem.code == 3)
        #expect(problem.description.hasSuffix("(CN=root) is signed with another key than the certificate"))
        #expect(try await self.problem(forged, self.root.list()) == nil)
    }

    @Test func `covers the certificates of its key, where an authority has two`() async throws {
        // The authority has renewed its key under the same name.
        let renewed = try CertificateAuthority.root(commonName: "root")
        let trust = try TLSTrust.only(.text(self.root.certificatePEM + renewed.certificatePEM))
        let newServer = try renewed.server()
        let (old, new) = try (self.root.list(), renewed.list(revoking: [newServer]))
        func verdict(_ server: CertifiedKey, _ lists: SignedRevocationList...) async throws -> CertificateProblem.Kind? {
            let lists = try RevocationLists(derBytes: lists.map(\.der))
            return try await SecureSocketsTests.problem(with: server, trusting: trust.checkingRevocation(with: lists))?.kind
        }
        #expect(try await verdict(self.server, old, new) == nil)
        #expect(try await verdict(newServer, old, new) == .revoked)
        #expect(try await verdict(newServer, old) == .revocationUnknown)
        #expect(try await verdict(self.server, new) == .revocationUnknown)
    }

    @Test func `does not count if its issuer may not sign lists`() async throws {
        let root = try authority("root") { $0.set(.keyUsage(.keyCertSign)) }
        let leaf = try TestSupport.server(by: root, names: [.address([127, 0, 0, 1])])
        let list = try RevocationListDraft(thisUpdate: .of2024, nextUpdate: nil).signed(by: root)
        let trust = try TLSTrust.only(.text(root.pem)).checkingRevocation(with: RevocationLists(list))
        let identity = try TLSIdentity(certificateChain: .text(leaf.pem), privateKey: .text(leaf.key.pem))
        let problem = try #require(await SecureSocketsTests.problem(with: identity, trusting: trust))
        #expect(problem.kind == .revocationUnknown)
        #expect(problem.description.hasSuffix("the key usage of its issuer (CN=root) lacks cRLSign"))
    }

    @Test func `that is signed with SHA-1 does not cover, unless that is allowed, but revokes`() async throws {
        let list = try self.root.list { $0.signatureAlgorithm = .ecdsaSHA1 }
        let problem = try #require(await self.problem(list))
        #expect(problem.kind == .revocationUnknown)
        #expect(problem.description.hasSuffix("is signed with SHA-1, for which forgeries can be made"))
        let allowing = try self.root.trust.allowing(.sha1Signatures).checkingRevocation(with: RevocationLists(list))
        #expect(try await SecureSocketsTests.problem(with: self.server, trusting: allowing) == nil)
        let revoking = try self.root.list { draft in
            draft.signatureAlgorithm = .ecdsaSHA1
            draft.entries = [.init(serialNumber: self.server.certificate.serialNumber, date: .of2024)]
        }
        #expect(try await self.problem(revoking)?.kind == .revoked)
    }

    @Test func `covers end entities or authorities only, if it says so`() async throws {
        let users = try self.root.list { $0.extensions.append(.issuingDistributionPoint(nil, .onlyEndEntities)) }
        let authorities = try self.root.list { $0.extensions.append(.issuingDistributionPoint(nil, .onlyAuthorities)) }
        #expect(try await self.problem(users) == nil)
        let problem = try #require(await self.problem(authorities))
        #expect(problem.kind == .revocationUnknown)
        #expect(problem.description.hasSuffix("the revocation lists of its issuer (CN=root) are for other certificates"))

        let intermediate = try self.root.intermediate()
        let below = try intermediate.server()
        #expect(try await self.problem(with: below, authorities, intermediate.list()) == nil)
        #expect(try await self.problem(with: below, users, intermediate.list())?.depth == 1)
    }

    @Test func `for a distribution point covers the certificates that name it`() async throws {
        let (one, two) = (GeneralNameValue.uri("http://crl.example/1.crl"), GeneralNameValue.uri("http://crl.example/2.crl"))
        func leaf(_ points: ExtensionValue?) throws -> TLSIdentity {
            let leaf = try TestSupport.server(by: self.root.issued, names: [.address([127, 0, 0, 1])]) { draft in
                if let points { draft.set(points) }
            }
            return try TLSIdentity(certificateChain: .text(leaf.pem), privateKey: .text(leaf.key.pem))
        }
        let list = try self.root.list { $0.extensions.append(.issuingDistributionPoint(.full([one]))) }
        let trust = try self.root.trust.checkingRevocation(with: RevocationLists(list))
        func kind(_ points: ExtensionValue?) async throws -> CertificateProblem.Kind? {
            try await SecureSocketsTests.problem(with: leaf(points), trusting: trust)?.kind
        }
        #expect(try await kind(.distributionPoints([one])) == nil)
        #expect(try await kind(.distributionPoints([two], [two, one])) == nil)
        #expect(try await kind(.distributionPoints([two])) == .revocationUnknown)
        #expect(try await kind(.distributionPoints([one], forSomeReasons: true)) == .revocationUnknown)
        #expect(try await kind(nil) == .revocationUnknown)
    }

    @Test func `does not revoke a certificate that it has only as removed`() async throws {
        let number = self.server.certificate.serialNumber
        let removed = RevocationListDraft.Entry(serialNumber: number, date: .of2024, reason: .removeFromCRL)
        let held = RevocationListDraft.Entry(serialNumber: number, date: .of2024, reason: .certificateHold)
        #expect(try await self.problem(self.root.revocationList(revoking: [removed])) == nil)
        #expect(try await self.problem(self.root.revocationList(revoking: [removed, held]))?.kind == .revoked)
        #expect(try await self.problem(self.root.revocationList(revoking: [held, removed]))?.kind == .revoked)
    }

    @Test func `of version 1 counts`() async throws {
        let list = try self.root.list { draft in
            draft.version = 1
            draft.entries = [.init(serialNumber: [0x40], date: .of2024)]
        }
        #expect(try await self.problem(list) == nil)
    }

    @Test func `is found by an issuer's name that is encoded differently`() async throws {
        // PrintableString instead of UTF8String, in other letter case (RFC 5280 §7.1).
        let name = DERValue.sequence(.set(.sequence(.objectIdentifier("2.5.4.3"), DERValue(tag: 0x13, Array("ROOT".utf8)))))
        let list = try self.root.list { draft in
            draft.issuer = name
            draft.entries = [.init(serialNumber: self.server.certificate.serialNumber, date: .of2024)]
        }
        #expect(try await self.problem(list)?.kind == .revoked)
    }
}
