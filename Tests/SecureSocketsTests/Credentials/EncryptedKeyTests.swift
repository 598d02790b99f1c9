import DevelopmentCertificates
import Foundation
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// Which passwords an encrypted key is loaded with, and the errors for a password that is missing, wrong or too long.
@Suite(.timeLimit(.minutes(5))) struct `Encrypted keys` {
    private let files: CredentialFiles

    init() throws { self.files = try CredentialFiles() }

    @Test func `an encrypted key needs its password`() throws {
        let key = try PrivateKeyPEM.encrypted(self.files.server.privateKeyPEM, password: "secret")
        #expect(key.hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
        try self.expectPasswordNeeded(key)
    }

    @Test(
        .enabled(if: Program.openssl != nil, "openssl is not installed"),
        arguments: [
            (["ec", "-aes256"], KeyKind.p256, "EC PRIVATE KEY"),
            (["rsa", "-aes256", "-traditional"], .rsa2048, "RSA PRIVATE KEY"),
            (["rsa", "-des3", "-traditional"], .rsa2048, "RSA PRIVATE KEY"),
            (["pkcs8", "-topk8", "-v2", "aes-256-cbc"], .p256, "ENCRYPTED PRIVATE KEY"),
            (["pkcs8", "-topk8", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"], .rsa2048, "ENCRYPTED PRIVATE KEY"),
            (["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES"], .p256, "ENCRYPTED PRIVATE KEY"),
        ])
    func `a key that openssl has encrypted needs its password`(
        _ row: (command: [String], kind: KeyKind, label: String)
    ) throws {
        let openssl = try #require(Program.openssl)
        let server = try self.files.authority.issue(commonName: "server", key: row.kind)
        let plain = try self.files.folder.write(server.privateKeyPEM, to: "plain.pem")
        let encrypted = self.files.folder.path(of: "encrypted.pem")
        let outcome = try openssl.run(row.command + ["-in", plain, "-out", encrypted, "-passout", "pass:secret"])
        try #require(outcome.status == 0, "\(outcome.output)")
        let key = try String(contentsOfFile: encrypted, encoding: .utf8)
        #expect(key.hasPrefix("-----BEGIN \(row.label)-----"))
        #expect(key.contains("DEK-Info:") == !row.label.hasPrefix("ENCRYPTED"))
        try self.expectPasswordNeeded(key, of: server)
    }

    @Test func `a password that is longer than supported is not reported as wrong`() throws {
        let key = try PrivateKeyPEM.encrypted(self.files.server.privateKeyPEM, password: "secret")
        let chain = CredentialSource.text(self.files.server.certificateChainPEM)
        let error = try #require(throws: SecureSocketError.self) {
            try TLSIdentity(
                certificateChain: chain, privateKey: .text(key), password: String(repeating: "x", count: 1025))
        }
        error.expectConfiguration(
            .privateKeyUnusable,
            "private key: is encrypted, and the password is longer than 1024 bytes, which is the most that is supported. "
                + "Encrypt the key with a shorter password")
    }

    @Test(.enabled(if: Program.openssl != nil, "openssl is not installed"))
    func `an encryption that is not supported is reported whatever the password`() throws {
        let workshop = try CredentialWorkshop()
        try workshop.run("openssl pkcs8 -topk8 -in server.key -scrypt -passout pass:secret -out scrypt.pem")
        for password in [nil, "", "secret", "wrong"] {
            let error = try #require(throws: SecureSocketError.self) {
                try TLSIdentity(
                    certificateChain: .file(workshop.path(of: "server.pem")),
                    privateKey: .file(workshop.path(of: "scrypt.pem")), password: password)
            }
            #expect(error.message.hasSuffix("is encrypted with scrypt (OID 1.3.6.1.4.1.11591.4.11), which is not supported"))
        }
    }

    @Test func `a password for a key that is not encrypted is ignored`() throws {
        let identity = try TLSIdentity(
            certificateChain: .text(self.files.server.certificateChainPEM), privateKey: .text(self.files.server.privateKeyPEM),
            password: "not needed")
        #expect(identity.certificates.count == 1)
    }

    @Test(arguments: ["", "pässwörd", String(repeating: "long ", count: 100)])
    func `a password may be empty, long, or in any script`(_ password: String) throws {
        let key = try PrivateKeyPEM.encrypted(self.files.server.privateKeyPEM, password: password)
        _ = try TLSIdentity(
            certificateChain: .text(self.files.server.certificateChainPEM), privateKey: .text(key), password: password)
    }

    private func expectPasswordNeeded(_ pem: String, of server: CertifiedKey? = nil) throws {
        let chain = CredentialSource.text((server ?? self.files.server).certificateChainPEM)
        let key = try self.files.folder.write(pem, to: "encrypted-key.pem")
        #expect(throws: Never.self) {
            try TLSIdentity(certificateChain: chain, privateKey: .file(key), password: "secret")
        }

        let missing = try #require(throws: SecureSocketError.self) {
            try TLSIdentity(certificateChain: chain, privateKey: .file(key))
        }
        missing.expectConfiguration(
            .privateKeyUnusable,
            "private key \(key): is encrypted, and no password was given. Give the password")

        for password in ["wrong", ""] {
            let wrong = try #require(throws: SecureSocketError.self) {
                try TLSIdentity(certificateChain: chain, privateKey: .file(key), password: password)
            }
            wrong.expectConfiguration(
                .privateKeyUnusable,
                "private key \(key): is encrypted, and the password is wrong. Check the password")
        }
    }
}
