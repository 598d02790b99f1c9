package import TLSEngine

/// Weak certificates that are accepted all the same. For old peers only, whose certificates cannot be replaced.
///
/// Without these, certificates signed with SHA-1 and RSA keys under 2048 bits are refused below the root of a chain: signatures with SHA-1
/// have been forged, and keys of 1024 bits are within reach. A root's own signature and key do not count, because it is trusted by itself.
public struct LegacyCertificates: OptionSet, Sendable, Hashable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Certificates that are signed with SHA-1.
    public static let sha1Signatures = LegacyCertificates(.sha1Signatures)
    /// RSA keys of less than 2048 bits.
    public static let rsaKeysUnder2048Bits = LegacyCertificates(.rsaKeysUnder2048Bits)

    private init(_ options: LegacyCertificateOptions) { self.rawValue = options.rawValue }

    /// The same for the engine.
    package var options: LegacyCertificateOptions { LegacyCertificateOptions(rawValue: self.rawValue) }
}
