import DevelopmentCertificates
import Foundation
import Testing

@Suite struct CertificateKeyTests {
    struct Case: Sendable {
        let algorithm: CertificateKey.Algorithm
        /// How OpenSSL describes the key.
        let text: String
        let signatures: [(SignatureAlgorithm, String)]
    }

    static let cases = [
        Case(algorithm: .p256, text: "prime256v1", signatures: ecdsa),
        Case(algorithm: .p384, text: "secp384r1", signatures: ecdsa),
        Case(algorithm: .p521, text: "secp521r1", signatures: ecdsa),
        Case(algorithm: .rsa(bits: 1024), text: "(1024 bit, 2 primes)", signatures: rsa),
        Case(algorithm: .rsa(bits: 3072), text: "(3072 bit, 2 primes)", signatures: rsa),
        Case(algorithm: .ed25519, text: "ED25519 Private-Key", signatures: [(.ed25519, "ED25519")]),
    ]

    private static let ecdsa: [(SignatureAlgorithm, String)] = [
        (.ecdsaSHA1, "ecdsa-with-SHA1"), (.ecdsaSHA256, "ecdsa-with-SHA256"), (.ecdsaSHA384, "ecdsa-with-SHA384"),
        (.ecdsaSHA512, "ecdsa-with-SHA512"),
    ]
    private static let rsa: [(SignatureAlgorithm, String)] = [
        (.rsaSHA1, "sha1WithRSAEncryption"), (.rsaSHA256, "sha256WithRSAEncryption"), (.rsaPSS, "rsassaPss"),
    ]

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"), arguments: cases)
    func `OpenSSL reads every kind of key in all its forms`(example: Case) throws {
        let key = try CertificateKey(example.algorithm)
        let publicKey = Data(key.publicKeyInfo.bytes).base64EncodedString()
        for pem in [key.pem, key.traditionalPEM].compactMap({ $0 }) {
            // OpenSSL has no check of Ed25519 keys.
            if example.algorithm != .ed25519 {
                #expect(try OpenSSL.read(pem, "pkey", "-noout", "-check").contains("Key is valid"))
            }
            #expect(try OpenSSL.read(pem, "pkey", "-noout", "-text").contains(example.text))
            let lines = try OpenSSL.read(pem, "pkey", "-pubout").split(whereSeparator: \.isNewline)
            #expect(lines.dropFirst().dropLast().joined() == publicKey)
        }
        #expect(try CertificateKey(example.algorithm).publicKeyInfo != key.publicKeyInfo)
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"), arguments: cases)
    func `OpenSSL verifies the signatures of every algorithm`(example: Case) throws {
        let key = try CertificateKey(example.algorithm)
        for (algorithm, name) in example.signatures {
            let root = try self.root(key) { $0.signatureAlgorithm = algorithm }
            #expect(try OpenSSL.read(root.pem, "x509", "-noout", "-text").contains("Signature Algorithm: \(name)"))
            let result = try self.verification(of: root)
            #expect(result.status == 0, "\(result.output)")
        }
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"))
    func `OpenSSL refuses the signature of another key`() throws {
        let root = try self.root(.p256()) { $0.signingKey = try .p256() }
        let result = try self.verification(of: root)
        #expect(result.status != 0)
        #expect(result.output.contains("certificate signature failure"), "\(result.output)")
    }

    @Test func `a key signs with the algorithms of its kind only`() throws {
        for (kind, algorithm) in [
            (CertificateKey.Algorithm.p256, SignatureAlgorithm.rsaSHA256), (.p256, .ed25519), (.ed25519, .ecdsaSHA256),
            (.rsa(bits: 1024), .ecdsaSHA256),
        ] {
            let key = try CertificateKey(kind)
            #expect(throws: CertificateKeyError.otherAlgorithm(key: kind, signature: algorithm)) {
                try self.root(key) { $0.signatureAlgorithm = algorithm }
            }
        }
    }

    @Test func `a size that BoringSSL does not make is an error with its reason`() throws {
        #expect(throws: CertificateKeyError.library(reason: "KEY_SIZE_TOO_SMALL")) { try CertificateKey(.rsa(bits: 256)) }
        #expect(throws: CertificateKeyError.self) { try CertificateKey(.rsa(bits: .max)) }
    }

    /// A self-signed certificate.
    private func root(
        _ key: CertificateKey, change: (inout CertificateDraft) throws -> Void
    ) throws -> IssuedCertificate {
        var draft = CertificateDraft(subject: .name("Root"), validity: try ValidityPeriod(.authority))
        draft.set(.basicConstraints(isAuthority: true))
        try change(&draft)
        return try draft.signed(for: key, by: nil)
    }

    /// Weak keys and SHA-1 are no reason for OpenSSL to refuse the certificate here.
    private func verification(of root: IssuedCertificate) throws -> OpenSSL.Result {
        try withTemporaryDirectory { directory in
            let file = try root.pem.written(to: directory + "/root.pem")
            return try OpenSSL.run("verify", "-check_ss_sig", "-auth_level", "0", "-CAfile", file, file)
        }
    }
}
