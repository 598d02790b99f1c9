import DevelopmentCertificates
import Foundation
import SwiftASN1
import Testing
import X509

@Suite struct CertificateTests {
    @Test func `a leaf is followed by its chain, and the root is left out`() throws {
        let root = try CertificateAuthority.root()
        let upper = try root.intermediate(commonName: "upper")
        let lower = try upper.intermediate(commonName: "lower", pathLength: 0)
        let leaf = try lower.issue(commonName: "leaf", names: ["localhost"])

        let documents = try PEMDocument.parseMultiple(pemString: leaf.certificateChainPEM)
        let chain = try documents.map { try Certificate(pemDocument: $0) }
        #expect(chain == [leaf.certificate, lower.certificate, upper.certificate])
        #expect(chain.last?.issuer == root.certificate.subject)
        #expect(leaf.certificatePEM == leaf.certificate.pemText)
    }

    @Test(arguments: KeyKind.allCases, KeyKind.allCases)
    func `every kind of authority signs every kind of leaf`(authority: KeyKind, leaf: KeyKind) throws {
        if authority == .rsa2048, leaf == .rsa2048 { return }  // Slow, and covered by the writer.
        let root = try CertificateAuthority.root(key: authority)
        let issued = try root.issue(commonName: "leaf", names: ["localhost"], key: leaf)
        #expect(root.certificate.publicKey.isValidSignature(issued.certificate.signature, for: issued.certificate))
        #expect(issued.keyKind == leaf)

        let key = try Certificate.PrivateKey(pemEncoded: issued.privateKeyPEM)
        #expect(key.publicKey == issued.certificate.publicKey)
        #expect(issued.privateKeyPEM.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
    }

    @Test func `the traditional form of a key holds the same key`() throws {
        let labels: [KeyKind: String] = [.p256: "EC", .p384: "EC", .rsa2048: "RSA"]
        for kind in KeyKind.allCases {
            let issued = try CertifiedKey.selfSigned(key: kind)
            guard let label = labels[kind] else {
                #expect(issued.traditionalPrivateKeyPEM == nil)
                continue
            }
            let pem = try #require(issued.traditionalPrivateKeyPEM)
            #expect(pem.hasPrefix("-----BEGIN \(label) PRIVATE KEY-----\n"))
            #expect(try Certificate.PrivateKey(pemEncoded: pem).publicKey == issued.certificate.publicKey)
        }
    }

    @Test func `an authority may sign certificates and nothing else`() throws {
        let root = try CertificateAuthority.root(pathLength: 1).certificate
        #expect(try root.extensions.basicConstraints == .isCertificateAuthority(maxPathLength: 1))
        #expect(try root.extensions.keyUsage == KeyUsage(keyCertSign: true, cRLSign: true))
        #expect(root.extensions[oid: .X509ExtensionID.basicConstraints]?.critical == true)
        #expect(root.extensions[oid: .X509ExtensionID.keyUsage]?.critical == true)
        #expect(root.subject == root.issuer)
    }

    @Test func `a leaf says what it is for and who issued it`() throws {
        let root = try CertificateAuthority.root()
        let leaf = try root.issue(commonName: "leaf", purposes: [.client, .server]).certificate
        #expect(try leaf.extensions.basicConstraints == .notCertificateAuthority)
        #expect(leaf.extensions[oid: .X509ExtensionID.basicConstraints]?.critical == true)
        #expect(try leaf.extensions.keyUsage == KeyUsage(digitalSignature: true))
        #expect(try leaf.extensions.extendedKeyUsage == ExtendedKeyUsage([.serverAuth, .clientAuth]))
        #expect(try leaf.extensions.subjectAlternativeNames == nil)
        let issuer = try #require(try leaf.extensions.authorityKeyIdentifier?.keyIdentifier)
        #expect(try root.certificate.extensions.subjectKeyIdentifier?.keyIdentifier == issuer)
        #expect(try leaf.extensions.subjectKeyIdentifier?.keyIdentifier != issuer)
    }

    @Test func `an RSA leaf may also carry a key exchange`() throws {
        let leaf = try CertifiedKey.selfSigned(key: .rsa2048).certificate
        #expect(try leaf.extensions.keyUsage == KeyUsage(digitalSignature: true, keyEncipherment: true))
    }

