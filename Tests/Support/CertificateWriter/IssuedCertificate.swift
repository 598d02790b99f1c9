/// A certificate that was written for a test, with its key.
package struct IssuedCertificate: Sendable {
    package let der: [UInt8]
    package let subject: DERValue
    package let key: CertificateKey

    package var pem: String { pemBlock("CERTIFICATE", self.der) }
}
