package import Foundation

/// A certificate revocation list (RFC 5280 §5) before it is signed. Every field can be set, also to what RFC 5280 forbids.
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

    /// 1 or 2; version 1 has no extensions, neither of the list nor of its entries.
    package var version: UInt8 = 2
    package var thisUpdate: Date
    /// RFC 5280 §5.1.2.5 requires it; the syntax does not.
    package var nextUpdate: Date?
    package var entries: [Entry]
    /// Those of the list, without the identifier of the authority's key.
    package var extensions: [ExtensionValue]
    /// Default: the subject of the authority that signs.
    package var issuer: DERValue?
    /// Default: the usual one of the key that signs.
    package var signatureAlgorithm: SignatureAlgorithm?
    /// The key that signs. Default: the authority's.
    package var signingKey: CertificateKey?
    /// Whether the list names the authority's key (RFC 5280 §5.2.1).
    package var hasKeyIdentifier = true

    /// A list with what RFC 5280 requires.
    ///
    /// - Parameter number: Of two lists of an authority, the later has the higher number (RFC 5280 §5.2.3).
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

/// A certificate revocation list that was made here.
package struct SignedRevocationList: Sendable {
    package let der: [UInt8]

    /// The list as an `X509 CRL` block.
    package var pem: String { pemBlock("X509 CRL", self.der) }
}

/// Why a certificate was revoked (RFC 5280 §5.3.1). If no reason is known, the extension is left out.
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
