import DevelopmentCertificates
import Foundation
import SecureSockets
import TestSupport
import Testing

/// Changes after which the files cannot be loaded, or not be used, and what is reported about them.
@Suite(.timeLimit(.minutes(5))) struct `Files of certificates that cannot be used any more` {
    private let files: PolledFiles

    init() throws { self.files = try PolledFiles() }

    /// A change that is a problem, and the text of the report after the path.
    enum Change: String, CaseIterable, Codable {
        case removed, empty, cutOff, folder, pipe, socket, tooLarge

        var text: String {
            switch self {
            case .removed: "cannot be read: No such file or directory. Check the path and its permissions"
            case .empty: "is empty. Give a PEM file"
            case .cutOff: "the CERTIFICATE block that begins on line 1 has no END line. Is the file complete?"
            case .folder: "is a folder, not a file. Name the file in it"
            case .pipe, .socket: "is not a regular file, but a pipe, a socket or a device. Name a regular file"
            case .tooLarge: "is larger than 16 MiB; it cannot be a PEM file of this kind"
            }
        }

        func make(_ name: String, in folder: TemporaryDirectory) throws {
            let path = folder.path(of: name)
            let content = try String(contentsOfFile: path, encoding: .utf8)
            try FileManager.default.removeItem(atPath: path)
            switch self {
            case .removed: break
            case .empty: _ = try folder.write("", to: name)
            case .cutOff: _ = try folder.write(String(content.prefix(content.count / 2)), to: name)
            case .folder: _ = try folder.makeFolder(name)
            case .pipe: try #require(mkfifo(path, 0o600) == 0)
            case .socket: try #require(mknod(path, S_IFSOCK | 0o600, 0) == 0)
            case .tooLarge:
                _ = try folder.write("", to: name)
                // Takes no space: nothing is written.
                try #require(truncate(path, 17 << 20) == 0)
            }
        }
    }

    @Test(arguments: Change.allCases)
    func `are reported after the third failure, with the reason, and when they can be used again`(_ change: Change) async throws {
        let content = try self.files.contents("ca.crt")
        try change.make("ca.crt", in: self.files.folder)
        #expect(await self.files.poll() == [])
        #expect(await self.files.poll() == [.retrying])
        #expect(await self.files.poll() == [])
        #expect(await self.files.poll() == [.failed])
        try self.files.lastError().expectConfiguration(
            .trustUnusable, "trusted certificates \(self.files.path("ca.crt")): \(change.text)")
        #expect(await self.files.poll(5) == [])
        #expect(self.files.used == [])

        try? FileManager.default.removeItem(atPath: self.files.path("ca.crt"))
        _ = try self.files.folder.write(content, to: "ca.crt")
        #expect(await self.files.poll(3) == [.recovered])
        // The snapshot in use is the same.
        #expect(self.files.used == [])
    }

    @Test func `are not reported as failed while a key is about to follow its certificate`() async throws {
        let second = try self.files.authority.issue(commonName: "second")
        _ = try self.files.folder.write(second.certificateChainPEM, to: "tls.crt")
        #expect(await self.files.poll(3) == [.retrying])
        #expect(try self.files.lastError().code == .privateKeyMismatch)

        _ = try self.files.folder.write(second.privateKeyPEM, to: "tls.key")
        #expect(await self.files.poll(3) == [.recovered, .loaded])
        #expect(self.files.used == ["CN=second"])
    }

    @Test func `name the key that does not belong to the new certificate`() async throws {
        let second = try self.files.authority.issue(commonName: "second")
        _ = try self.files.folder.write(second.certificateChainPEM, to: "tls.crt")
        #expect(await self.files.poll(4) == [.retrying, .failed])
        try self.files.lastError().expectConfiguration(
            .privateKeyMismatch,
            "private key \(self.files.path("tls.key")): does not belong to the certificate (CN=second). "
                + "Give the key that the certificate was issued for")
    }

    @Test func `are offered until the program accepts them, and its refusal is reported once`() async throws {
        let second = try self.files.authority.issue(commonName: "second")
        _ = try self.files.folder.write(second.certificateChainPEM, to: "tls.crt")
        _ = try self.files.folder.write(second.privateKeyPEM, to: "tls.key")
        self.files.refuses = true
        #expect(await self.files.poll(6) == [.updateFailed])
        #expect(self.files.events.last?.error is PolledFiles.Refusal)
        #expect(self.files.events.last?.snapshot?.identity.certificates.first?.subject == "CN=second")

        self.files.refuses = false
        #expect(await self.files.poll(2) == [.recovered, .loaded])
        #expect(self.files.used == ["CN=second"])
    }

    @Test func `may be replaced by the ones before`() async throws {
        let (chain, key) = (try self.files.contents("tls.crt"), try self.files.contents("tls.key"))
        let second = try self.files.authority.issue(commonName: "second")
        _ = try self.files.folder.write(second.certificateChainPEM, to: "tls.crt")
        _ = try self.files.folder.write(second.privateKeyPEM, to: "tls.key")
        self.files.refuses = true
        #expect(await self.files.poll(3) == [.updateFailed])
        _ = try self.files.folder.write(chain, to: "tls.crt")
        _ = try self.files.folder.write(key, to: "tls.key")
        #expect(await self.files.poll(3) == [.recovered])
        #expect(self.files.used == [])
    }
}
