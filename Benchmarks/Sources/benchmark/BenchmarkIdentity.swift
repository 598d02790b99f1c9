import Crypto
import Foundation
import SecureSockets
import SwiftASN1
import X509

/// A P-256 certificate for 127.0.0.1, made for one run, in a folder that goes with this object.
final class BenchmarkIdentity {
    static let description = "TLS 1.3, X25519, P-256 certificate, the cipher suite that client and server settle on"

    private let folder: TemporaryFolder
    let certificateFile: String
    let keyFile: String
    /// Our servers' options.
    var options: [String] { ["--certificate", self.certificateFile, "--key", self.keyFile] }
    /// A client that makes a full handshake each time, and one that resumes. All stacks are measured with the same key exchange.
    let client: TLSClientConfiguration
    let resumingClient: TLSClientConfiguration

    init() throws {
        self.folder = try TemporaryFolder()
        let (certificate, key) = try Self.write(to: self.folder)
        self.certificateFile = certificate
        self.keyFile = key
        func client(resuming: Bool) throws -> TLSClientConfiguration {
            var parameters = TLSParameters()
            parameters.groups = [.x25519]
            if !resuming { parameters.sessionLifetime = .zero }
            return try TLSClientConfiguration(trust: .only(.file(certificate)), parameters: parameters)
        }
        self.client = try client(resuming: false)
        self.resumingClient = try client(resuming: true)
    }

    private static func write(to folder: TemporaryFolder) throws -> (certificate: String, key: String) {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("benchmark") }
        let certificate = try X509.Certificate(
            version: .v3,
            serialNumber: X509.Certificate.SerialNumber(),
            publicKey: X509.Certificate.PublicKey(key.publicKey),
            notValidBefore: Date(timeIntervalSinceNow: -3600),
            notValidAfter: Date(timeIntervalSinceNow: 86_400),
            issuer: name,
            subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: X509.Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                SubjectAlternativeNames([.ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])), .dnsName("localhost")])
            },
            issuerPrivateKey: X509.Certificate.PrivateKey(key))
        let certificateFile = folder.path("certificate.pem")
        let keyFile = folder.path("key.pem")
        try Data(certificate.serializeAsPEM().pemString.utf8).write(to: URL(fileURLWithPath: certificateFile))
        try Data(key.pemRepresentation.utf8).write(to: URL(fileURLWithPath: keyFile))
        return (certificateFile, keyFile)
    }
}
