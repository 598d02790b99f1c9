/// A `GeneralName` (RFC 5280 §4.2.1.6): an alternative name of a subject, or the base of a name constraint.
package enum GeneralNameValue: Sendable {
    case email(String)
    case dns(String)
    case uri(String)
    /// 4 or 16 bytes; in a constraint twice as many, for address and mask.
    case address([UInt8])
    case directory(DERValue)
    case registeredID(String)

    package var der: DERValue {
        switch self {
        case .email(let text): .implicit(1, Array(text.utf8))
        case .dns(let text): .implicit(2, Array(text.utf8))
        case .directory(let name): .explicit(4, name)
        case .uri(let text): .implicit(6, Array(text.utf8))
        case .address(let bytes): .implicit(7, bytes)
        // The contents of the object identifier, without its own tag and length.
        case .registeredID(let text): .implicit(8, Array(DERValue.objectIdentifier(text).bytes.dropFirst(2)))
        }
    }
}
