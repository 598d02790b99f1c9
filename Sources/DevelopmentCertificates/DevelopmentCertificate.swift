/// A certificate created here, with its contents.
package struct DevelopmentCertificate: Sendable, Hashable {
    package let commonName: String
    /// The contents of the serial number: big-endian, positive.
    package let serialNumber: [UInt8]
    /// The validity, in whole seconds as encoded.
    package let validity: Validity
    /// The certificate's DER encoding (RFC 5280).
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
