import DevelopmentCertificates
import Foundation
import SecureSockets
import TestSupport
import Testing

/// Which files of revocation lists are loaded, and what is said of the others.
@Suite(.timeLimit(.minutes(5))) struct `Revocation lists` {
    let root: CertificateAuthority
    let other: CertificateAuthority
    let folder: TemporaryDirectory

    init() throws {
        self.root = try .root(commonName: "root")
        self.other = try .root(commonName: "other")
        self.folder = try TemporaryDirectory()
    }

    private func message(_ load: () throws -> RevocationLists) throws -> String {
        let error = try #require(throws: SecureSocketError.self) { _ = try load() }
        #expect(error.code == .trustUnusable)
        #expect(error.blame == .configuration)
        #expect(error.step == .configuring)
        return error.description.replacing(self.folder.path, with: "FOLDER")
    }

    private func message(_ content: [UInt8], as name: String = "list.crl") throws -> String {
        let path = try self.folder.write(content, to: name)
        return try self.message { try RevocationLists(.file(path)) }
    }

    @Test func `are loaded from PEM, several in a file, and from DER`() throws {
        let (one, two) = try (self.root.revocationList(number: 300), self.other.revocationList(thisUpdate: .of2024))
        let pem = try self.folder.write("several\n" + self.root.certificatePEM + one.pem + two.pem, to: "lists.pem")
        let lists = try RevocationLists(.file(pem))
        #expect(lists.lists.map(\.issuer) == ["CN=root", "CN=other"])
        #expect(lists.lists.map(\.number) == [[1, 44], [1]])
        #expect(lists.lists.map(\.entryCount) == [0, 0])
        #expect(lists.lists[1].thisUpdate == 1_709_210_096)
        #expect(lists.nextUpdate == Int64(1_709_210_096 + 30 * 86_400))

        let der = try self.folder.write(one.der, to: "list.crl")
        for source in [CredentialSource.file(der), .bytes(one.der), .text(one.pem)] {
            #expect(try RevocationLists(source).lists == [lists.lists[0]])
        }
        #expect(try RevocationLists(derBytes: [one.der, two.der]).lists == lists.lists)
    }

    @Test func `are loaded from a folder in the order of names, without pipes, subfolders and hidden files`() throws {
        let folder = try self.folder.makeFolder("crl")
        _ = try self.folder.write(self.other.revocationList().der, to: "crl/b.crl")
        _ = try self.folder.write(self.root.revocationList().pem, to: "crl/a.pem")
        _ = try self.folder.write("not a list", to: "crl/.hidden")
        #expect(mkfifo(self.folder.path(of: "crl/pipe"), 0o600) == 0)
        _ = try self.folder.makeFolder("crl/sub")
        _ = try self.folder.write("not a list", to: "crl/sub/c.crl")
        #expect(try RevocationLists(folder: folder).lists.map(\.issuer) == ["CN=root", "CN=other"])
    }

    @Test func `of a folder are all named if they cannot be loaded`() throws {
        let folder = try self.folder.makeFolder("crl")
        #expect(
            try self.message { try RevocationLists(folder: folder) }
                == "revocation lists FOLDER/crl: there is none. Give at least one certificate revocation list")
        _ = try self.folder.write(self.root.revocationList().der, to: "crl/a.crl")
        _ = try self.folder.write("not a list", to: "crl/b.crl")
        #expect(
            try self.message { try RevocationLists(folder: folder) }
                == "revocation lists FOLDER/crl/b.crl: holds nothing in PEM. A PEM file has lines like -----BEGIN X509 CRL-----")
        try FileManager.default.removeItem(atPath: folder + "/b.crl")
        try FileManager.default.createSymbolicLink(atPath: folder + "/c.crl", withDestinationPath: "nowhere")
        #expect(
            try self.message { try RevocationLists(folder: folder) }
                == "revocation lists FOLDER/crl/c.crl: cannot be read: No such file or directory. Check the path and its permissions"
        )
        #expect(
            try self.message { try RevocationLists(folder: folder + "/a.crl") }
                == "revocation lists FOLDER/crl/a.crl: cannot be read: Not a directory. Check the path and its permissions")
    }

    @Test func `that are something else are recognized`() throws {
        let key = try CertifiedKey.selfSigned()
        #expect(
            try self.message(Array(key.certificatePEM.utf8))
                == "revocation lists FOLDER/list.crl: contains no revocation list, only CERTIFICATE. "
                + "Give the authority's certificate revocation list (.crl), in PEM or DER")
        #expect(
            try self.message(self.root.issued.der)
                == "revocation lists FOLDER/list.crl: is a certificate, not a revocation list. "
                + "Give the authority's certificate revocation list (.crl), in PEM or DER")
        #expect(try self.message([]) == "revocation lists FOLDER/list.crl: is empty. Give a PEM file")
        #expect(
            try self.message { try RevocationLists(.file(self.folder.path)) }
                == "revocation lists FOLDER: is a folder, not a file. Name the file in it")
        #expect(
            try self.message { try RevocationLists(derBytes: []) }
                == "revocation lists: there is none. Give at least one certificate revocation list")
    }

    @Test func `that are damaged are named`() throws {
        let list = try self.root.revocationList()
        #expect(
            try self.message(Array(list.der.dropLast(3)))
                == "revocation lists FOLDER/list.crl: list 1 cannot be read: its last 3 bytes are missing. Is the file complete?")
        #expect(
            try self.message(list.der + [0])
                == "revocation lists FOLDER/list.crl: list 1 cannot be read. Was the file modified? Obtain it again")
        let block = self.root.certificatePEM.replacing("CERTIFICATE", with: "X509 CRL")
        #expect(
            try self.message(Array((list.pem + block).utf8))
                == "revocation lists FOLDER/list.crl: list 2 of the file (line \(list.pem.count { $0 == "\n" } + 1)) cannot be read: "
                + "the block holds a certificate. Give a revocation list")
        #expect(
            try self.message(Array(list.pem.replacing("CRL-----\nM", with: "CRL-----\n!").utf8)).contains("is not valid base64"))
    }

    @Test(
        arguments: [
            (.deltaIndicator(ofBase: 1), "is a delta list, which has changes to another list only, and is not supported"),
            (
                .issuingDistributionPoint(nil, .indirect),
                "is an indirect list, which has certificates of other issuers, and is not supported"
            ),
            (
                .issuingDistributionPoint(nil, .onlySomeReasons),
                "is limited to some reasons for revocation, which is not supported"
            ),
            (
                .issuingDistributionPoint(nil, .onlyAttributeCertificates),
                "is for attribute certificates, which TLS does not use"
            ),
            (
                .issuingDistributionPoint(.relative("1"), .onlyEndEntities),
                "names its distribution point relative to its issuer, which is not supported"
            ),
            (
                .issuingDistributionPoint(nil, .onlyEndEntities, .onlyAuthorities),
                "has an extension or a date that cannot be decoded"
            ),
            (
                .unknown.critical(),
                "has the critical extension OID 1.3.6.1.4.1.55738.666.1, which is not supported"
            ),
        ] as [(ExtensionValue, String)])
    func `of kinds that are not supported are refused`(_ extension: ExtensionValue, _ text: String) throws {
        let list = try self.root.list { $0.extensions.append(`extension`) }
        #expect(try self.message(list.der).hasPrefix("revocation lists FOLDER/list.crl: list 1 (CN=root) \(text). "))
    }

    @Test func `with entries that have critical or malformed extensions are refused`() throws {
        func message(_ extension: ExtensionValue) throws -> String {
            var entry = RevocationListDraft.Entry(serialNumber: [0x40], date: .of2024)
            entry.extensions = [`extension`]
            return try self.message(self.root.revocationList(revoking: [entry]).der)
        }
        #expect(try message(.unknown.critical()).contains("has the critical extension OID 1.3.6.1.4.1.55738.666.1"))
        #expect(try message(ExtensionValue("2.5.29.21", .null)).contains("that cannot be decoded"))
        let list = try self.root.list { $0.extensions.append(.unknown) }
        #expect(try RevocationLists(list).lists.count == 1)
    }

    @Test func `are bounded in number`() throws {
        let list = try self.root.revocationList()
        let most = try RevocationLists(derBytes: Array(repeating: list.der, count: 4096))
        #expect(
            try self.message { try most.adding(RevocationLists(list)) }
                == "revocation lists: there are more than 4096. Remove lists that have been replaced, and those of authorities "
                + "that are not trusted")
    }
}
