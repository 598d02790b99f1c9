import DevelopmentCertificates
import Foundation
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// The changes of files that are noticed, however they are made.
@Suite(.timeLimit(.minutes(5))) struct `Files of certificates that change` {
    private let files: PolledFiles

    init() throws { self.files = try PolledFiles() }

    /// Writes a new pair in place.
    private func write(_ name: String) throws {
        let identity = try self.files.authority.issue(commonName: name)
        _ = try self.files.folder.write(identity.certificateChainPEM, to: "tls.crt")
        _ = try self.files.folder.write(identity.privateKeyPEM, to: "tls.key")
    }

    @Test func `are put into use when they have been found twice, and once only`() async throws {
        try self.write("second")
        #expect(await self.files.pollOnce() == .soon)
        #expect(self.files.used == [])
        #expect(await self.files.pollOnce() == .afterInterval)
        #expect(self.files.used == ["CN=second"])
        await self.files.poll(5)
        #expect(self.files.used == ["CN=second"])
        #expect(self.files.events.map(\.kind) == [.loaded])
    }

    @Test func `are reported with their certificate and the end of its validity`() async throws {
        try self.write("second")
        await self.files.poll(2)
        let snapshot = try #require(self.files.events.first?.snapshot)
        let leaf = try #require(snapshot.identity.certificates.first)
        #expect(leaf.subject == "CN=second")
        #expect(snapshot.notAfter == snapshot.identity.certificates.compactMap(\.notAfter).min())
        #expect(snapshot.notAfter != nil)
    }

    @Test func `are not reported if only their dates or their descriptors change`() async throws {
        for name in ["tls.crt", "tls.key", "ca.crt"] {
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: self.files.path(name))
            try self.files.folder.replace(name, with: try self.files.contents(name))
        }
        #expect(await self.files.poll(3) == [])
    }

    @Test func `are noticed although size, date and inode are the same`() async throws {
        let path = self.files.path("ca.crt")
        _ = try self.files.folder.write(self.files.contents("ca.crt") + "# 1\n", to: "ca.crt")
        await self.files.poll(2)
        #expect(self.files.used.count == 1)
        let date = try #require(try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date)

        _ = try self.files.folder.write(self.files.contents("ca.crt").replacing("# 1\n", with: "# 2\n"), to: "ca.crt")
        try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
        await self.files.poll(2)
        #expect(self.files.used.count == 2)
    }

    @Test func `may be replaced by renaming others`() async throws {
        let second = try self.files.authority.issue(commonName: "second")
        try self.files.folder.replace("tls.crt", with: second.certificateChainPEM)
        try self.files.folder.replace("tls.key", with: second.privateKeyPEM)
        #expect(await self.files.poll(3) == [.loaded])
        #expect(self.files.used == ["CN=second"])
    }

    @Test func `are not used while only some of them are replaced`() async throws {
        let second = try self.files.authority.issue(commonName: "second")
        try self.files.folder.replace("tls.crt", with: second.certificateChainPEM)
        #expect(await self.files.pollOnce() == .soon)
        try self.files.folder.replace("tls.key", with: second.privateKeyPEM)
        #expect(await self.files.pollOnce() == .soon)
        #expect(await self.files.pollOnce() == .afterInterval)
        // Neither a problem nor a use of the pair that did not fit.
        #expect(self.files.events.map(\.kind) == [.loaded])
    }

    @Test func `are not used before their last certificate is written`() async throws {
        let intermediate = try self.files.authority.intermediate()
        let second = try intermediate.issue(commonName: "second")
        _ = try self.files.folder.write(second.privateKeyPEM, to: "tls.key")
        // A valid PEM file, but incomplete.
        _ = try self.files.folder.write(second.certificatePEM, to: "tls.crt")
        #expect(await self.files.pollOnce() == .soon)
        _ = try self.files.folder.write(second.certificateChainPEM, to: "tls.crt")
        await self.files.poll(2)
        #expect(self.files.used == ["CN=second"])
        #expect(self.files.lastUsed?.identity.certificates.count == 2)
    }

    @Test func `are used by a server`() async throws {
        let second = try self.files.authority.issue(commonName: "second", names: ["127.0.0.1"])
        try self.files.folder.replace("tls.crt", with: second.certificateChainPEM)
        try self.files.folder.replace("tls.key", with: second.privateKeyPEM)
        await self.files.poll(2)
        let snapshot = try #require(self.files.lastUsed)
        let encounter = try await Encounter(
            of: TLSClientConfiguration(
                trust: .only(.text(self.files.authority.certificatePEM)), identity: snapshot.identity),
            with: TLSServerConfiguration(
                identity: snapshot.identity, clients: .required(trust: try #require(snapshot.clientTrust))))
        #expect(try encounter.client.get().information.peerCertificates.map(\.subject) == ["CN=second"])
    }

    @Test func `are used nevertheless if they change at every poll`() async throws {
        for name in ["1", "2", "3", "4"] {
            #expect(self.files.used == [])
            try self.write(name)
            await self.files.poll()
        }
        #expect(self.files.used == ["CN=4"])
    }

    // MARK: Links

    @Test func `may be links into a folder that is replaced, as in a volume of Kubernetes`() async throws {
        let files = try PolledFiles { folder, authority in
            try Self.makeVersion("..2026_11_30_08_00", of: "first", in: folder, authority)
            try Self.makeLink("..data", to: "..2026_11_30_08_00", in: folder)
            for name in ["tls.crt", "tls.key", "ca.crt"] { try Self.makeLink(name, to: "..data/\(name)", in: folder) }
        }
        #expect(await files.poll(3) == [])

        try Self.makeVersion("..2026_11_30_09_00", of: "second", in: files.folder, files.authority)
        try Self.makeLink("..data_tmp", to: "..2026_11_30_09_00", in: files.folder)
        #expect(rename(files.path("..data_tmp"), files.path("..data")) == 0)
        try FileManager.default.removeItem(atPath: files.path("..2026_11_30_08_00"))
        #expect(await files.poll(3) == [.loaded])
        #expect(files.used == ["CN=second"])
    }

    private static func makeVersion(
        _ name: String, of subject: String, in folder: TemporaryDirectory, _ authority: CertificateAuthority
    ) throws {
        _ = try folder.makeFolder(name)
        let identity = try authority.issue(commonName: subject)
        _ = try folder.write(identity.certificateChainPEM, to: "\(name)/tls.crt")
        _ = try folder.write(identity.privateKeyPEM, to: "\(name)/tls.key")
        _ = try folder.write(authority.certificatePEM, to: "\(name)/ca.crt")
    }

    private static func makeLink(_ name: String, to destination: String, in folder: TemporaryDirectory) throws {
        try FileManager.default.createSymbolicLink(atPath: folder.path(of: name), withDestinationPath: destination)
    }

    // MARK: Other files

    @Test func `include the revocation lists of a folder`() async throws {
        let lists = try self.files.folder.makeFolder("crl")
        let authority = try DevelopmentAuthority(commonName: "one")
        _ = try self.files.folder.write(authority.revocationList(of: []), to: "crl/a.crl")
        let files = TLSFiles(
            certificateChain: self.files.path("tls.crt"), privateKey: self.files.path("tls.key"), revocationLists: lists)
        let first = try files.load()
        #expect(first.revocationLists?.lists.count == 1)
        var polling = FilesPolling(of: files, startingFrom: first)
        _ = try self.files.folder.write(DevelopmentAuthority(commonName: "two").revocationList(of: []), to: "crl/b.crl")
        var used: [TLSFiles.Snapshot] = []
        for _ in 0..<3 { _ = await polling.poll({ used.append($0) }, report: { _ in }) }
        #expect(used.map { $0.revocationLists?.lists.map(\.issuer) } == [["CN=one", "CN=two"]])
    }

    @Test(.enabled(if: Program.openssl != nil)) func `may be a PKCS#12 archive`() async throws {
        let workshop = try CredentialWorkshop()
        let make = "openssl pkcs12 -export -in server.pem -inkey server.key -passout pass:secret -out server.p12"
        try workshop.run(make)
        let files = TLSFiles(pkcs12: workshop.path(of: "server.p12"), password: "secret")
        let first = try files.load()
        #expect(first.identity.certificates.map(\.subject) == ["CN=server"])
        #expect(first.clientTrust == nil)
        // The same certificate and key in other bytes, because the salt of the encryption is random.
        try workshop.run(make)
        var polling = FilesPolling(of: files, startingFrom: first)
        var used: [TLSFiles.Snapshot] = []
        for _ in 0..<3 { _ = await polling.poll({ used.append($0) }, report: { _ in }) }
        #expect(used.map { $0.identity.certificates.map(\.subject) } == [["CN=server"]])
    }
}
