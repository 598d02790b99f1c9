package import DevelopmentCertificates
import Foundation
package import SecureSockets
import SwiftASN1
import X509

/// Chains that no authority would make, and that a peer may send all the same.
package enum OddCertificate {
    /// A leaf below a certificate that is no authority's, though nothing but the missing flag says so.
    package static func belowALeaf(of authority: CertificateAuthority, purpose: CertifiedKey.Purpose) throws -> TLSIdentity {
        let issuersKey = try CertifiedKey.selfSigned()
        let signer = try X509.Certificate.PrivateKey(pemEncoded: authority.privateKeyPEM)
        let issuer = try Self.leaf("no authority", purpose, issuersKey, authority.certificate.subject, signer)

        let key = try CertifiedKey.selfSigned()
        let issuersSigner = try X509.Certificate.PrivateKey(pemEncoded: issuersKey.privateKeyPEM)
        let leaf = try Self.leaf("below a leaf", purpose, key, issuer.subject, issuersSigner)
        return try Self.identity(leaf, key, above: issuer.serializeAsPEM().pemString)
    }

    /// A leaf that names `authority` as its issuer and that another key has signed.
    package static func forged(of authority: CertificateAuthority, purpose: CertifiedKey.Purpose) throws -> TLSIdentity {
        let key = try CertifiedKey.selfSigned()
        let forger = try X509.Certificate.PrivateKey(pemEncoded: CertifiedKey.selfSigned().privateKeyPEM)
        let certificate = try Self.leaf("forged", purpose, key, authority.certificate.subject, forger)
        return try Self.identity(certificate, key, above: "")
    }

    /// The self-signed certificate of a server, which is no authority's and does not say what its key is for; and a certificate for
    /// another server that was signed with this key.
    package static func issuedByAServer() throws -> (server: TLSIdentity, serverPEM: String, other: TLSIdentity) {
        let key = try CertifiedKey.selfSigned()
        let signer = try X509.Certificate.PrivateKey(pemEncoded: key.privateKeyPEM)
        let server = try Self.leaf("a server", .server, key, DistinguishedName { CommonName("a server") }, signer)
        let otherKey = try CertifiedKey.selfSigned()
        let other = try Self.leaf("another server", .server, otherKey, server.subject, signer)
        let pem = try server.serializeAsPEM().pemString
        return (try Self.identity(server, key, above: ""), pem, try Self.identity(other, otherKey, above: pem))
    }

    /// A certificate with names of kinds that are no strings, between two that are.
    package static func namedInEveryWay() throws -> TLSIdentity {
        let key = try CertifiedKey.selfSigned()
        let signer = try X509.Certificate.PrivateKey(pemEncoded: key.privateKeyPEM)
        let name = try DistinguishedName { CommonName("named in every way") }
        let certificate = try X509.Certificate(
            version: .v3,
            serialNumber: X509.Certificate.SerialNumber(),
            publicKey: key.certificate.publicKey,
            notValidBefore: Date().addingTimeInterval(-3600),
            notValidAfter: Date().addingTimeInterval(3600),
            issuer: name,
            subject: name,
            extensions: X509.Certificate.Extensions {
                SubjectAlternativeNames([
                    .dnsName("first.example"), .directoryName(name), .rfc822Name("somebody@example.org"),
                    .uniformResourceIdentifier("https://example.org"), .registeredID([1, 2, 3, 4]),
                    .ipAddress(ASN1OctetString(contentBytes: [10, 0, 0, 1])), .dnsName("last.example"),
                ])
            },
            issuerPrivateKey: signer
        )
        return try Self.identity(certificate, key, above: "")
    }

    /// A self-signed certificate, as PEM too, whose subject and names have characters that a terminal acts on, and many names.
    package static func withControlCharacters() throws -> (identity: TLSIdentity, pem: String) {
        let key = try CertifiedKey.selfSigned()
        let signer = try X509.Certificate.PrivateKey(pemEncoded: key.privateKeyPEM)
        let name = try DistinguishedName { CommonName("a\u{9b}2J\u{202e}z") }
        let certificate = try X509.Certificate(
            version: .v3,
            serialNumber: X509.Certificate.SerialNumber(),
            publicKey: key.certificate.publicKey,
            notValidBefore: Date().addingTimeInterval(-3600),
            notValidAfter: Date().addingTimeInterval(3600),
            issuer: name,
            subject: name,
            extensions: X509.Certificate.Extensions {
                SubjectAlternativeNames(
                    [.dnsName("a\nb\u{1b}[2J.example")] + (1...149).map { .dnsName("\($0).example") })
            },
            issuerPrivateKey: signer
        )
        let pem = try certificate.serializeAsPEM().pemString + "\n"
        return (try Self.identity(certificate, key, above: ""), pem)
    }

    private static func leaf(
        _ commonName: String, _ purpose: CertifiedKey.Purpose, _ key: CertifiedKey, _ issuer: DistinguishedName,
        _ signer: X509.Certificate.PrivateKey
    ) throws -> X509.Certificate {
        let now = Date()
        return try X509.Certificate(
            version: .v3,
            serialNumber: X509.Certificate.SerialNumber(),
            publicKey: key.certificate.publicKey,
            notValidBefore: now.addingTimeInterval(-3600),
            notValidAfter: now.addingTimeInterval(3600),
            issuer: issuer,
            subject: DistinguishedName { CommonName(commonName) },
            extensions: X509.Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                try ExtendedKeyUsage([purpose == .server ? .serverAuth : .clientAuth])
                SubjectAlternativeNames([.ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1]))])
            },
            issuerPrivateKey: signer
        )
    }

    private static func identity(_ leaf: X509.Certificate, _ key: CertifiedKey, above chain: String) throws -> TLSIdentity {
        let pem = try leaf.serializeAsPEM().pemString
        return try TLSIdentity(certificateChain: .text("\(pem)\n\(chain)"), privateKey: .text(key.privateKeyPEM))
    }
}
