package import Foundation

/// An OCSP response (RFC 6960 §4.2) before it is signed. Every field can be set, also to values that RFC 6960 forbids.
package struct OCSPResponseDraft: Sendable {
    package enum Status: Sendable {
        case good
        case revoked(Date, RevocationReason? = nil)
        case unknown

        fileprivate func encoded() throws -> DERValue {
            switch self {
            case .good: return .implicit(0, [])
            case .unknown: return .implicit(2, [])
            case .revoked(let date, let reason):
                let time = try DERValue.generalizedTime(date)
                return .explicit(1, [time] + (reason.map { [.explicit(0, .enumerated($0.rawValue))] } ?? []))
            }
        }
    }

    package enum Hash: Sendable, CaseIterable {
        case sha1, sha256

        fileprivate var identifier: DERValue {
            switch self {
            case .sha1: .sequence(.objectIdentifier("1.3.14.3.2.26"), .null)
            case .sha256: .sequence(.objectIdentifier("2.16.840.1.101.3.4.2.1"), .null)
            }
        }

        fileprivate func digest(_ bytes: [UInt8]) -> [UInt8] {
            switch self {
            case .sha1: CertificateKey.sha1(bytes)
            case .sha256: CertificateKey.sha256(bytes)
            }
        }
    }

    package enum ResponderID: Sendable { case name, keyHash }

    /// The status of one certificate.
    package struct Entry: Sendable {
        /// The contents of the certificate's serial number, as in ``CertificateDraft/serialNumber``.
        package var serialNumber: [UInt8]
        package var status: Status
        package var hash = Hash.sha1
        /// The issuer of the certificate. Default: the authority for which the response is signed.
        package var issuer: IssuedCertificate?
        package var thisUpdate: Date
        package var nextUpdate: Date?
        package var extensions: [ExtensionValue] = []

        package init(
            serialNumber: [UInt8], _ status: Status, thisUpdate: Date = Date(timeIntervalSinceNow: -3600),
            nextUpdate: Date? = Date(timeIntervalSinceNow: 86_400)
        ) {
            self.serialNumber = serialNumber
            self.status = status
            self.thisUpdate = thisUpdate
            self.nextUpdate = nextUpdate
        }

        fileprivate func encoded(_ authority: IssuedCertificate) throws -> DERValue {
            let issuer = self.issuer ?? authority
            let identifier = DERValue.sequence(
                self.hash.identifier, .octetString(self.hash.digest(issuer.subject.bytes)),
                .octetString(self.hash.digest(issuer.key.publicKeyBits)), .integer(self.serialNumber))
            var fields = [identifier, try self.status.encoded(), try .generalizedTime(self.thisUpdate)]
            if let nextUpdate { fields.append(.explicit(0, try .generalizedTime(nextUpdate))) }
            if !self.extensions.isEmpty { fields.append(.explicit(1, .sequence(self.extensions.map(\.der)))) }
            return .sequence(fields)
        }
    }

    package var entries: [Entry]
    package var responderID = ResponderID.keyHash
    /// The responder whose key signs and whose certificate is added. Default: the authority itself, whose certificate is not added.
    package var responder: IssuedCertificate?
    /// The certificates that are added. Default: the responder's, if it is not the authority.
    package var certificates: [IssuedCertificate]?
    /// The algorithm of the signature. Default: the usual one of the signing key.
    package var signatureAlgorithm: SignatureAlgorithm?
    /// The signing key. Default: the responder's.
    package var signingKey: CertificateKey?
    package var type = "1.3.6.1.5.5.7.48.1.1"
    package var extensions: [ExtensionValue] = []

    package init(_ entries: [Entry]) { self.entries = entries }

    /// Signs a response about certificates of `authority`, and returns it in DER.
    package func signed(for authority: IssuedCertificate) throws -> [UInt8] {
        let responder = self.responder ?? authority
        let signer = self.signingKey ?? responder.key
        let algorithm = self.signatureAlgorithm ?? signer.usualAlgorithm
        let identifier: DERValue =
            switch self.responderID {
            case .name: .explicit(1, responder.subject)
            case .keyHash: .explicit(2, .octetString(CertificateKey.sha1(responder.key.publicKeyBits)))
            }
        var fields = [
            identifier, try .generalizedTime(Date(timeIntervalSinceNow: -3600)),
            .sequence(try self.entries.map { try $0.encoded(authority) }),
        ]
        if !self.extensions.isEmpty { fields.append(.explicit(1, .sequence(self.extensions.map(\.der)))) }
        let signedPart = DERValue.sequence(fields)
        let signature = try signer.sign(signedPart.bytes, algorithm)
        var basic = [signedPart, algorithm.identifier, .bitString(signature)]
        let certificates = self.certificates ?? (self.responder.map { [$0] } ?? [])
        if !certificates.isEmpty { basic.append(.explicit(0, .sequence(certificates.map { DERValue(encoded: $0.der) }))) }
        let content = DERValue.sequence(.objectIdentifier(self.type), .octetString(DERValue.sequence(basic).bytes))
        return DERValue.sequence(.enumerated(0), .explicit(0, content)).bytes
    }

    /// Returns a responder's error in place of a response (`OCSPResponseStatus`), in DER.
    package static func error(_ status: UInt8) -> [UInt8] { DERValue.sequence(.enumerated(status)).bytes }
}

extension ExtensionValue {
    /// The TLS features of RFC 7633, by the numbers of their extensions. 5 is `status_request`.
    package static func tlsFeatures(_ features: Int...) -> ExtensionValue {
        ExtensionValue("1.3.6.1.5.5.7.1.24", .sequence(features.map { .integer($0) }))
    }
}
