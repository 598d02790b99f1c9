import TLSEngine

/// A TLS alert, with which a peer ends the connection (RFC 8446 §6).
public struct TLSAlert: Sendable, Hashable {
    /// The alert's number in IANA's registry, for example 48 for `unknown_ca`.
    public let codePoint: UInt8

    /// Creates an alert from its number.
    public init(codePoint: UInt8) { self.codePoint = codePoint }

    public static let unexpectedMessage = TLSAlert(codePoint: 10)
    public static let badRecordMAC = TLSAlert(codePoint: 20)
    public static let recordOverflow = TLSAlert(codePoint: 22)
    /// The two sides have no acceptable set of parameters in common or, with TLS 1.2, the client sent no certificate.
    public static let handshakeFailure = TLSAlert(codePoint: 40)
    public static let badCertificate = TLSAlert(codePoint: 42)
    public static let unsupportedCertificate = TLSAlert(codePoint: 43)
    public static let certificateRevoked = TLSAlert(codePoint: 44)
    public static let certificateExpired = TLSAlert(codePoint: 45)
    public static let certificateUnknown = TLSAlert(codePoint: 46)
    public static let illegalParameter = TLSAlert(codePoint: 47)
    /// The issuer of the certificate is unknown or not trusted.
    public static let unknownCA = TLSAlert(codePoint: 48)
    public static let accessDenied = TLSAlert(codePoint: 49)
    public static let decodeError = TLSAlert(codePoint: 50)
    public static let decryptError = TLSAlert(codePoint: 51)
    public static let protocolVersion = TLSAlert(codePoint: 70)
    public static let insufficientSecurity = TLSAlert(codePoint: 71)
    public static let internalError = TLSAlert(codePoint: 80)
    public static let inappropriateFallback = TLSAlert(codePoint: 86)
    public static let userCanceled = TLSAlert(codePoint: 90)
    public static let missingExtension = TLSAlert(codePoint: 109)
    public static let unsupportedExtension = TLSAlert(codePoint: 110)
    public static let unrecognizedName = TLSAlert(codePoint: 112)
    public static let badCertificateStatusResponse = TLSAlert(codePoint: 113)
    public static let unknownPSKIdentity = TLSAlert(codePoint: 115)
    public static let certificateRequired = TLSAlert(codePoint: 116)
    public static let noApplicationProtocol = TLSAlert(codePoint: 120)
}

extension TLSAlert: CustomStringConvertible {
    /// The alert's name in RFC 8446, for example `unknown_ca`, or in RFC 5246 for alerts of TLS 1.2 only.
    public var description: String { AlertDescription(code: self.codePoint).description }
}
