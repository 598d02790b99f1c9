/// A certificate extension: any identifier, any contents, critical or not.
package struct ExtensionValue: Sendable {
    package let identifier: String
    package var isCritical: Bool
    /// The contents of `extnValue`.
    package let value: DERValue

    package init(_ identifier: String, isCritical: Bool = false, _ value: DERValue) {
        self.identifier = identifier
        self.isCritical = isCritical
        self.value = value
    }

    var der: DERValue {
        let identifier = DERValue.objectIdentifier(self.identifier)
        let contents = DERValue.octetString(self.value.bytes)
        return self.isCritical ? .sequence(identifier, .boolean(true), contents) : .sequence(identifier, contents)
    }

    package func critical(_ isCritical: Bool = true) -> ExtensionValue {
        ExtensionValue(self.identifier, isCritical: isCritical, self.value)
    }
}

// MARK: Identifiers

extension ExtensionValue {
    package static let basicConstraintsID = "2.5.29.19"
    package static let keyUsageID = "2.5.29.15"
    package static let extendedKeyUsageID = "2.5.29.37"
    package static let subjectAlternativeNameID = "2.5.29.17"
    package static let subjectKeyIdentifierID = "2.5.29.14"
    package static let authorityKeyIdentifierID = "2.5.29.35"
    package static let nameConstraintsID = "2.5.29.30"
}

// MARK: The extensions of RFC 5280 §4.2.1

extension ExtensionValue {
    package static func basicConstraints(isAuthority: Bool, pathLength: Int? = nil) -> ExtensionValue {
        var fields: [DERValue] = isAuthority ? [.boolean(true)] : []
        if let pathLength { fields.append(.integer(pathLength)) }
        return ExtensionValue(Self.basicConstraintsID, isCritical: true, .sequence(fields))
    }

    package enum KeyUse: UInt8, Sendable {
        case digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment, keyAgreement, keyCertSign, crlSign
    }

    package static func keyUsage(_ uses: KeyUse...) -> ExtensionValue { .keyUsage(uses) }
    package static func keyUsage(_ uses: [KeyUse]) -> ExtensionValue {
        let bits = uses.reduce(UInt8(0)) { $0 | 0x80 >> $1.rawValue }
        // DER omits trailing zero bits of a named bit list.
        let unused = UInt8(bits.trailingZeroBitCount)
        return ExtensionValue(Self.keyUsageID, isCritical: true, .bitString([bits], unusedBits: min(unused, 7)))
    }

    package enum Purpose: String, Sendable {
        case server = "1.3.6.1.5.5.7.3.1"
        case client = "1.3.6.1.5.5.7.3.2"
        case codeSigning = "1.3.6.1.5.5.7.3.3"
        case ocspSigning = "1.3.6.1.5.5.7.3.9"
        case any = "2.5.29.37.0"
    }

    package static func extendedKeyUsage(_ purposes: Purpose...) -> ExtensionValue { .extendedKeyUsage(purposes) }
    package static func extendedKeyUsage(_ purposes: [Purpose]) -> ExtensionValue {
        ExtensionValue(Self.extendedKeyUsageID, .sequence(purposes.map { .objectIdentifier($0.rawValue) }))
    }

    package static func alternativeNames(_ names: [GeneralNameValue]) -> ExtensionValue {
        ExtensionValue(Self.subjectAlternativeNameID, .sequence(names.map(\.der)))
    }

    package static func subjectKeyIdentifier(_ identifier: [UInt8]) -> ExtensionValue {
        ExtensionValue(Self.subjectKeyIdentifierID, .octetString(identifier))
    }

    package static func authorityKeyIdentifier(_ identifier: [UInt8]) -> ExtensionValue {
        ExtensionValue(Self.authorityKeyIdentifierID, .sequence(.implicit(0, identifier)))
    }

    package static func nameConstraints(
        permitted: [GeneralNameValue] = [], excluded: [GeneralNameValue] = []
    ) -> ExtensionValue {
        func subtrees(_ number: UInt8, _ names: [GeneralNameValue]) -> [DERValue] {
            names.isEmpty ? [] : [.explicit(number, names.map { .sequence($0.der) })]
        }
        return ExtensionValue(
            Self.nameConstraintsID, isCritical: true, .sequence(subtrees(0, permitted) + subtrees(1, excluded)))
    }

    /// An extension with an identifier that no program knows.
    package static let unknown = ExtensionValue("1.3.6.1.4.1.55738.666.1", .utf8String("unknown"))
}
