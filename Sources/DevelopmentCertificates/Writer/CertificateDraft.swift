/// The encoded validity field of a certificate. Tests also need dates that DER or RFC 5280 forbids.
package struct ValidityPeriod: Sendable {
    package var notBefore: DERValue
    package var notAfter: DERValue

    package init(_ notBefore: DERValue, _ notAfter: DERValue) {
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// The encoding that RFC 5280 requires.
    package init(_ validity: Validity) throws {
        self.init(try .time(validity.notBefore), try .time(validity.notAfter))
    }
}

/// A certificate before it is signed. Every field can be set, also to values that RFC 5280 forbids.
package struct CertificateDraft: Sendable {
    /// The version: 1, 2 or 3 (not its encoding). Version 1 has no extensions.
    package var version: UInt8 = 3
    /// The contents of the serial number, big-endian, two's complement. Default: random.
    package var serialNumber: [UInt8] = Self.randomSerialNumber()
    package var subject: DERValue
    package var validity: ValidityPeriod
    package var extensions: [ExtensionValue] = []
    /// The algorithm of the signature. Default: the usual one of the signing key.
    package var signatureAlgorithm: SignatureAlgorithm?
    /// The algorithm that is named next to the signature. Default: that of the signature.
    package var writtenAlgorithm: DERValue?
    /// The algorithm that is named in the signed part. Default: that of the signature.
    package var statedAlgorithm: DERValue?
    /// The signing key. Default: the issuer's.
    package var signingKey: CertificateKey?
    /// Whether the certificate identifies its own key and its issuer's (RFC 5280 §4.2.1.1 and §4.2.1.2).
    package var hasKeyIdentifiers = true

    package init(subject: DERValue, validity: ValidityPeriod) {
        self.subject = subject
        self.validity = validity
    }

    /// Sets an extension, replacing one with the same identifier.
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
    /// - Parameter issuer: The issuer; nil for a self-signed certificate.
    package func signed(for key: CertificateKey, by issuer: IssuedCertificate?) throws -> IssuedCertificate {
        let signer = self.signingKey ?? issuer?.key ?? key
        let algorithm = self.signatureAlgorithm ?? signer.usualAlgorithm
        let written = self.writtenAlgorithm ?? algorithm.identifier
        var fields: [DERValue] = self.version == 1 ? [] : [.explicit(0, .integer(Int(self.version) - 1))]
        fields += [
            .integer(self.serialNumber), self.statedAlgorithm ?? written, issuer?.subject ?? self.subject,
            .sequence(self.validity.notBefore, self.validity.notAfter), self.subject, key.publicKeyInfo,
        ]
        let extensions = self.extensions + self.keyIdentifiers(key, issuer)
        if self.version == 3, !extensions.isEmpty { fields.append(.explicit(3, .sequence(extensions.map(\.der)))) }
        let signedPart = DERValue.sequence(fields)
        let signature = try signer.sign(signedPart.bytes, algorithm)
        let certificate = DERValue.sequence(signedPart, written, .bitString(signature))
        return IssuedCertificate(
            der: certificate.bytes, subject: self.subject, serialNumber: self.serialNumber, key: key)
    }

    private func keyIdentifiers(_ key: CertificateKey, _ issuer: IssuedCertificate?) -> [ExtensionValue] {
        guard self.hasKeyIdentifiers else { return [] }
        return [.subjectKeyIdentifier(key.identifier), .authorityKeyIdentifier((issuer?.key ?? key).identifier)]
    }

    /// Returns 16 random bytes, positive and never zero, within the 20 that RFC 5280 §4.1.2.2 permits.
    private static func randomSerialNumber() -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        bytes[0] = bytes[0] & 0x3f | 0x40
        return bytes
    }
}
