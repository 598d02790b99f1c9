/// Why a certificate, a private key or a set of trusted certificates could not be loaded.
package struct CredentialError: Error, Sendable, Hashable {
    /// What was to be loaded.
    package enum Item: Sendable, Hashable {
        case certificateChain, privateKey, trustedCertificates
    }

    package enum Problem: Sendable, Hashable {
        /// The operating system refused, with this `errno`.
        case unreadable(errno: Int32)
        case isDirectory
        case empty
        /// Larger than any file of this kind is.
        case tooLarge(limit: Int)
        /// No block of the wanted kind; these kinds were found instead (`PRIVATE KEY`, …). Empty: not PEM at all.
        case wrongContent(found: [String])
        /// None of the places where trusted certificates are looked for has any.
        case nowhereFound
        /// Looks like DER, the binary form.
        case notPEM
        /// The `index`-th certificate (from 0) cannot be read.
        case malformedCertificate(index: Int, LibraryReason?)
        case malformedKey(LibraryReason?)
        /// The key is of a kind that TLS has no use for.
        case unsupportedKey
        case passwordMissing
        case passwordWrong
        /// The key does not belong to the certificate.
        case keyMismatch
        /// The library refuses the certificate.
        case refused(LibraryReason?)
    }

    package let item: Item
    /// The file's path; nil where bytes were given.
    package let path: String?
    package let problem: Problem
}
