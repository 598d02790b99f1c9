import DevelopmentCertificates
import TestSupport
import Testing

@testable import ClassicSSL

@Suite("§6.1 Reasons: own configuration", .countsRules, .timeLimit(.minutes(5)))
struct ConfigurationReasonsTests {
    /// What is wrong with the files of a call, and the reason.
    struct Case: Sendable, CustomTestStringConvertible {
        let reason: SSL.Reason
        let testDescription: String
        let options: @Sendable (CertificateFiles) throws -> [SSL.Option]

        init(_ reason: SSL.Reason, _ what: String, _ options: @escaping @Sendable (CertificateFiles) throws -> [SSL.Option]) {
            self.reason = reason
            self.testDescription = "\(reason): \(what)"
            self.options = options
        }
    }

    static let cases: [Case] = [
        Case(.ecacertfile, "no such file") { _ in [.cacertfile("/nowhere/ca.pem")] },
        Case(.ecacertfile, "a folder") { [.cacertfile($0.folder.path)] },
        Case(.ecacertfile, "no certificate in it") { [.cacertfile(try $0.write($0.serverKey.privateKeyPEM))] },
        Case(.ecacertfile, "empty") { [.cacertfile(try $0.write(""))] },
        // Only what is before it would be opened.
        Case(.ecacertfile, "a NUL character in its path") { [.cacertfile($0.ca + "\0x")] },
        Case(.ecertfile, "a NUL character in its path") { [.certfile(try $0.path(of: $0.server[0]) + "\0x"), $0.server[1]] },
        Case(.ekeyfile, "a NUL character in its path") { [$0.server[0], .keyfile(try $0.path(of: $0.server[1]) + "\0x")] },
        Case(.ecertfile, "no such file") { _ in [.certfile("/nowhere/certificate.pem")] },
        Case(.ecertfile, "only a key in it") { [.certfile(try $0.write($0.serverKey.privateKeyPEM))] },
        Case(.ecertfile, "nonsense in a block") {
            [.certfile(try $0.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))]
        },
        Case(.ekeyfile, "no such file") { $0.server.prefix(1) + [.keyfile("/nowhere/key.pem")] },
        Case(.ekeyfile, "the certificate's file has no key") { [.certfile(try $0.write($0.serverKey.certificatePEM))] },
        Case(.ekeyfile, "nonsense in a block") {
            $0.server.prefix(1) + [.keyfile(try $0.write("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))]
        },
        Case(.ekeyfile, "the password is missing") { try $0.encrypted() },
        Case(.ekeyfile, "the password is wrong") { try $0.encrypted() + [.password("wrong")] },
        Case(.ekeyfile, "a key without a certificate is read as well") { _ in [.keyfile("/nowhere/key.pem")] },
        Case(.ekeymismatch, "another key") { [$0.server[0], $0.client[1]] },
        Case(.ekeymismatch, "a key of another kind") {
            let other = try CertifiedKey.selfSigned(key: .rsa2048)
            return [$0.server[0], .keyfile(try $0.write(other.privateKeyPEM))]
        },
        Case(.ecipher, "no name is known") { _ in [.ciphers("NONSENSE:RUBBISH")] },
        Case(.ecipher, "empty") { _ in [.ciphers("")] },
        Case(.ecipher, "a NUL character in it") { _ in [.ciphers("ECDHE-RSA-AES128-GCM-SHA256\0:NONSENSE")] },
    ]

    @Test(arguments: Self.cases)
    func `6_1: files and ciphers, in listen and in connect`(_ wrong: Case) async throws {
        let options = try wrong.options(CertificateFiles.shared)
        await #expect(throws: wrong.reason) { try await SSL.listen(0, options) }
        await #expect(throws: wrong.reason) { try await SSL.connect("127.0.0.1", 1, options, patience) }
        // Also without verification and with it (§3, `cacertfile`).
        await #expect(throws: wrong.reason) { try await SSL.listen(0, options + [.verify(0)]) }
    }

    @Test(arguments: UnusableFile.all)
    func `6_1: files of other forms, of other kinds and too weak`(_ file: UnusableFile) async throws {
        let made = try file.made()
        let options: [SSL.Option] =
            [.certfile(made.chain), .keyfile(made.key)] + (made.trust.map { [.cacertfile($0)] } ?? [])
            + (file.password.map { [.password($0)] } ?? [])
        let reason: SSL.Reason =
            switch file.item {
            case _ where file.isMismatch: .ekeymismatch
            case .chain: .ecertfile
            case .key: .ekeyfile
            case .trust: .ecacertfile
            }
        await #expect(throws: reason) { try await SSL.listen(0, options) }
    }

    @Test func `6_1: enooptions and eoptions`() async {
        await #expect(throws: SSL.Reason.enooptions) { try await SSL.listen(0, []) }
        await #expect(throws: SSL.Reason.eoptions) { try await SSL.listen(0, [.verify(3)]) }
    }

    @Test func `6_1: enoservercert, from accept`() async throws {
        let files = try CertificateFiles.shared
        try await SSL.withProcess { _ in
            // A key alone is no identity.
            for options in [[.verify(0)], [files.server[1]]] as [[SSL.Option]] {
                let listener = try await SSL.listen(0, options)
                await #expect(throws: SSL.Reason.enoservercert) { try await SSL.accept(listener) }
            }
        }
    }
}
