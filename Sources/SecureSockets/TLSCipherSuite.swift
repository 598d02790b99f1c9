import TLSEngine

/// A cipher suite.
///
/// The constants are named as in IANA's registry.
public struct TLSCipherSuite: Sendable, Hashable {
    /// The suite's number in IANA's registry, for example 0x1301.
    public let codePoint: UInt16

    package init(codePoint: UInt16) { self.codePoint = codePoint }

    /// Creates a suite from its name in IANA's registry (`TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`) or OpenSSL's name
    /// (`ECDHE-RSA-AES128-GCM-SHA256`). The result is nil if the name is unknown or the suite is not supported.
    public init?(_ name: String) {
        guard let codePoint = CipherSuites.codePoint(named: name) else { return nil }
        self.codePoint = codePoint
    }

    // MARK: TLS 1.3

    public static let TLS_AES_128_GCM_SHA256 = TLSCipherSuite(codePoint: 0x1301)
    public static let TLS_AES_256_GCM_SHA384 = TLSCipherSuite(codePoint: 0x1302)
    public static let TLS_CHACHA20_POLY1305_SHA256 = TLSCipherSuite(codePoint: 0x1303)

    // MARK: TLS 1.2

    public static let TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = TLSCipherSuite(codePoint: 0xc02b)
    public static let TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 = TLSCipherSuite(codePoint: 0xc02c)
    public static let TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 = TLSCipherSuite(codePoint: 0xc02f)
    public static let TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 = TLSCipherSuite(codePoint: 0xc030)
    public static let TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 = TLSCipherSuite(codePoint: 0xcca8)
    public static let TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 = TLSCipherSuite(codePoint: 0xcca9)

    /// Whether the suite belongs to TLS 1.3. These suites cannot be configured: all of them are always offered.
    var isOfTLS13: Bool { self.codePoint >> 8 == 0x13 }
}

extension TLSCipherSuite: CustomStringConvertible {
    /// The suite's name in IANA's registry, for example `TLS_AES_128_GCM_SHA256`.
    public var description: String { TLSNames.cipherSuite(self.codePoint) }
}
