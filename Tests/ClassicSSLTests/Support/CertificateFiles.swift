import DevelopmentCertificates
import Foundation
import SecureSocketsTesting
import Synchronization
import TLSEngine
import TestSupport

@testable import ClassicSSL

/// The files that the classic options name, made once a process in a temporary folder that goes with it.
struct CertificateFiles: Sendable {
    private static let made: Result<CertificateFiles, any Error> = Result {
        let files = try CertificateFiles()
        // What is static is never released.
        atexit {
            if let path = try? CertificateFiles.made.get().folder.path { try? FileManager.default.removeItem(atPath: path) }
        }
        return files
    }

    static var shared: CertificateFiles { get throws { try self.made.get() } }

    private static let lastNumber = Mutex(0)

    let folder: TemporaryDirectory
    let authority: CertificateAuthority
    let stranger: CertificateAuthority
    let serverKey: CertifiedKey
    let clientKey: CertifiedKey
    /// The root's certificate.
    let ca: String
    /// Another root's, that has issued nothing that is used.
    let strangersCA: String
    /// The options that make a server: a certificate and its key.
    let server: [SSL.Option]
    /// The options that give a client a certificate.
    let client: [SSL.Option]

    private init() throws {
        self.folder = try TemporaryDirectory()
        self.authority = try CertificateAuthority.root(commonName: "Classic authority")
        self.stranger = try CertificateAuthority.root(commonName: "Strange authority")
        self.serverKey = try Self.leaf(of: self.authority)
        self.clientKey = try self.authority.issue(commonName: "client", purposes: [.client])
        self.ca = try self.folder.write(self.authority.certificatePEM, to: "ca.pem")
        self.strangersCA = try self.folder.write(self.stranger.certificatePEM, to: "stranger.pem")
        // A path may contain blanks (§3.3).
        let certificate = try self.folder.write(self.serverKey.certificateChainPEM, to: "the server.pem")
        let key = try self.folder.write(self.serverKey.privateKeyPEM, to: "the server's key.pem")
        self.server = [.certfile(certificate), .keyfile(key)]
        self.client = [
            .certfile(try self.folder.write(self.clientKey.certificateChainPEM, to: "client.pem")),
            .keyfile(try self.folder.write(self.clientKey.privateKeyPEM, to: "client-key.pem")),
        ]
    }

    /// A certificate that is good for both sides.
    static func leaf(
        of authority: CertificateAuthority, purposes: Set<CertifiedKey.Purpose> = [.server, .client], validity: Validity = .leaf
    ) throws -> CertifiedKey {
        try authority.issue(commonName: "leaf", names: ["localhost", "127.0.0.1"], purposes: purposes, validity: validity)
    }

    /// Writes a file of a name that no other has.
    func write(_ text: String) throws -> String {
        let number = Self.lastNumber.withLock { number in
            number += 1
            return number
        }
        return try self.folder.write(text, to: "\(number).pem")
    }

    /// The options for a certificate, its chain and its key, in one file (§3: the key's file is the certificate's by default).
    func identity(_ key: CertifiedKey, chain: String? = nil) throws -> [SSL.Option] {
        [.certfile(try self.write((chain ?? key.certificateChainPEM) + key.privateKeyPEM))]
    }

    func identity(_ own: DevelopmentIdentity) throws -> [SSL.Option] {
        [.certfile(try self.write(own.certificateChainPEM + own.privateKeyPEM))]
    }

    /// The file that an option names.
    func path(of option: SSL.Option) throws -> String {
        switch option {
        case .certfile(let path), .keyfile(let path), .cacertfile(let path): path
        default: throw SSL.Reason.eoptions
        }
    }

    /// The option that trusts these authorities.
    func trust(_ pems: String...) throws -> SSL.Option {
        .cacertfile(try self.write(pems.joined()))
    }
}

enum TemporaryFile {
    static func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }
}

extension CertificateFiles {
    /// The server's certificate with its key under the password "secret".
    func encrypted() throws -> [SSL.Option] {
        let key = try PrivateKeyPEM.encrypted(self.serverKey.privateKeyPEM, password: "secret")
        return [self.server[0], .keyfile(try self.write(key))]
    }
}
