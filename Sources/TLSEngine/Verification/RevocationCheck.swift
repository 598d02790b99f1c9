internal import CNIOBoringSSL

/// Checks certificates against revocation lists (RFC 5280 §6.3).
///
/// BoringSSL's own check is not used, because it verifies a list's signature in every handshake, which takes milliseconds for a list of
/// megabytes. Here a list's signature is verified once for each key of its issuer.
package struct RevocationCheck: Sendable {
    /// The certificates of a chain that are checked.
    package enum Extent: String, Sendable, Hashable {
        case leaf
        /// All certificates below the trusted one.
        case wholeChain
    }

    package var lists: RevocationListStore
    package var extent: Extent
    /// Whether a list counts after its next update was due.
    package var acceptsOutdated: Bool
    /// Whether a certificate is accepted if no valid list covers it.
    package var acceptsMissing: Bool
    /// Called during a verification that has relied on an outdated list, at most once an hour for each list.
    package var reportOutdated: (@Sendable (RevocationListDescription) -> Void)?

    package init(
        lists: RevocationListStore, extent: Extent, acceptsOutdated: Bool, acceptsMissing: Bool,
        reportOutdated: (@Sendable (RevocationListDescription) -> Void)? = nil
    ) {
        self.lists = lists
        self.extent = extent
        self.acceptsOutdated = acceptsOutdated
        self.acceptsMissing = acceptsMissing
        self.reportOutdated = reportOutdated
    }

    /// What decides which certificates are accepted, for the digest that sessions are bound to.
    var digestInput: [UInt8] {
        Array("\(self.extent.rawValue) \(self.acceptsOutdated) \(self.acceptsMissing) ".utf8) + self.lists.digest
    }

    /// Returns the reason to refuse a verified chain; nil if there is none. The trusted end of the chain comes last and is not checked.
    ///
    /// A revocation is reported before a certificate whose revocation cannot be checked.
    ///
    /// - Parameter now: In seconds since 1970-01-01 UTC.
    func refusal(of chain: [OpaquePointer], allowing legacy: LegacyCertificateOptions, now: UInt64) -> CertificateRefusal? {
        var unknown: CertificateRefusal?
        let checked = self.extent == .leaf ? min(1, chain.count - 1) : chain.count - 1
        for depth in 0..<max(checked, 0) {
            switch self.finding(on: chain[depth], issuedBy: chain[depth + 1], allowing: legacy, now: now) {
            case .covered: continue
            case .outdated(let list) where self.acceptsOutdated:
                if list.isDueForReport(at: now) { self.reportOutdated?(list.description) }
            case .outdated(let list):
                unknown =
                    unknown
                    ?? CertificateRefusal(
                        CertificateRefusal.revocationListOutdated,
                        .revocationUnknown(.outdated(nextUpdate: list.description.nextUpdate ?? 0)), depth: depth,
                        of: chain[depth])
            case .unknown(let gap):
                guard !self.acceptsMissing else { continue }
                unknown =
                    unknown
                    ?? CertificateRefusal(
                        CertificateRefusal.revocationListMissing, .revocationUnknown(gap), depth: depth, of: chain[depth])
            case .revoked(let revocation):
                return CertificateRefusal(CertificateRefusal.revoked, .revoked(revocation), depth: depth, of: chain[depth])
            }
        }
        return unknown
    }

    private enum Finding {
        /// A current list covers the certificate and does not have it.
        case covered
        case revoked(Revocation)
        case outdated(RevocationList)
        case unknown(RevocationGap)
    }

    private func finding(
        on certificate: OpaquePointer, issuedBy issuer: OpaquePointer, allowing legacy: LegacyCertificateOptions, now: UInt64
    ) -> Finding {
        let lists = self.lists.lists(ofIssuer: X509_get_issuer_name(certificate))
        if lists.isEmpty { return .unknown(.noList) }
        // The bits of a certificate without key usage are all set.
        guard X509_get_key_usage(issuer) & UInt32(X509v3_KU_CRL_SIGN) != 0 else { return .unknown(.issuerMayNotSign) }
        var isCovered = false
        var outdated: RevocationList?
        var gap = RevocationGap.noList
        func note(_ other: RevocationGap) { gap = max(gap, other) }
        for list in lists {
            let revocation = list.revocation(of: certificate)
            let covers = list.covers(certificate)
            // An authority may divide its certificates among many lists, whose signatures need not all be verified.
            guard revocation != nil || covers else {
                note(.otherScope)
                continue
            }
            guard list.isSigned(by: issuer) else {
                note(.otherKey)
                continue
            }
            // The statement is the issuer's, whatever the list's dates are.
            if let revocation { return .revoked(revocation) }
            if list.hasWeakSignature(allowing: legacy) {
                note(.weakSignature)
            } else if list.description.thisUpdate > Int64(clamping: now) {
                note(.notYetValid(thisUpdate: list.description.thisUpdate))
            } else if let next = list.description.nextUpdate, next < Int64(clamping: now) {
                if outdated?.description.nextUpdate ?? .min < next { outdated = list }
            } else {
                isCovered = true
            }
        }
        return isCovered ? .covered : outdated.map { .outdated($0) } ?? .unknown(gap)
    }
}

/// The reason why it is not known whether a certificate is revoked.
package enum RevocationGap: Sendable, Hashable {
    /// There is no list of the issuer.
    case noList
    /// The lists of the issuer are for other certificates.
    case otherScope
    /// The list of the issuer's name is signed with another key.
    case otherKey
    /// The list is signed with SHA-1.
    case weakSignature
    /// The list is from the future. The time is in seconds since 1970-01-01 UTC.
    case notYetValid(thisUpdate: Int64)
    /// The issuer's key usage does not permit signing revocation lists.
    case issuerMayNotSign
    /// A newer list is due. The time is in seconds since 1970-01-01 UTC.
    case outdated(nextUpdate: Int64)
}

/// The gap of the list that comes closest to covering a certificate is the greatest.
extension RevocationGap: Comparable {
    private var rank: Int {
        switch self {
        case .noList: 0
        case .otherScope: 1
        case .otherKey: 2
        case .weakSignature: 3
        case .notYetValid: 4
        case .issuerMayNotSign: 5
        case .outdated: 6
        }
    }

    package static func < (left: RevocationGap, right: RevocationGap) -> Bool { left.rank < right.rank }
}
