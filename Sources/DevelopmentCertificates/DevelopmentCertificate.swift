/// A certificate that was made here, and what was written into it.
package struct DevelopmentCertificate: Sendable, Hashable {
    package let commonName: String
    /// The contents of the serial number: big-endian, positive.
    package let serialNumber: [UInt8]
    /// When the certificate is valid, to the second, as it is encoded.
    package let validity: Validity
    /// The certificate itself, DER (RFC 5280).
    package let derBytes: [UInt8]

    init(_ issued: IssuedCertificate, _ template: CertificateTemplate) {
        self.commonName = template.commonName
        self.serialNumber = issued.serialNumber
        self.validity = template.validity.inSeconds
        self.derBytes = issued.der
    }

    /// The subject's distinguished name, for display.
    package var subject: String { "CN=\(self.commonName)" }

    /// The certificate as a `CERTIFICATE` block.
    package var pem: String { pemBlock("CERTIFICATE", self.derBytes) }
}
