import Crypto
import Foundation
import SecureSockets
import SwiftASN1
import X509

/// A P-256 certificate for 127.0.0.1, made for one run.
enum BenchmarkIdentity {
    /// Both stacks are measured with the same key exchange.
    static var parameters: TLSConfiguration.Parameters {
        var parameters = TLSConfiguration.Parameters()
        parameters.groups = [.x25519]
        return parameters
    }

    static func write(to folder: URL) throws -> (certificate: String, key: String) {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("benchmark") }
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(key.publicKey),
            notValidBefore: Date(timeIntervalSinceNow: -3600),
            notValidAfter: Date(timeIntervalSinceNow: 86_400),
            issuer: name,
            subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                SubjectAlternativeNames([.ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])), .dnsName("localhost")])
            },
            issuerPrivateKey: Certificate.PrivateKey(key))
        let certificateFile = folder.appendingPathComponent("certificate.pem")
        let keyFile = folder.appendingPathComponent("key.pem")
        try Data(certificate.serializeAsPEM().pemString.utf8).write(to: certificateFile)
        try Data(key.pemRepresentation.utf8).write(to: keyFile)
        return (certificateFile.path, keyFile.path)
    }
}
