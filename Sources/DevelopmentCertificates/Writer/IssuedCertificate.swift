/// A certificate created here, with its key.
package struct IssuedCertificate: Sendable {
    package let der: [UInt8]
    package let subject: DERValue
    /// The contents of the serial number, as in ``CertificateDraft/serialNumber``.
    package let serialNumber: [UInt8]
    package let key: CertificateKey

    package var pem: String { pemBlock("CERTIFICATE", self.der) }
}
