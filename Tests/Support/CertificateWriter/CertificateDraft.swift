import Synchronization

/// When a certificate is valid. Fixed dates, so that every run writes the same.
package struct ValidityPeriod: Sendable {
    package var notBefore: DERValue
    package var notAfter: DERValue

    package init(_ notBefore: DERValue, _ notAfter: DERValue) {
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    package static let current = ValidityPeriod(.utcTime("240101000000Z"), .utcTime("490101000000Z"))
    package static let expired = ValidityPeriod(.utcTime("200101000000Z"), .utcTime("210101000000Z"))
    package static let notYetValid = ValidityPeriod(.utcTime("480101000000Z"), .utcTime("490101000000Z"))
}

/// A certificate before it is signed. Every field can be set, also to what RFC 5280 forbids.
package struct CertificateDraft: Sendable {
    /// 1, 2 or 3, as people count; version 1 has no extensions.
    package var version: UInt8 = 3
    /// The contents of the serial number, big-endian, two's complement. Default: another for each draft.
    package var serialNumber: [UInt8] = Self.newSerialNumber()
    package var subject: DERValue
    package var validity = ValidityPeriod.current
    package var extensions: [ExtensionValue] = []
    /// Default: the usual one of the key that signs.
    package var signatureAlgorithm: SignatureAlgorithm?
    /// The algorithm that the certificate names beside its signature. Default: the one that signs.
    package var writtenAlgorithm: DERValue?
    /// The algorithm that the signed part names. Default: the same.
    package var statedAlgorithm: DERValue?
    /// The key that signs. Default: the issuer's.
    package var signingKey: CertificateKey?
    /// Whether the certificate names its own key and its issuer's (RFC 5280 §4.2.1.1 and §4.2.1.2).
    package var hasKeyIdentifiers = true

    package init(subject: DERValue) { self.subject = subject }

    /// Adds an extension, in place of one with the same identifier.
    package mutating func set(_ extension: ExtensionValue) {
        if let index = self.extensions.firstIndex(where: { $0.identifier == `extension`.identifier }) {
            self.extensions[index] = `extension`
        } else {
            self.extensions.append(`extension`)
        }
    }

    package mutating func remove(_ identifier: String) {
        self.extensions.removeAll { $0.identifier == identifier }
    }

    /// Signs the certificate of `key`.
    ///
    /// - Parameter issuer: nil: the certificate is self-signed.
    package func signed(for key: CertificateKey, by issuer: IssuedCertificate?) throws -> IssuedCertificate {
        let signer = self.signingKey ?? issuer?.key ?? key
        let algorithm = self.signatureAlgorithm ?? signer.usualAlgorithm
        let written = self.writtenAlgorithm ?? algorithm.identifier
        var fields: [DERValue] = self.version == 1 ? [] : [.explicit(0, .integer(self.version - 1))]
        fields += [
            .integer(self.serialNumber), self.statedAlgorithm ?? written, issuer?.subject ?? self.subject,
            .sequence(self.validity.notBefore, self.validity.notAfter), self.subject, key.publicKeyInfo,
        ]
        let extensions = self.extensions + self.keyIdentifiers(key, issuer)
        if self.version == 3, !extensions.isEmpty { fields.append(.explicit(3, .sequence(extensions.map(\.der)))) }
        let signedPart = DERValue.sequence(fields)
        let signature = try signer.sign(signedPart.bytes, algorithm)
        let certificate = DERValue.sequence(signedPart, written, .bitString(signature))
        return IssuedCertificate(der: certificate.bytes, subject: self.subject, key: key)
    }

    private func keyIdentifiers(_ key: CertificateKey, _ issuer: IssuedCertificate?) -> [ExtensionValue] {
        guard self.hasKeyIdentifiers else { return [] }
        return [.subjectKeyIdentifier(key.identifier), .authorityKeyIdentifier((issuer?.key ?? key).identifier)]
    }

    private static func newSerialNumber() -> [UInt8] {
        let number = Self.count.add(1, ordering: .relaxed).newValue
        return [
            0x40, UInt8(truncatingIfNeeded: number >> 16), UInt8(truncatingIfNeeded: number >> 8),
            UInt8(truncatingIfNeeded: number),
        ]
    }

    private static let count = Atomic<Int>(0)
}
