/// Weak certificates that are accepted all the same.
package struct LegacyCertificateOptions: OptionSet, Sendable, Hashable {
    package let rawValue: Int

    package init(rawValue: Int) { self.rawValue = rawValue }

    /// Certificates that are signed with SHA-1, for which forgeries have been made.
    package static let sha1Signatures = LegacyCertificateOptions(rawValue: 1 << 0)
    /// RSA keys of less than 2048 bits.
    package static let rsaKeysUnder2048Bits = LegacyCertificateOptions(rawValue: 1 << 1)
}
