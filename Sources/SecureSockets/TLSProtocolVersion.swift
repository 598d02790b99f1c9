package import TLSEngine

/// A version of TLS. Versions before 1.2 are deprecated (RFC 8996) and not supported.
///
/// A peer's offer may contain versions that are not supported (``SecureSocketError/Negotiation``), with which no configuration can be
/// created.
public struct TLSProtocolVersion: Sendable, Hashable {
    /// The version's number in the protocol, for example 0x0304 for TLS 1.3.
    public let codePoint: UInt16

    package init(codePoint: UInt16) { self.codePoint = codePoint }

    package init(_ version: TLSVersion) { self.codePoint = version.rawValue }

    /// The version as the engine's; nil if it is not supported.
    package var version: TLSVersion? { TLSVersion(rawValue: self.codePoint) }

    /// TLS 1.2 (RFC 5246).
    public static let tls12 = TLSProtocolVersion(.v1_2)
    /// TLS 1.3 (RFC 8446).
    public static let tls13 = TLSProtocolVersion(.v1_3)
}

extension TLSProtocolVersion: CaseIterable {
    /// All supported versions, oldest first.
    public static let allCases: [TLSProtocolVersion] = [.tls12, .tls13]
}

extension TLSProtocolVersion: Comparable {
    public static func < (left: TLSProtocolVersion, right: TLSProtocolVersion) -> Bool { left.codePoint < right.codePoint }
}

extension TLSProtocolVersion: CustomStringConvertible {
    /// The version's name, for example `TLS 1.3`.
    public var description: String { TLSNames.version(self.codePoint) }
}
