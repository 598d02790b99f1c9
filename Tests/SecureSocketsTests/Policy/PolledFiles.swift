import DevelopmentCertificates
import Foundation
import SecureSockets
import TestSupport
import Testing

/// A folder with a server's chain and key and a file of trusted certificates, which is polled: what was reported, and what was put into use.
///
/// Identities are told apart by the name in their certificate.
final class PolledFiles {
    struct Refusal: Error, Equatable {}

    let folder: TemporaryDirectory
    let authority: CertificateAuthority
    let files: TLSFiles
    private var polling: FilesPolling<TLSFiles>
    private(set) var events: [TLSFiles.Event] = []
    /// The names of the certificates that were put into use.
    private(set) var used: [String] = []
    private(set) var lastUsed: TLSFiles.Snapshot?
    /// Whether new snapshots are refused.
    var refuses = false

    /// Begins with these names in the folder, as makers of links; by default with the files themselves.
    init(arrange: (TemporaryDirectory, CertificateAuthority) throws -> Void = PolledFiles.writeFirst) throws {
        self.folder = try TemporaryDirectory()
        self.authority = try CertificateAuthority.root()
        self.files = TLSFiles(
            certificateChain: self.folder.path(of: "tls.crt"), privateKey: self.folder.path(of: "tls.key"),
            clientTrust: self.folder.path(of: "ca.crt"))
        try arrange(self.folder, self.authority)
        self.polling = FilesPolling(of: self.files, startingFrom: try self.files.load())
    }

    static func writeFirst(to folder: TemporaryDirectory, _ authority: CertificateAuthority) throws {
        let first = try authority.issue(commonName: "first")
        _ = try folder.write(first.certificateChainPEM, to: "tls.crt")
        _ = try folder.write(first.privateKeyPEM, to: "tls.key")
        _ = try folder.write(authority.certificatePEM, to: "ca.crt")
    }

    func path(_ name: String) -> String { self.folder.path(of: name) }

    func contents(_ name: String) throws -> String { try String(contentsOfFile: self.path(name), encoding: .utf8) }

    /// Polls as often as this, and returns the kinds of the events of these polls.
    @discardableResult
    func poll(_ count: Int = 1) async -> [TLSFiles.Event.Kind] {
        let before = self.events.count
        for _ in 0..<count { _ = await self.pollOnce() }
        return self.events[before...].map(\.kind)
    }

    func pollOnce() async -> FilesPolling<TLSFiles>.NextPoll {
        var polling = self.polling
        defer { self.polling = polling }
        return await polling.poll { snapshot in
            if self.refuses { throw Refusal() }
            self.lastUsed = snapshot
            self.used.append(snapshot.identity.certificates.first?.subject ?? "none")
        } report: { event in
            self.events.append(event)
        }
    }

    /// The error of the last event.
    func lastError() throws -> SecureSocketError {
        try #require(self.events.last?.error as? SecureSocketError)
    }
}
