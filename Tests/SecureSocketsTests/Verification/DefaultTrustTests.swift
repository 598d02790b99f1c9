import DevelopmentCertificates
import Foundation
import SecureSocketsTesting
import TLSEngine
import TestSupport
import Testing

@testable import SecureSockets

/// The system's trust, which changes while a program runs, and the configuration of clients that are given none.
@Suite(.timeLimit(.minutes(5))) struct `The system's trust` {
    private let folder: TemporaryDirectory

    init() throws { self.folder = try TemporaryDirectory() }

    private func authority(_ name: String) throws -> String { try CertificateAuthority.root(commonName: name).certificatePEM }

    @Test func `is read again when its file has changed, and not otherwise`() throws {
        let path = try self.folder.write(self.authority("one"), to: "trust.pem")
        let cache = SystemStoreCache()
        func load(_ environment: [String: String]) throws -> TrustStore {
            try TrustStore.system(cache: cache) { environment[$0] }
        }
        func load() throws -> TrustStore { try load(["SSL_CERT_FILE": path]) }
        let first = try load()
        #expect(try load() === first)
        #expect(try load(["SSL_CERT_FILE": path, "SSL_CERT_DIR": ""]) === first)
        try self.folder.replace("trust.pem", with: self.authority("one") + self.authority("two"))
        let second = try load()
        #expect(second !== first)
        #expect(second.count == 2)
        #expect(try load() === second)
    }

    @Test func `is read again when a file was added to its folder`() throws {
        _ = try self.folder.write(self.authority("one"), to: "one.pem")
        let cache = SystemStoreCache()
        func load() throws -> TrustStore { try TrustStore.system(cache: cache) { $0 == "SSL_CERT_DIR" ? self.folder.path : nil } }
        #expect(try load().count == 1)
        _ = try self.folder.write(self.authority("two"), to: "two.pem")
        #expect(try load().count == 2)
    }

    @Test func `is one configuration for all clients that are given none`() async {
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryDirectory()
            let path = try folder.write(CertificateAuthority.root().certificatePEM, to: "trust.pem")
            setenv("SSL_CERT_FILE", path, 1)
            let first = try TLSClientConfiguration.standard()
            #expect(try TLSClientConfiguration.standard().context === first.context)
            try folder.replace("trust.pem", with: CertificateAuthority.root().certificatePEM)
            #expect(try TLSClientConfiguration.standard().context !== first.context)
            withExtendedLifetime(folder) {}
        }
    }

    @Test func `of which there is too much to name is not named to clients, and a handshake goes well`() async throws {
        let certificates = try TestCertificates.shared.get()
        let key = try CertificateKey.p256()
        let many = try (0..<900).map {
            try self.authority(named: "An authority with a long name, so that nine hundred do not fit: \($0)", key: key)
        }
        let server = try TLSServerConfiguration(
            identity: certificates.serverIdentity,
            clients: .required(trust: .only(.text(many.joined() + certificates.authority.certificatePEM))))
        #expect(!server.context.namesAuthorities)
        let client = try TLSClientConfiguration(trust: certificates.trust, identity: certificates.clientIdentity)
        let pair = try await SecureSocket.connectedPair(client: client, server: server, timeout: Encounter.patience)
        #expect(pair.server.information.peerCertificates.first?.subject == "CN=client")
        pair.client.close()
        pair.server.close()
        let few = try TLSServerConfiguration(identity: certificates.serverIdentity, clients: .required(trust: certificates.trust))
        #expect(few.context.namesAuthorities)
    }

    /// An authority whose name is long. Making one is quick, as the key is given.
    private func authority(named name: String, key: CertificateKey) throws -> String {
        var draft = CertificateDraft(subject: .name(name), validity: .current)
        draft.set(.basicConstraints(isAuthority: true))
        return try draft.signed(for: key, by: nil).pem
    }
}
