/// One DER value (X.690): tag, length and contents.
///
/// The functions write what they are given, also what DER or RFC 5280 forbids: the tests need certificates that no library writes.
package struct DERValue: Sendable, Hashable {
    package let bytes: [UInt8]

    /// A value from its tag and contents.
    package init(tag: UInt8, _ contents: [UInt8]) {
        let count = contents.count
        let length: [UInt8] =
            switch count {
            case 0..<0x80: [UInt8(count)]
            case 0x80..<0x100: [0x81, UInt8(count)]
            default: [0x82, UInt8(count >> 8), UInt8(count & 0xff)]
            }
        self.bytes = [tag] + length + contents
    }

    /// A value that is encoded already, for example a public key.
    package init(encoded bytes: [UInt8]) { self.bytes = bytes }
}

// MARK: Universal types

extension DERValue {
    package static let null = DERValue(tag: 0x05, [])

    package static func sequence(_ values: [DERValue]) -> DERValue { DERValue(tag: 0x30, values.flatMap(\.bytes)) }
    package static func sequence(_ values: DERValue...) -> DERValue { .sequence(values) }
    package static func set(_ values: DERValue...) -> DERValue { DERValue(tag: 0x31, values.flatMap(\.bytes)) }

    package static func boolean(_ value: Bool) -> DERValue { DERValue(tag: 0x01, [value ? 0xff : 0x00]) }

    /// An integer from 0 to 127.
    package static func integer(_ value: UInt8) -> DERValue { .integer([value]) }
    /// An integer by its contents: big-endian, two's complement.
    package static func integer(_ contents: [UInt8]) -> DERValue { DERValue(tag: 0x02, contents) }

    package static func bitString(_ contents: [UInt8], unusedBits: UInt8 = 0) -> DERValue {
        DERValue(tag: 0x03, [unusedBits] + contents)
    }

    package static func octetString(_ contents: [UInt8]) -> DERValue { DERValue(tag: 0x04, contents) }
    package static func utf8String(_ text: String) -> DERValue { DERValue(tag: 0x0c, Array(text.utf8)) }

    /// A date as RFC 5280 writes it up to 2049: `YYMMDDhhmmssZ`.
    package static func utcTime(_ text: String) -> DERValue { DERValue(tag: 0x17, Array(text.utf8)) }
    /// A date as RFC 5280 writes it from 2050 on: `YYYYMMDDhhmmssZ`.
    package static func generalizedTime(_ text: String) -> DERValue { DERValue(tag: 0x18, Array(text.utf8)) }

    /// An object identifier, for example `2.5.29.19`.
    package static func objectIdentifier(_ text: String) -> DERValue {
        let numbers = text.split(separator: ".").compactMap { UInt($0) }
        var contents: [UInt8] = []
        for number in [numbers[0] * 40 + numbers[1]] + numbers.dropFirst(2) {
            var groups = [UInt8(number & 0x7f)]
            var rest = number >> 7
            while rest > 0 {
                groups.append(UInt8(rest & 0x7f) | 0x80)
                rest >>= 7
            }
            contents += groups.reversed()
        }
        return DERValue(tag: 0x06, contents)
    }
}

// MARK: Context-specific types

extension DERValue {
    /// `[number] IMPLICIT` of a primitive type.
    package static func implicit(_ number: UInt8, _ contents: [UInt8]) -> DERValue { DERValue(tag: 0x80 | number, contents) }

    /// `[number] EXPLICIT`, or `[number] IMPLICIT` of a constructed type whose elements are given.
    package static func explicit(_ number: UInt8, _ values: [DERValue]) -> DERValue {
        DERValue(tag: 0xa0 | number, values.flatMap(\.bytes))
    }
    package static func explicit(_ number: UInt8, _ values: DERValue...) -> DERValue { .explicit(number, values) }
}

// MARK: Names

extension DERValue {
    /// The distinguished name with nothing in it.
    package static let emptyName = DERValue.sequence()

    /// A distinguished name: the organization, if there is one, before the common name.
    package static func name(organization: String? = nil, _ commonName: String) -> DERValue {
        func attribute(_ type: String, _ value: String) -> DERValue {
            .set(.sequence(.objectIdentifier(type), .utf8String(value)))
        }
        let common = attribute("2.5.4.3", commonName)
        return if let organization { .sequence(attribute("2.5.4.10", organization), common) } else { .sequence(common) }
    }

    /// A distinguished name of an organization alone.
    package static func organization(_ organization: String) -> DERValue {
        .sequence(.set(.sequence(.objectIdentifier("2.5.4.10"), .utf8String(organization))))
    }
}
