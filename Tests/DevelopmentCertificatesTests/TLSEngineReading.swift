@testable import TLSEngine

// The reading of certificates and keys by BoringSSL, a second opinion beside that of OpenSSL's tool.

extension Identity {
    /// A certificate with its key; throws if they do not belong together.
    convenience init(_ certificate: String, _ key: String) throws {
        try self.init(chain: .bytes(Array(certificate.utf8)), privateKey: .bytes(Array(key.utf8)), password: nil)
    }
}

extension DecodedCertificate {
    /// The certificates of a PEM text, in its order.
    static func all(in pem: String) throws -> [DecodedCertificate] {
        try CertificateList.load(.bytes(Array(pem.utf8)), as: .certificateChain).certificates
    }
}
