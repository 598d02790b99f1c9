package import Foundation

/// A certificate revocation list (RFC 5280 §5) before it is signed. Every field can be set, also to values that RFC 5280 forbids.
package struct RevocationListDraft: Sendable {
    /// A certificate that its issuer has revoked.
    package struct Entry: Sendable {
        /// The contents of the certificate's serial number, as in ``CertificateDraft/serialNumber``.
        package var serialNumber: [UInt8]
        package var date: Date
        package var extensions: [ExtensionValue]

        package init(serialNumber: [UInt8], date: Date, reason: RevocationReason? = nil) {
            self.serialNumber = serialNumber
            self.date = date
            self.extensions = reason.map { [.reasonCode($0)] } ?? []
        }

        fileprivate func encoded() throws -> DERValue {
            let fields = [DERValue.integer(self.serialNumber), try .time(self.date)]
            return .sequence(self.extensions.isEmpty ? fields : fields + [.sequence(self.extensions.map(\.der))])
        }
    }

    /// The version: 1 or 2. Version 1 has no extensions, neither of the list nor of its entries.
    package var version: UInt8 = 2
    package var thisUpdate: Date
    /// Required by RFC 5280 §5.1.2.5 but optional in the syntax.
    package var nextUpdate: Date?
    package var entries: [Entry]
    /// The extensions of the list, without the identifier of the authority's key.
    package var extensions: [ExtensionValue]
    /// The issuer. Default: the subject of the signing authority.
    package var issuer: DERValue?
    /// The algorithm of the signature. Default: the usual one of the signing key.
    package var signatureAlgorithm: SignatureAlgorithm?
    /// The signing key. Default: the authority's.
    package var signingKey: CertificateKey?
    /// Whether the list identifies the authority's key (RFC 5280 §5.2.1).
    package var hasKeyIdentifier = true

    /// Creates a list with the fields that RFC 5280 requires.
    ///
    /// - Parameter number: The list's number, which increases from list to list of an authority (RFC 5280 §5.2.3).
    package init(thisUpdate: Date, nextUpdate: Date?, number: Int = 1, entries: [Entry] = []) {
        self.thisUpdate = thisUpdate
        self.nextUpdate = nextUpdate
        self.entries = entries
        self.extensions = [.crlNumber(number)]
    }

    /// Signs the list.
    package func signed(by authority: IssuedCertificate) throws -> SignedRevocationList {
        let signer = self.signingKey ?? authority.key
        let algorithm = self.signatureAlgorithm ?? signer.usualAlgorithm
        var fields: [DERValue] = self.version == 1 ? [] : [.integer(Int(self.version) - 1)]
        fields += [algorithm.identifier, self.issuer ?? authority.subject, try .time(self.thisUpdate)]
        if let nextUpdate { fields.append(try .time(nextUpdate)) }
        // RFC 5280 §5.1.2.6: absent if no certificate is revoked.
        if !self.entries.isEmpty { fields.append(.sequence(try self.entries.map { try $0.encoded() })) }
        var extensions = self.extensions
        if self.hasKeyIdentifier { extensions.append(.authorityKeyIdentifier(authority.key.identifier)) }
        if self.version > 1, !extensions.isEmpty { fields.append(.explicit(0, .sequence(extensions.map(\.der)))) }
        let signedPart = DERValue.sequence(fields)
        let signature = try signer.sign(signedPart.bytes, algorithm)
        return SignedRevocationList(der: DERValue.sequence(signedPart, algorithm.identifier, .bitString(signature)).bytes)
    }
}

/// A certificate revocation list created here.
package struct SignedRevocationList: Sendable {
    package let der: [UInt8]

    /// The list as an `X509 CRL` block.
    package var pem: String { pemBlock("X509 CRL", self.der) }
}

/// The reason for a revocation (RFC 5280 §5.3.1). If it is not known, the extension is omitted.
package enum RevocationReason: UInt8, Sendable, CaseIterable {
    case keyCompromise = 1
    case caCompromise = 2
    case affiliationChanged = 3
    case superseded = 4
    case cessationOfOperation = 5
    case certificateHold = 6
    case removeFromCRL = 8
    case privilegeWithdrawn = 9
    case aaCompromise = 10
}

// MARK: The extensions of RFC 5280 §5.2 and §5.3

extension ExtensionValue {
    package static func crlNumber(_ number: Int) -> ExtensionValue { ExtensionValue("2.5.29.20", .integer(number)) }

    package static func reasonCode(_ reason: RevocationReason) -> ExtensionValue {
        ExtensionValue("2.5.29.21", .enumerated(reason.rawValue))
    }
}
