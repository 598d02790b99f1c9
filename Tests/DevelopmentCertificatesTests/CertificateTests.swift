import DevelopmentCertificates
import Foundation
import TLSEngine
import Testing

@Suite struct CertificateTests {
    @Test func `a leaf is followed by its chain, and the root is left out`() throws {
        let root = try CertificateAuthority.root()
        let upper = try root.intermediate(commonName: "upper")
        let lower = try upper.intermediate(commonName: "lower", pathLength: 0)
        let leaf = try lower.issue(commonName: "leaf", names: ["localhost"])

        let chain = try DecodedCertificate.all(in: leaf.certificateChainPEM)
        let made = [leaf.certificate, lower.certificate, upper.certificate]
        #expect(chain.map(\.derBytes) == made.map(\.derBytes))
        #expect(chain.map(\.subject) == made.map(\.subject))
        #expect(chain.last?.issuer == root.certificate.subject)
        #expect(try DecodedCertificate.all(in: leaf.certificatePEM).map(\.derBytes) == [leaf.certificate.derBytes])
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"), arguments: KeyKind.allCases, KeyKind.allCases)
    func `every kind of authority signs every kind of leaf`(authority: KeyKind, leaf: KeyKind) throws {
        if authority == .rsa2048, leaf == .rsa2048 { return }  // Slow, and covered by the writer.
        let root = try CertificateAuthority.root(key: authority)
        let issued = try root.issue(commonName: "leaf", names: ["localhost"], key: leaf)
        #expect(issued.keyKind == leaf)
        #expect(issued.privateKeyPEM.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        // Throws if the key is not the certificate's.
        _ = try Identity(issued.certificatePEM, issued.privateKeyPEM)
        try withTemporaryDirectory { directory in
            let trusted = try root.certificatePEM.written(to: directory + "/ca.pem")
            let certificate = try issued.certificatePEM.written(to: directory + "/leaf.pem")
            let result = try OpenSSL.run("verify", "-x509_strict", "-CAfile", trusted, certificate)
            #expect(result.status == 0, "\(result.output)")
        }
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
            // Throws if the key is not the certificate's.
            _ = try Identity(issued.certificatePEM, pem)
        }
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"))
    func `an authority may sign certificates and lists of them, and nothing else`() throws {
        let root = try CertificateAuthority.root(pathLength: 1)
        var extensions = try OpenSSL.extensions(of: root.certificatePEM)
        let own = extensions.removeValue(forKey: "Subject Key Identifier")
        #expect(own != nil)
        #expect(extensions.removeValue(forKey: "Authority Key Identifier") == own)
        #expect(
            extensions == [
                "Basic Constraints": "critical, CA:TRUE, pathlen:1", "Key Usage": "critical, Certificate Sign, CRL Sign",
            ])
        let certificate = try #require(try DecodedCertificate.all(in: root.certificatePEM).first)
        #expect(certificate.subject == certificate.issuer)
        #expect(certificate.subject == root.certificate.subject)
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"))
    func `a leaf says what it is for and who issued it`() throws {
        let root = try CertificateAuthority.root()
        let leaf = try root.issue(commonName: "leaf", purposes: [.client, .server])
        var extensions = try OpenSSL.extensions(of: leaf.certificatePEM)
        let issuer = extensions.removeValue(forKey: "Authority Key Identifier")
        let own = extensions.removeValue(forKey: "Subject Key Identifier")
        #expect(issuer != nil)
        #expect(try OpenSSL.extensions(of: root.certificatePEM)["Subject Key Identifier"] == issuer)
        #expect(own != nil)
        #expect(own != issuer)
        #expect(
            extensions == [
                "Basic Constraints": "critical, CA:FALSE", "Key Usage": "critical, Digital Signature",
                "Extended Key Usage": "TLS Web Server Authentication, TLS Web Client Authentication",
            ])
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"))
    func `an RSA leaf may also carry a key exchange`() throws {
        let extensions = try OpenSSL.extensions(of: CertifiedKey.selfSigned(key: .rsa2048).certificatePEM)
        #expect(extensions["Key Usage"] == "critical, Digital Signature, Key Encipherment")
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"))
    func `names become host names and addresses, each once, in order`() throws {
        let names = ["localhost", "*.example.org", "127.0.0.1", "::1", "localhost", "0:0:0:0:0:0:0:1"]
        let leaf = try CertifiedKey.selfSigned(names: names)
        #expect(
            try OpenSSL.extensions(of: leaf.certificatePEM)["Subject Alternative Name"]
                == "DNS:localhost, DNS:*.example.org, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1")
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
        let leaf = try root.issue(commonName: "leaf")
        let day: Int64 = 86_400
        let (rootSpan, leafSpan) = (try Self.validity(of: root.certificatePEM), try Self.validity(of: leaf.certificatePEM))
        #expect(leafSpan.notAfter - leafSpan.notBefore <= 397 * day)
        #expect(leafSpan.notBefore < Int64(Date(timeIntervalSinceNow: -240).timeIntervalSince1970))
        #expect(rootSpan.notAfter - rootSpan.notBefore == 3650 * day)
        let stated = leaf.certificate.validity
        #expect(stated.notBefore.timeIntervalSince1970 == Double(leafSpan.notBefore))
        #expect(stated.notAfter.timeIntervalSince1970 == Double(leafSpan.notAfter))
    }

    private static func validity(of pem: String) throws -> (notBefore: Int64, notAfter: Int64) {
        let certificate = try #require(try DecodedCertificate.all(in: pem).first)
        return (try #require(certificate.notBefore), try #require(certificate.notAfter))
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"))
    func `serial numbers are random and positive, and have 16 bytes`() throws {
        let root = try CertificateAuthority.root()
        let leaves = try (0..<8).map { _ in try root.issue(commonName: "leaf") }
        #expect(Set(leaves.map(\.certificate.serialNumber)).count == 8)
        for leaf in leaves {
            let serial = try OpenSSL.read(leaf.certificatePEM, "x509", "-noout", "-serial").drop { $0 != "=" }.dropFirst()
            #expect(serial.count == 32)
            #expect(serial == leaf.certificate.serialNumber.hexadecimal)
            #expect(leaf.certificate.serialNumber.first.map { (0x40...0x7f).contains($0) } == true)
        }
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"))
    func `dates have the form that RFC 5280 requires of their year`() throws {
        let turn = Date(timeIntervalSince1970: 2_524_608_000)  // 2050-01-01
        for (end, text) in [(turn - 0.5, "UTCTIME           :491231235959Z"), (turn, "GENERALIZEDTIME   :20500101000000Z")] {
            let validity = Validity(Date(timeIntervalSince1970: 951_782_400)..<end)
            let leaf = try CertifiedKey.selfSigned(validity: validity)
            let output = try OpenSSL.read(leaf.certificatePEM, "asn1parse")
            #expect(output.contains("UTCTIME           :000229000000Z"))
            #expect(output.contains(text), "\(output)")
            #expect(try Self.validity(of: leaf.certificatePEM).notAfter == Int64(end.timeIntervalSince1970.rounded(.down)))
        }
    }

    @Test func `a date beyond the year 9999 is an error`() throws {
        let validity = Validity(Date()..<Date(timeIntervalSince1970: 253_402_300_800))
        let error = #expect(throws: DevelopmentCertificateError.self) { try CertifiedKey.selfSigned(validity: validity) }
        guard case .cannotSign(commonName: "localhost", reason: let reason) = error else {
            Issue.record("unexpected error: \(String(describing: error))")
            return
        }
        #expect(reason.contains("years 0 to 9999"))
        #expect(throws: DevelopmentCertificateError.self) { try CertifiedKey.selfSigned(validity: .days(.max)) }
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
