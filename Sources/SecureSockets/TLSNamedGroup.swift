package import TLSEngine

/// A key exchange group (RFC 8446 §4.2.7).
///
/// The constants are the groups that the library supports. A peer's offer may contain others
/// (``SecureSocketError/Negotiation``), with which no configuration can be created.
public struct TLSNamedGroup: Sendable, Hashable {
    /// The group's number in IANA's registry, for example 29 for X25519.
    public let codePoint: UInt16

    package init(codePoint: UInt16) { self.codePoint = codePoint }

    package init(_ group: TLSGroup) { self.codePoint = group.rawValue }

    /// The group as the engine's; nil if it is not supported.
    package var group: TLSGroup? { TLSGroup(rawValue: self.codePoint) }

    /// The hybrid of X25519 and ML-KEM-768, which also resists attacks by future quantum computers.
    public static let x25519MLKEM768 = TLSNamedGroup(.x25519MLKEM768)
    public static let x25519 = TLSNamedGroup(.x25519)
    public static let secp256r1 = TLSNamedGroup(.secp256r1)
    public static let secp384r1 = TLSNamedGroup(.secp384r1)
    public static let secp521r1 = TLSNamedGroup(.secp521r1)
}

extension TLSNamedGroup: CaseIterable {
    /// All supported groups.
    public static let allCases: [TLSNamedGroup] = TLSGroup.allCases.map(TLSNamedGroup.init)
}

extension TLSNamedGroup: CustomStringConvertible {
    /// The group's name, for example `X25519MLKEM768` or `P-256`.
    public var description: String { TLSNames.group(self.codePoint) }
}
