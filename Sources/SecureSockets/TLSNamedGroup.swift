package import TLSEngine

/// A key exchange group (RFC 8446 §4.2.7).
public struct TLSNamedGroup: Sendable, Hashable {
    package let group: TLSGroup

    package init(_ group: TLSGroup) { self.group = group }

    /// X25519 together with ML-KEM-768: secure also against quantum computers of the future.
    public static let x25519MLKEM768 = TLSNamedGroup(.x25519MLKEM768)
    public static let x25519 = TLSNamedGroup(.x25519)
    public static let secp256r1 = TLSNamedGroup(.secp256r1)
    public static let secp384r1 = TLSNamedGroup(.secp384r1)
    public static let secp521r1 = TLSNamedGroup(.secp521r1)

    /// IANA's number of the group, for example 29 for X25519.
    public var codePoint: UInt16 { self.group.rawValue }
}

extension TLSNamedGroup: CaseIterable {
    /// All groups that are supported.
    public static let allCases: [TLSNamedGroup] = TLSGroup.allCases.map(TLSNamedGroup.init)
}

extension TLSNamedGroup: CustomStringConvertible {
    /// The group's name, for example `X25519MLKEM768` or `P-256`.
    public var description: String { TLSNames.group(self.codePoint) }
}
