import SwiftASN1
import X509

/// Everything a certificate says, before somebody signs it.
struct CertificateTemplate {
    enum Role {
        case authority(pathLength: Int?)
        case leaf(names: [SubjectName], Set<CertifiedKey.Purpose>)
    }

    var commonName: String
    var role: Role
    var validity: Validity

    /// The certificate for `key`, signed by `issuer`, or by `key` itself when there is none.
    func signed(
        for key: GeneratedKey, by issuer: CertificateAuthority?
    ) throws(DevelopmentCertificateError) -> SignedCertificate {
        // RFC 5280 §A.1, ub-common-name.
        guard (1...64).contains(self.commonName.unicodeScalars.count) else {
            throw .invalidCommonName(self.commonName)
        }
        let publicKey = key.signer.publicKey
        do {
            let subject = try DistinguishedName { CommonName(self.commonName) }
            let certificate = try Certificate(
                version: .v3,
                serialNumber: Self.serialNumber(),
                publicKey: publicKey,
                notValidBefore: self.validity.notBefore,
                notValidAfter: self.validity.notAfter,
                issuer: issuer?.certificate.subject ?? subject,
                subject: subject,
                extensions: self.extensions(for: publicKey, kind: key.kind, issuer: issuer),
                issuerPrivateKey: (issuer?.key ?? key).signer
            )
            let pem = try certificate.serializeAsPEM().pemString.endingInNewline
            return SignedCertificate(certificate: certificate, pem: pem)
        } catch {
            throw .cannotSign(commonName: self.commonName, reason: String(describing: error))
        }
    }

    private func extensions(
        for publicKey: Certificate.PublicKey, kind: KeyKind, issuer: CertificateAuthority?
    ) throws -> Certificate.Extensions {
        let own = SubjectKeyIdentifier(hash: publicKey)
        let issuers = try issuer?.certificate.extensions.subjectKeyIdentifier ?? own

        var extensions = Certificate.Extensions()
        switch self.role {
        case .authority(let pathLength):
            let constraints = BasicConstraints.isCertificateAuthority(maxPathLength: pathLength)
            try extensions.append(Certificate.Extension(constraints, critical: true))
            try extensions.append(Certificate.Extension(KeyUsage(keyCertSign: true, cRLSign: true), critical: true))

        case .leaf(let names, let purposes):
            try extensions.append(Certificate.Extension(BasicConstraints.notCertificateAuthority, critical: true))
            // Only an RSA key can decrypt a key exchange (TLS 1.2); RFC 8813 §3 forbids the bit for EC keys.
            let usage = KeyUsage(digitalSignature: true, keyEncipherment: kind == .rsa2048)
            try extensions.append(Certificate.Extension(usage, critical: true))
            if !purposes.isEmpty {
                let inOrder = CertifiedKey.Purpose.allCases.filter(purposes.contains)
                let usages = try ExtendedKeyUsage(inOrder.map(\.usage))
                try extensions.append(Certificate.Extension(usages, critical: false))
            }
            if !names.isEmpty {
                let alternatives = SubjectAlternativeNames(names.map(\.generalName))
                try extensions.append(Certificate.Extension(alternatives, critical: false))
            }
        }
        try extensions.append(Certificate.Extension(own, critical: false))
        let authority = AuthorityKeyIdentifier(keyIdentifier: issuers.keyIdentifier)
        try extensions.append(Certificate.Extension(authority, critical: false))
        return extensions
    }

    /// 16 random bytes, positive and never zero, well inside the 20 that RFC 5280 §4.1.2.2 allows.
    private static func serialNumber() -> Certificate.SerialNumber {
        var random = SystemRandomNumberGenerator()
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        bytes[0] = bytes[0] & 0x3f | 0x40
        return Certificate.SerialNumber(bytes: bytes)
    }
}

/// A finished certificate, and the `CERTIFICATE` block it is written as.
struct SignedCertificate: Sendable {
    let certificate: Certificate
    let pem: String
}

extension CertifiedKey.Purpose {
    fileprivate var usage: ExtendedKeyUsage.Usage {
        switch self {
        case .server: .serverAuth
        case .client: .clientAuth
        }
    }
}

extension [String] {
    /// Each text as the name it stands for, once, in the order given.
    func subjectNames() throws(DevelopmentCertificateError) -> [SubjectName] {
        var names: [SubjectName] = []
        for text in self {
            let name = try SubjectName(text)
            if !names.contains(name) { names.append(name) }
        }
        return names
    }
}
