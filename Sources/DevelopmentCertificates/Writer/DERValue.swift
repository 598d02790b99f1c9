package import Foundation

/// One DER value (X.690): tag, length and contents.
///
/// The functions write what they are given, even what DER or RFC 5280 forbids, because tests need certificates that no library writes.
package struct DERValue: Sendable, Hashable {
    package let bytes: [UInt8]

    /// Creates a value from its tag and contents.
    package init(tag: UInt8, _ contents: [UInt8]) {
        self.bytes = [tag] + Self.length(contents.count) + contents
    }

    /// Creates a value from an existing encoding, for example of a public key.
    package init(encoded bytes: [UInt8]) { self.bytes = bytes }

    private static func length(_ count: Int) -> [UInt8] {
        if count < 0x80 { return [UInt8(count)] }
        let digits = Self.bigEndian(count).drop { $0 == 0 }
        return [0x80 | UInt8(digits.count)] + digits
    }

    private static func bigEndian(_ value: Int) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}

// MARK: Universal types

extension DERValue {
    package static let null = DERValue(tag: 0x05, [])

    package static func sequence(_ values: [DERValue]) -> DERValue { DERValue(tag: 0x30, values.flatMap(\.bytes)) }
    package static func sequence(_ values: DERValue...) -> DERValue { .sequence(values) }
    package static func set(_ values: DERValue...) -> DERValue { DERValue(tag: 0x31, values.flatMap(\.bytes)) }

    package static func boolean(_ value: Bool) -> DERValue { DERValue(tag: 0x01, [value ? 0xff : 0x00]) }

    /// Encodes an integer.
    package static func integer(_ value: Int) -> DERValue {
        let digits = Self.bigEndian(value)
        // The fewest bytes that keep the sign bit (X.690 §8.3.2).
        let redundant = zip(digits, digits.dropFirst()).prefix { first, second in
            first == (second < 0x80 ? 0x00 : 0xff)
        }
        return .integer(Array(digits.dropFirst(redundant.count)))
    }
    /// Encodes an integer with these contents: big-endian, two's complement.
    package static func integer(_ contents: [UInt8]) -> DERValue { DERValue(tag: 0x02, contents) }

    package static func bitString(_ contents: [UInt8], unusedBits: UInt8 = 0) -> DERValue {
        DERValue(tag: 0x03, [unusedBits] + contents)
    }

    package static func enumerated(_ value: UInt8) -> DERValue { DERValue(tag: 0x0a, [value]) }
    package static func octetString(_ contents: [UInt8]) -> DERValue { DERValue(tag: 0x04, contents) }
    package static func utf8String(_ text: String) -> DERValue { DERValue(tag: 0x0c, Array(text.utf8)) }

    /// Encodes a date in the format of RFC 5280 up to 2049: `YYMMDDhhmmssZ`.
    package static func utcTime(_ text: String) -> DERValue { DERValue(tag: 0x17, Array(text.utf8)) }
    /// Encodes a date in the format of RFC 5280 from 2050: `YYYYMMDDhhmmssZ`.
    package static func generalizedTime(_ text: String) -> DERValue { DERValue(tag: 0x18, Array(text.utf8)) }

    /// Encodes a time as RFC 5280 §4.1.2.5 requires, in whole seconds: UTCTime up to 2049, GeneralizedTime after that.
    package static func time(_ date: Date) throws -> DERValue {
        let (year, rest) = try Self.digits(of: date)
        return (1950...2049).contains(year)
            ? .utcTime(Self.digits(year % 100) + rest) : .generalizedTime(Self.digits(year, 4) + rest)
    }

    /// Encodes a time as a GeneralizedTime, as OCSP has it, in whole seconds.
    package static func generalizedTime(_ date: Date) throws -> DERValue {
        let (year, rest) = try Self.digits(of: date)
        return .generalizedTime(Self.digits(year, 4) + rest)
    }

    private static func digits(_ number: Int, _ count: Int = 2) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }

    /// Returns the year, and the digits of what follows it.
    private static func digits(of date: Date) throws -> (year: Int, rest: String) {
        var parts = tm()
        guard var seconds = time_t(exactly: date.timeIntervalSince1970.rounded(.down)), gmtime_r(&seconds, &parts) != nil,
            (0...9999).contains(Int(parts.tm_year) + 1900)
        else { throw DateOutOfRange(date: date) }
        let year = Int(parts.tm_year) + 1900
        let numbers = [parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec]
        return (year, numbers.map { Self.digits(Int($0)) }.joined() + "Z")
    }

    /// The date has a year that X.509 cannot express.
    private struct DateOutOfRange: Error, CustomStringConvertible {
        let date: Date

        var description: String { "the date \(self.date.timeIntervalSince1970) s after 1970 is not in the years 0 to 9999" }
    }

    /// Encodes an object identifier, for example `2.5.29.19`.
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
    /// Encodes `[number] IMPLICIT` of a primitive type.
    package static func implicit(_ number: UInt8, _ contents: [UInt8]) -> DERValue { DERValue(tag: 0x80 | number, contents) }

    /// Encodes `[number] EXPLICIT`, or `[number] IMPLICIT` of a constructed type with these elements.
    package static func explicit(_ number: UInt8, _ values: [DERValue]) -> DERValue {
        DERValue(tag: 0xa0 | number, values.flatMap(\.bytes))
    }
    package static func explicit(_ number: UInt8, _ values: DERValue...) -> DERValue { .explicit(number, values) }
}

// MARK: Names

extension DERValue {
    /// The empty distinguished name.
    package static let emptyName = DERValue.sequence()

    /// Encodes a distinguished name: the organization, if there is one, then the common name.
    package static func name(organization: String? = nil, _ commonName: String) -> DERValue {
        func attribute(_ type: String, _ value: String) -> DERValue {
            .set(.sequence(.objectIdentifier(type), .utf8String(value)))
        }
        let common = attribute("2.5.4.3", commonName)
        return if let organization { .sequence(attribute("2.5.4.10", organization), common) } else { .sequence(common) }
    }

    /// Encodes a distinguished name with an organization only.
    package static func organization(_ organization: String) -> DERValue {
        .sequence(.set(.sequence(.objectIdentifier("2.5.4.10"), .utf8String(organization))))
    }
}