    @Test func `names become host names and addresses, each once, in order`() throws {
        let names = ["localhost", "*.example.org", "127.0.0.1", "::1", "localhost", "0:0:0:0:0:0:0:1"]
        let leaf = try CertifiedKey.selfSigned(names: names).certificate
        let expected: [GeneralName] = [
            .dnsName("localhost"),
            .dnsName("*.example.org"),
            .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
            .ipAddress(ASN1OctetString(contentBytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ]
        #expect(try leaf.extensions.subjectAlternativeNames.map(Array.init) == expected)
    }

    @Test(arguments: [
        "", "localhost:8443", "https://example.org", "exa mple.org", "a..b", "example.org.", "-a.org", "bücher.example",
        "w*.example.org", "a.*.org", "*", "256.1.1.1", "1.2.3", "::g", "fe80::1%eth0",
        String(repeating: "a", count: 64) + ".org",
    ])
    func `a name nobody could match is refused`(name: String) throws {
        let error = try #require(throws: DevelopmentCertificateError.self) {
            try CertifiedKey.selfSigned(names: ["localhost", name])
        }
        guard case .invalidName(name, _) = error else {
            Issue.record("unexpected error: \(error)")
            return
        }
    }

    @Test(arguments: ["", String(repeating: "n", count: 65)])
    func `a common name has 1 to 64 characters`(name: String) throws {
        #expect(throws: DevelopmentCertificateError.invalidCommonName(name)) {
            try CertificateAuthority.root(commonName: name)
        }
    }

    @Test func `a leaf lives 397 days at most, an authority ten years, and both have begun`() throws {
        let root = try CertificateAuthority.root()
        let leaf = try root.issue(commonName: "leaf").certificate
        let day: TimeInterval = 86_400
        #expect(leaf.notValidAfter.timeIntervalSince(leaf.notValidBefore) <= 397 * day)
        #expect(leaf.notValidBefore < Date(timeIntervalSinceNow: -240))
        let life = root.certificate.notValidAfter.timeIntervalSince(root.certificate.notValidBefore)
        #expect(life == 3650 * day)
    }

    @Test func `serial numbers are random and positive`() throws {
        let root = try CertificateAuthority.root()
        let serials = try (0..<8).map { _ in try root.issue(commonName: "leaf").certificate.serialNumber }
        #expect(Set(serials).count == 8)
        #expect(serials.allSatisfy { $0.bytes.count == 16 && $0.bytes.first.map { $0 < 0x80 } == true })
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"), arguments: KeyKind.allCases)
    func `OpenSSL verifies a chain of three`(kind: KeyKind) throws {
        let root = try CertificateAuthority.root(key: kind)
        let intermediate = try root.intermediate(pathLength: 0, key: kind)
        let leaf = try intermediate.issue(commonName: "localhost", names: ["localhost", "127.0.0.1"], key: kind)
        try withTemporaryDirectory { directory in
            let trusted = try root.certificatePEM.written(to: directory + "/ca.pem")
            let chain = try leaf.certificateChainPEM.written(to: directory + "/chain.pem")
            for check in [["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"]] {
                let result = try OpenSSL.run(
                    "verify", "-x509_strict", "-purpose", "sslserver", check[0], check[1],
                    "-CAfile", trusted, "-untrusted", chain, chain)
                #expect(result.status == 0, "\(result.output)")
            }
        }
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"), arguments: KeyKind.allCases)
    func `OpenSSL reads both forms of a key`(kind: KeyKind) throws {
        let issued = try CertifiedKey.selfSigned(key: kind)
        try withTemporaryDirectory { directory in
            let certificate = try issued.certificatePEM.written(to: directory + "/certificate.pem")
            let expected = try OpenSSL.run("x509", "-in", certificate, "-noout", "-pubkey").output
            for pem in [issued.privateKeyPEM, issued.traditionalPrivateKeyPEM].compactMap({ $0 }) {
                let key = try pem.written(to: directory + "/key.pem")
                let result = try OpenSSL.run("pkey", "-in", key, "-pubout")
                #expect(result.status == 0)
                #expect(result.output == expected)
            }
        }
    }
}

extension Certificate {
    fileprivate var pemText: String? { (try? self.serializeAsPEM().pemString).map { $0 + "\n" } }
}
