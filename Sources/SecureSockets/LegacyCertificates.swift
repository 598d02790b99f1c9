package import TLSEngine

/// The kinds of weak certificates to accept. For old peers only, whose certificates cannot be replaced.
///
/// By default, certificates signed with SHA-1 and RSA keys under 2048 bits are refused below the root of a chain: SHA-1 signatures can be
/// forged, and 1024-bit keys are within reach of factoring. A root's own signature and key are not checked, because a root is trusted
/// explicitly.
public struct LegacyCertificates: OptionSet, Sendable, Hashable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Certificates that are signed with SHA-1.
    public static let sha1Signatures = LegacyCertificates(.sha1Signatures)
    /// RSA keys of less than 2048 bits.
    public static let rsaKeysUnder2048Bits = LegacyCertificates(.rsaKeysUnder2048Bits)

    private init(_ options: LegacyCertificateOptions) { self.rawValue = options.rawValue }

    /// The engine's representation of the options.
    package var options: LegacyCertificateOptions { LegacyCertificateOptions(rawValue: self.rawValue) }
}
