import Crypto
import Foundation
import SwiftASN1
import X509
import _CryptoExtras

/// The kinds of key a certificate made here can hold. The raw value is what `tls certs dev --key` takes.
package enum KeyKind: String, Sendable, CaseIterable {
    /// ECDSA on P-256: what every TLS peer speaks, and quick to sign with.
    case p256
    /// ECDSA on P-384.
    case p384
    /// RSA with a modulus of 2048 bits, for peers that know nothing else.
    case rsa2048 = "rsa"
    /// Ed25519. Few browsers accept it; OpenSSL and BoringSSL do.
    case ed25519
}

/// A private key that has just been generated, and every way its bytes are written down.
struct GeneratedKey: Sendable {
    let kind: KeyKind
    /// The key as swift-certificates signs with it. The keys of swift-crypto 3 are not declared `Sendable`, and this is.
    let signer: Certificate.PrivateKey
    /// PKCS#8, `PRIVATE KEY`: the form every TLS library reads.
    let pkcs8PEM: String
    /// The form from before PKCS#8: SEC 1 (`EC PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`). Ed25519 has none.
    let traditionalPEM: String?

    init(_ kind: KeyKind) throws(DevelopmentCertificateError) {
        self.kind = kind
        do {
            switch kind {
            case .p256:
                let key = P256.Signing.PrivateKey()
                (self.signer, self.pkcs8PEM) = (Certificate.PrivateKey(key), key.pemRepresentation.endingInNewline)
                self.traditionalPEM = try Self.sec1PEM(
                    key.rawRepresentation, [1, 2, 840, 10045, 3, 1, 7], key.publicKey.x963Representation)
            case .p384:
                let key = P384.Signing.PrivateKey()
                (self.signer, self.pkcs8PEM) = (Certificate.PrivateKey(key), key.pemRepresentation.endingInNewline)
                self.traditionalPEM = try Self.sec1PEM(
                    key.rawRepresentation, [1, 3, 132, 0, 34], key.publicKey.x963Representation)
            case .rsa2048:
                let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
                (self.signer, self.pkcs8PEM) = (Certificate.PrivateKey(key), key.pkcs8PEMRepresentation.endingInNewline)
                let document = PEMDocument(type: "RSA PRIVATE KEY", derBytes: Array(key.derRepresentation))
                self.traditionalPEM = document.pemString.endingInNewline
            case .ed25519:
                // Not `pemRepresentation`, which swift-crypto 3 has for keys on the P curves only.
                self.signer = Certificate.PrivateKey(Curve25519.Signing.PrivateKey())
                self.pkcs8PEM = try self.signer.serializeAsPEM().pemString.endingInNewline
                self.traditionalPEM = nil
            }
        } catch {
            throw .cannotGenerateKey(kind, reason: String(describing: error))
        }
    }

    /// `ECPrivateKey` of RFC 5915 §3.
    private static func sec1PEM(_ scalar: Data, _ curve: ASN1ObjectIdentifier, _ point: Data) throws -> String {
        var serializer = DER.Serializer()
        try serializer.appendConstructedNode(identifier: .sequence) { sequence in
            try sequence.serialize(1)
            try sequence.serialize(ASN1OctetString(contentBytes: Array(scalar)[...]))
            try sequence.serialize(explicitlyTaggedWithTagNumber: 0, tagClass: .contextSpecific) { tagged in
                try tagged.serialize(curve)
            }
            try sequence.serialize(explicitlyTaggedWithTagNumber: 1, tagClass: .contextSpecific) { tagged in
                try tagged.serialize(ASN1BitString(bytes: Array(point)[...]))
            }
        }
        return PEMDocument(type: "EC PRIVATE KEY", derBytes: serializer.serializedBytes).pemString.endingInNewline
    }
}

extension String {
    /// PEM blocks are joined into chains, so each must end its last line.
    var endingInNewline: String { self.hasSuffix("\n") ? self : self + "\n" }
}
