import DevelopmentCertificates
import Foundation
import Testing

@Suite(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"))
struct RevocationListTests {
    private let day: TimeInterval = 86_400

    @Test(arguments: KeyKind.allCases)
    func `OpenSSL verifies a list against its authority, and against no other`(kind: KeyKind) throws {
        let root = try CertificateAuthority.root(commonName: "Root", key: kind)
        let other = try CertificateAuthority.root(commonName: "Root", key: kind)
        let leaf = try root.issue(commonName: "leaf")
        for entries in [[], [RevocationListDraft.Entry(serialNumber: leaf.certificate.serialNumber, date: Date())]] {
            let list = try root.revocationList(revoking: entries)
            #expect(list.pem.hasPrefix("-----BEGIN X509 CRL-----\n"))
            #expect(try self.verification(of: list, by: root).contains("verify OK"))
            #expect(try !self.verification(of: list, by: other).contains("verify OK"))
        }
    }

    @Test func `OpenSSL refuses what is on the list, and accepts what is not`() throws {
        let root = try CertificateAuthority.root()
        let (revoked, good) = (try root.issue(commonName: "revoked"), try root.issue(commonName: "good"))
        let list = try root.revocationList(revoking: [.init(serialNumber: revoked.certificate.serialNumber, date: Date())])
        #expect(try self.verdict(on: good, list, root).status == 0)
        let verdict = try self.verdict(on: revoked, list, root)
        #expect(verdict.status != 0)
        #expect(verdict.output.contains("certificate revoked"), "\(verdict.output)")
    }

    @Test func `a list is current between its two dates`() throws {
        let root = try CertificateAuthority.root()
        let leaf = try root.issue(commonName: "leaf")
        for (from, to, text) in [(-2.0, -1.0, "CRL has expired"), (1.0, 2.0, "CRL is not yet valid")] {
            let list = try root.revocationList(
                thisUpdate: Date(timeIntervalSinceNow: from * self.day), nextUpdate: Date(timeIntervalSinceNow: to * self.day))
            let verdict = try self.verdict(on: leaf, list, root)
            #expect(verdict.status != 0)
            #expect(verdict.output.contains(text), "\(verdict.output)")
        }
    }

    @Test func `a list states what RFC 5280 requires of it, and the reasons that are given`() throws {
        let root = try CertificateAuthority.root(commonName: "Root")
        let date = Date(timeIntervalSince1970: 2_524_607_999)
        let reasons: [RevocationReason?] = [nil] + RevocationReason.allCases
        let entries = reasons.enumerated().map { index, reason in
            RevocationListDraft.Entry(serialNumber: [0x40, UInt8(index)], date: date, reason: reason)
        }
        let list = try root.revocationList(
            revoking: entries, thisUpdate: date, nextUpdate: date.addingTimeInterval(1), number: 300)
        let text = try OpenSSL.read(list.pem, "crl", "-noout", "-text")
        #expect(text.contains("Version 2"))
        #expect(text.contains("Issuer: CN = Root"))
        #expect(text.contains("Last Update: Dec 31 23:59:59 2049 GMT"))
        #expect(text.contains("Next Update: Jan  1 00:00:00 2050 GMT"))
        let revoked = text.components(separatedBy: "Serial Number: ").dropFirst().map { entry in
            entry.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
        }
        #expect(revoked.map(\.first) == entries.map(\.serialNumber.hexadecimal))
        #expect(revoked.allSatisfy { $0.count > 1 && $0[1] == "Revocation Date: Dec 31 23:59:59 2049 GMT" })
        let names = [
            "Key Compromise", "CA Compromise", "Affiliation Changed", "Superseded", "Cessation Of Operation",
            "Certificate Hold", "Remove From CRL", "Privilege Withdrawn", "AA Compromise",
        ]
        #expect(revoked.map { entry in names.first { entry.contains($0) } } == [nil] + names)

        var extensions = try OpenSSL.extensions(of: list.pem, "crl")
        let key = try OpenSSL.extensions(of: root.certificatePEM)["Subject Key Identifier"]
        #expect(extensions.removeValue(forKey: "Authority Key Identifier") == key)
        #expect(extensions == ["CRL Number": "300"])
    }

    @Test func `a list of many certificates is longer than lengths of two bytes allow`() throws {
        let root = try CertificateAuthority.root()
        let entries = (0..<6000).map {
            RevocationListDraft.Entry(serialNumber: [0x40, UInt8($0 >> 8), UInt8($0 & 0xff)], date: Date())
        }
        let list = try root.revocationList(revoking: entries)
        #expect(list.der.count > 0x1_0000)
        #expect(try self.verification(of: list, by: root).contains("verify OK"))
    }

    @Test func `a draft is signed with what it names`() throws {
        let root = try CertificateAuthority.root(key: .rsa2048)
        var draft = RevocationListDraft(thisUpdate: Date(), nextUpdate: nil)
        draft.version = 1
        draft.signatureAlgorithm = .rsaPSS
        draft.issuer = .name("Another")
        let text = try OpenSSL.read(draft.signed(by: root.issued).pem, "crl", "-noout", "-text")
        #expect(text.contains("Version 1"))
        #expect(text.contains("Issuer: CN = Another"))
        #expect(text.contains("Next Update: NONE"))
        #expect(text.contains("rsassaPss"))
        #expect(!text.contains("extensions"))

        var forged = RevocationListDraft(thisUpdate: Date(), nextUpdate: Date(timeIntervalSinceNow: self.day))
        forged.signingKey = try .p256()
        #expect(try !self.verification(of: forged.signed(by: root.issued), by: root).contains("verify OK"))
    }

    @Test func `a date that cannot be written is an error with the authority's name`() throws {
        let root = try CertificateAuthority.root(commonName: "Root")
        let error = #expect(throws: DevelopmentCertificateError.self) {
            try root.revocationList(thisUpdate: Date(timeIntervalSince1970: 253_402_300_800))
        }
        #expect(error?.description.hasPrefix("the certificate revocation list of 'Root' could not be made: the date ") == true)
    }

    private func verification(of list: SignedRevocationList, by authority: CertificateAuthority) throws -> String {
        try withTemporaryDirectory { directory in
            let trusted = try authority.certificatePEM.written(to: directory + "/ca.pem")
            let file = try list.pem.written(to: directory + "/list.pem")
            return try OpenSSL.run("crl", "-in", file, "-noout", "-verify", "-CAfile", trusted).output
        }
    }

    private func verdict(
        on leaf: CertifiedKey, _ list: SignedRevocationList, _ authority: CertificateAuthority
    ) throws -> OpenSSL.Result {
        try withTemporaryDirectory { directory in
            let trusted = try authority.certificatePEM.written(to: directory + "/ca.pem")
            let file = try list.pem.written(to: directory + "/list.pem")
            let certificate = try leaf.certificatePEM.written(to: directory + "/leaf.pem")
            return try OpenSSL.run("verify", "-x509_strict", "-crl_check", "-CRLfile", file, "-CAfile", trusted, certificate)
        }
    }
}
