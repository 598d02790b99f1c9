/// Kinds of weak certificates that are accepted.
package struct LegacyCertificateOptions: OptionSet, Sendable, Hashable {
    package let rawValue: Int

    package init(rawValue: Int) { self.rawValue = rawValue }

    /// Certificates that are signed with SHA-1.
    package static let sha1Signatures = LegacyCertificateOptions(rawValue: 1 << 0)
    /// RSA keys of less than 2048 bits.
    package static let rsaKeysUnder2048Bits = LegacyCertificateOptions(rawValue: 1 << 1)
}
