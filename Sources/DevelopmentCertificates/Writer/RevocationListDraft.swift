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

    /// Marks a list as one with the changes to the list with this number (RFC 5280 §5.2.4).
    package static func deltaIndicator(ofBase number: Int) -> ExtensionValue {
        ExtensionValue("2.5.29.27", isCritical: true, .integer(number))
    }

    /// The name of a distribution point (RFC 5280 §4.2.1.13).
    package enum DistributionPointName: Sendable {
        case full([GeneralNameValue])
        /// A common name, relative to the issuer of the list.
        case relative(String)

        fileprivate var der: DERValue {
            switch self {
            case .full(let names): .explicit(0, names.map(\.der))
            case .relative(let name): .explicit(1, .sequence(.objectIdentifier("2.5.4.3"), .utf8String(name)))
            }
        }
    }

    /// A limit of an issuing distribution point.
    package enum ListScope: UInt8, Sendable {
        case onlyEndEntities = 1
        case onlyAuthorities = 2
        /// The list is limited to the reason keyCompromise.
        case onlySomeReasons = 3
        case indirect = 4
        case onlyAttributeCertificates = 5
    }

    /// Limits the scope of a list (RFC 5280 §5.2.5). The order of `limits` is that of the encoding.
    package static func issuingDistributionPoint(
        _ name: DistributionPointName? = nil, _ limits: ListScope...
    ) -> ExtensionValue {
        let flags = limits.map { limit in
            // A bit string with bit 1 of eight, or a Boolean.
            DERValue.implicit(limit.rawValue, limit == .onlySomeReasons ? [0x06, 0x40] : [0xff])
        }
        let point = name.map { [DERValue.explicit(0, $0.der)] } ?? []
        return ExtensionValue("2.5.29.28", isCritical: true, .sequence(point + flags))
    }

    /// A certificate's distribution points, each with these names, and whether they are limited to the reason keyCompromise.
    package static func distributionPoints(_ points: [GeneralNameValue]..., forSomeReasons: Bool = false) -> ExtensionValue {
        ExtensionValue(
            "2.5.29.31",
            .sequence(
                points.map { names in
                    let name = DERValue.explicit(0, DistributionPointName.full(names).der)
                    return forSomeReasons ? .sequence(name, .implicit(1, [0x06, 0x40])) : .sequence(name)
                }))
    }
}
