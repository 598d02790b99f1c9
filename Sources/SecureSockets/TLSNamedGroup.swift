package import TLSEngine

/// A key exchange group (RFC 8446 §4.2.7).
public struct TLSNamedGroup: Sendable, Hashable {
    package let group: TLSGroup

    package init(_ group: TLSGroup) { self.group = group }

    /// The hybrid of X25519 and ML-KEM-768, which also resists attacks by future quantum computers.
    public static let x25519MLKEM768 = TLSNamedGroup(.x25519MLKEM768)
    public static let x25519 = TLSNamedGroup(.x25519)
    public static let secp256r1 = TLSNamedGroup(.secp256r1)
    public static let secp384r1 = TLSNamedGroup(.secp384r1)
    public static let secp521r1 = TLSNamedGroup(.secp521r1)

    /// The group's number in IANA's registry, for example 29 for X25519.
    public var codePoint: UInt16 { self.group.rawValue }
}

extension TLSNamedGroup: CaseIterable {
    /// All supported groups.
    public static let allCases: [TLSNamedGroup] = TLSGroup.allCases.map(TLSNamedGroup.init)
}

extension TLSNamedGroup: CustomStringConvertible {
    /// The group's name, for example `X25519MLKEM768` or `P-256`.
    public var description: String { TLSNames.group(self.codePoint) }
}
