package import TLSEngine

/// A version of TLS. Versions before 1.2 are deprecated (RFC 8996) and not supported.
public struct TLSProtocolVersion: Sendable, Hashable {
    package let version: TLSVersion

    package init(_ version: TLSVersion) { self.version = version }

    /// TLS 1.2 (RFC 5246).
    public static let tls12 = TLSProtocolVersion(.v1_2)
    /// TLS 1.3 (RFC 8446).
    public static let tls13 = TLSProtocolVersion(.v1_3)

    /// The version's number in the protocol, for example 0x0304 for TLS 1.3.
    public var codePoint: UInt16 { self.version.rawValue }
}

extension TLSProtocolVersion: CaseIterable {
    /// All supported versions, oldest first.
    public static let allCases: [TLSProtocolVersion] = [.tls12, .tls13]
}

extension TLSProtocolVersion: Comparable {
    public static func < (left: TLSProtocolVersion, right: TLSProtocolVersion) -> Bool { left.version < right.version }
}

extension TLSProtocolVersion: CustomStringConvertible {
    /// The version's name: `TLS 1.2` or `TLS 1.3`.
    public var description: String { self == .tls13 ? "TLS 1.3" : "TLS 1.2" }
}
