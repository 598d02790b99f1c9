import DevelopmentCertificates
import Foundation
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// How the environment names the files of the system's trust.
@Suite(.timeLimit(.minutes(5))) struct `Trust from the environment` {
    private let files: CredentialFiles

    init() throws { self.files = try CredentialFiles() }

    @Test func `the environment says where the system's trust is`() throws {
        let first = try self.files.folder.write(self.files.authority.certificatePEM, to: "first.pem")
        let folder = try self.files.folder.makeFolder("folder")
        for name in ["second", "third"] {
            try CertificateAuthority.root(commonName: name).certificatePEM
                .write(toFile: "\(folder)/\(name).pem", atomically: false, encoding: .utf8)
        }
        // As c_rehash does; and what else is found in such folders.
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/12ab34cd.0", withDestinationPath: "second.pem")
        try "README".write(toFile: "\(folder)/README", atomically: false, encoding: .utf8)
        try FileManager.default.createDirectory(atPath: "\(folder)/java", withIntermediateDirectories: false)
        #expect(mkfifo("\(folder)/pipe", 0o600) == 0)

        func system(_ environment: [String: String]) throws -> TrustStore {
            try TrustStore.system { environment[$0] }
        }
        let file = try system(["SSL_CERT_FILE": first])
        #expect(file.count == 1)
        #expect(file.origin == first)
        let folders = try system(["SSL_CERT_DIR": "\(self.files.folder.path(of: "missing")):\(folder)"])
        #expect(folders.count == 3)
        #expect(folders.origin == folder)
        let both = try system(["SSL_CERT_FILE": first, "SSL_CERT_DIR": folder])
        #expect(both.count == 4)
        #expect(both.origin == "\(first), \(folder)")
        let second = try system(["SSL_CERT_FILE": first, "SSL_CERT_DIR": self.files.folder.path(of: "missing")])
        #expect(second.origin == first)
    }

    @Test(arguments: UnusableSystemTrust.all)
    func `trust that the environment names and that cannot be loaded names the variable`(_ row: UnusableSystemTrust) throws {
        let made = try row.made(in: self.files.folder)
        let loaded = try #require(throws: CredentialError.self) { try TrustStore.system { made.environment[$0] } }
        let error = SecureSocketError(loaded)
        #expect(error.code == .trustUnusable)
        #expect(error.blame == .configuration)
        #expect(error.description == made.description)
    }

    #if os(Linux)
        @Test func `trusted certificates that cannot be opened for lack of descriptors are never skipped`() async throws {
            await #expect(processExitsWith: .success) {
                let folder = try TemporaryDirectory()
                let file = try folder.write(CertificateAuthority.root().certificatePEM, to: "ca.pem")
                try await DescriptorLimit.withNoneLeft {
                    for environment in [["SSL_CERT_FILE": file], ["SSL_CERT_DIR": folder.path]] {
                        let error = try #require(throws: CredentialError.self) { try TrustStore.system { environment[$0] } }
                        #expect(SecureSocketError(error).code == .tooManyOpenFiles)
                    }
                }
                // One descriptor suffices: the folder is closed before a file in it is opened.
                try await DescriptorLimit.withOneLeft {
                    let store = try TrustStore.system { $0 == "SSL_CERT_DIR" ? folder.path : nil }
                    #expect(store.count == 1)
                }
            }
        }
    #endif
}
