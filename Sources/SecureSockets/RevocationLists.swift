internal import Logging
package import TLSEngine

/// Certificate revocation lists (CRLs, RFC 5280 §5), with which ``TLSTrust/checkingRevocation(with:of:outdated:missing:)`` refuses revoked
/// certificates.
///
/// ```swift
/// let lists = try RevocationLists(folder: "/etc/service/crl")
/// let trust = try TLSTrust.only("clients-ca.pem").checkingRevocation(with: lists)
/// ```
///
/// Lists are read once, when this value is created, and are not downloaded. To use newer lists, create a new value and a new configuration.
///
/// A list must be complete for its scope. These are refused when they are loaded, because ignoring them would accept revoked certificates:
/// delta lists, indirect lists, lists that are limited to some reasons or to attribute certificates, and lists with critical extensions
/// that are not supported. A list may be limited to some distribution points, to authorities or to other certificates (RFC 5280 §5.2.5); it
/// then covers the certificates for which it is.
///
/// The signatures of lists are not verified when they are loaded but with the issuer's key of the peer's chain, once for each key. A list
/// that is signed with another key has no effect.
///
/// The bounds are 16 MiB for each file and 4096 lists in all.
public struct RevocationLists: Sendable {
    package let store: RevocationListStore

    private init(_ load: () throws(CredentialError) -> RevocationListStore) throws(SecureSocketError) {
        do {
            self.store = try load()
        } catch {
            throw SecureSocketError(error)
        }
    }

    /// Loads the lists of a file or of its contents: any number of them in PEM (`X509 CRL`), or one in DER. PEM blocks of other kinds are
    /// skipped.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if the file cannot be read, has no list, or has one that cannot be used.
    public init(_ source: CredentialSource) throws(SecureSocketError) {
        try self.init { () throws(CredentialError) in try RevocationListStore(source.input) }
    }

    /// Loads all files of a folder in the order of their names. Subfolders and files whose names begin with a dot are skipped.
    ///
    /// - Parameter path: The folder. A relative path is resolved against the current working directory.
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if the folder or one of its files cannot be read or used, or if there is
    ///   no file. The message names the file.
    public init(folder path: String) throws(SecureSocketError) {
        try self.init { () throws(CredentialError) in try RevocationListStore(folder: path) }
    }

    /// Decodes lists in DER.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if there is none, or if one cannot be used.
    public init(derBytes lists: [[UInt8]]) throws(SecureSocketError) {
        try self.init { () throws(CredentialError) in try RevocationListStore(der: lists) }
    }

    /// Returns these lists and others.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if there are more than 4096.
    public func adding(_ others: RevocationLists) throws(SecureSocketError) -> RevocationLists {
        try RevocationLists { () throws(CredentialError) in try RevocationListStore.joining([self.store, others.store]) }
    }

    /// The lists in the order in which they were loaded.
    public var lists: [List] { self.store.descriptions.map(List.init) }

    /// The time by which the first of the lists has to be replaced, in seconds since 1970-01-01 UTC; nil if no list has such a time.
    public var nextUpdate: Int64? { self.store.descriptions.compactMap(\.nextUpdate).min() }
}

extension RevocationLists {
    /// The fields of a revocation list, without its entries.
    public struct List: Sendable, Hashable {
        private let list: RevocationListDescription

        init(_ list: RevocationListDescription) { self.list = list }

        /// The issuer's distinguished name (RFC 2253).
        public var issuer: String { self.list.issuer }
        /// The list's number, most significant byte first, which increases from list to list of an issuer (RFC 5280 §5.2.3); nil if it has
        /// none.
        public var number: [UInt8]? { self.list.number }
        /// The time of issue, in seconds since 1970-01-01 UTC.
        public var thisUpdate: Int64 { self.list.thisUpdate }
        /// The time by which the next list is issued, in seconds since 1970-01-01 UTC; nil if the list has none. Such a list is never
        /// outdated.
        public var nextUpdate: Int64? { self.list.nextUpdate }
        /// The number of revoked certificates.
        public var entryCount: Int { self.list.entryCount }
    }
}

extension TLSTrust {
    /// The certificates of a chain whose revocation is checked.
    public struct RevocationExtent: Sendable, Hashable {
        let extent: RevocationCheck.Extent

        /// The peer's own certificate only.
        public static let leaf = RevocationExtent(extent: .leaf)
        /// All certificates except the trusted one at the end. Needs a list of each authority in the chain, including the trusted one.
        public static let wholeChain = RevocationExtent(extent: .wholeChain)
    }

    /// The treatment of a certificate whose issuer's list is outdated: the time for the next list has passed.
    public struct OutdatedLists: Sendable, Hashable {
        let areAccepted: Bool

        /// The certificate is refused.
        public static let refuse = OutdatedLists(areAccepted: false)
        /// The outdated list is used, and a warning is logged, at most once an hour for each list. Certificates that were revoked later are
        /// accepted.
        public static let warn = OutdatedLists(areAccepted: true)
    }

    /// The treatment of a certificate that no valid list covers.
    public struct MissingLists: Sendable, Hashable {
        let areAccepted: Bool

        /// The certificate is refused.
        public static let refuse = MissingLists(areAccepted: false)
        /// The certificate is accepted **without a check**. For chains in which only some authorities issue lists.
        public static let accept = MissingLists(areAccepted: true)
    }

    /// Returns this trust with revocation checked. It replaces an earlier check.
    ///
    /// A certificate is revoked if any list that its issuer has signed has its serial number, even an outdated one. Otherwise a current
    /// list of the issuer must cover it. The key that signs the list must be the one that has signed the certificate, and its key usage
    /// must permit it (`cRLSign`). A list that is not valid yet does not cover; nor does one that is signed with SHA-1, except with
    /// ``LegacyCertificates/sha1Signatures``. The trusted end of a chain is not checked, also if it is the peer's own certificate.
    ///
    /// If a certificate is refused, the peer receives the alert `certificate_revoked` if it is revoked, and `certificate_unknown` if that is
    /// not known. The problem's kind is ``CertificateProblem/Kind/revoked`` or ``CertificateProblem/Kind/revocationUnknown``.
    ///
    /// - Parameters:
    ///   - lists: The revocation lists.
    ///   - extent: The certificates that are checked. Default: all below the trusted one.
    ///   - outdated: The treatment of outdated lists. Default: certificates are refused.
    ///   - missing: The treatment of certificates that no list covers. Default: they are refused.
    public func checkingRevocation(
        with lists: RevocationLists,
        of extent: RevocationExtent = .wholeChain,
        outdated: OutdatedLists = .refuse,
        missing: MissingLists = .refuse
    ) -> TLSTrust {
        self.checkingRevocation(
            RevocationCheck(
                lists: lists.store, extent: extent.extent, acceptsOutdated: outdated.areAccepted,
                acceptsMissing: missing.areAccepted, reportOutdated: Self.warn))
    }

    @Sendable private static func warn(of list: RevocationListDescription) {
        Logger(label: "SecureSockets").warning(
            "an outdated certificate revocation list is used; certificates that were revoked since are accepted",
            metadata: [
                "issuer": "\(list.issuer.abbreviatedForDisplay)",
                "nextUpdate": "\(list.nextUpdate.map { "\(UTCDate($0))" } ?? "none")",
            ])
    }
}
