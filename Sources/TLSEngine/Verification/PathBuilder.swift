internal import CNIOBoringSSL

/// The paths that lead from a peer's certificate to a trusted one: all of them, the likeliest first (RFC 4158).
///
/// The library follows one path only, and which one depends on the order of the files: an authority's expired certificate beside its
/// renewal, an intermediate that is trusted besides its root, or a cross certificate lead it astray.
///
/// The peer decides how many certificates there are, so the work is bounded: a path has a longest length, and signatures are verified as far
/// as the budget allows.
struct PathBuilder {
    private static let longestPath = 12

    /// Where the search for a path ended, for telling why there is none.
    enum DeadEnd {
        /// No certificate has the issuer's name.
        case noIssuer
        /// The certificate is signed with its own key and is not trusted.
        case selfSigned
        case otherKey(isTrusted: Bool)
        case badSignature
        case unreadableIssuer
        case unsupportedSignature
    }

    private struct Candidate {
        let certificate: OpaquePointer
        let isTrusted: Bool
        let isSelfSigned: Bool
        /// 0 if its key identifier is the one that is asked for, 2 if it is another.
        let distance: Int
    }

    private let sent: [OpaquePointer]
    private let trusted: [OpaquePointer]
    /// Whether any trusted certificate ends a path, and not only a self-signed one.
    private let acceptsPartialPaths: Bool
    private let budget: VerificationBudget
    /// The one that is farthest from the peer's certificate.
    private(set) var deadEnd: (depth: Int, certificate: OpaquePointer, why: DeadEnd)?

    /// - Parameters:
    ///   - sent: What the peer has sent, besides its own certificate.
    ///   - trusted: The trusted certificates.
    ///   - budget: What verifying signatures may cost.
    init(sent: [OpaquePointer], trusted: [OpaquePointer], acceptsPartialPaths: Bool, budget: VerificationBudget) {
        self.sent = sent
        self.trusted = trusted
        self.acceptsPartialPaths = acceptsPartialPaths
        self.budget = budget
    }

    /// Calls `isGood` with each path from `leaf` until it answers true.
    mutating func firstPath(from leaf: OpaquePointer, where isGood: ([OpaquePointer]) -> Bool) -> Bool {
        let isTrusted = self.trusted.contains { X509_cmp($0, leaf) == 0 }
        return self.extend([leaf], endIsTrusted: isTrusted, isGood)
    }

    private mutating func extend(
        _ path: [OpaquePointer], endIsTrusted: Bool, _ isGood: ([OpaquePointer]) -> Bool
    ) -> Bool {
        guard let end = path.last else { return false }
        let isSelfSigned = isSelfIssued(end) && self.verifies(end, signedBy: end)
        if endIsTrusted, isSelfSigned || self.acceptsPartialPaths, isGood(path) { return true }
        if isSelfSigned {
            if !endIsTrusted { self.note(.selfSigned, at: path) }
            return false
        }
        guard path.count < Self.longestPath else { return false }
        let candidates = self.issuers(of: end, notIn: path)
        if candidates.isEmpty { self.note(.noIssuer, at: path) }
        for candidate in candidates {
            if let why = self.refusal(of: candidate, asIssuerOf: end) {
                self.note(why, at: path)
            } else if self.extend(path + [candidate.certificate], endIsTrusted: candidate.isTrusted, isGood) {
                return true
            }
        }
        return false
    }

    private mutating func note(_ why: DeadEnd, at path: [OpaquePointer]) {
        guard let end = path.last, path.count - 1 >= self.deadEnd?.depth ?? 0 else { return }
        // Of one certificate's candidates the first is the likeliest.
        if self.deadEnd?.depth == path.count - 1, self.deadEnd?.certificate == end { return }
        self.deadEnd = (path.count - 1, end, why)
    }

    /// All certificates with the issuer's name: the right key identifier first, then roots, then what was sent.
    private func issuers(of certificate: OpaquePointer, notIn path: [OpaquePointer]) -> [Candidate] {
        let name = X509_get_issuer_name(certificate)
        let wanted = X509_get0_authority_key_id(certificate)
        var candidates: [Candidate] = []
        func add(_ issuer: OpaquePointer, isTrusted: Bool) {
            guard X509_NAME_cmp(X509_get_subject_name(issuer), name) == 0,
                !path.contains(where: { X509_cmp($0, issuer) == 0 }),
                !candidates.contains(where: { X509_cmp($0.certificate, issuer) == 0 })
            else { return }
            candidates.append(
                Candidate(
                    certificate: issuer, isTrusted: isTrusted, isSelfSigned: isSelfIssued(issuer),
                    distance: keyDistance(X509_get0_subject_key_id(issuer), wanted)))
        }
        for issuer in self.trusted { add(issuer, isTrusted: true) }
        for issuer in self.sent { add(issuer, isTrusted: false) }
        func rank(_ candidate: Candidate) -> Int {
            let kind = candidate.isTrusted ? (candidate.isSelfSigned ? 0 : 2) : 1
            return candidate.distance * 10 + kind
        }
        // Stable: of equals the first in its file, as other verifiers have it.
        return candidates.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }.map(\.element)
    }

    private func refusal(of candidate: Candidate, asIssuerOf certificate: OpaquePointer) -> DeadEnd? {
        // Asking for the flags reads the extensions.
        if X509_get_extension_flags(candidate.certificate) & UInt32(EXFLAG_INVALID) != 0 { return .unreadableIssuer }
        if unsupportedSignatureAlgorithm(of: certificate) != nil { return .unsupportedSignature }
        if self.verifies(certificate, signedBy: candidate.certificate) { return nil }
        // Without identifiers it cannot be told from a forgery.
        return candidate.distance < 2 ? .badSignature : .otherKey(isTrusted: candidate.isTrusted)
    }

    private func verifies(_ certificate: OpaquePointer, signedBy issuer: OpaquePointer) -> Bool {
        guard let key = X509_get0_pubkey(issuer), self.budget.spendSignature(with: key) else { return false }
        defer { ErrorQueue.clear() }
        return X509_verify(certificate, key) == 1
    }
}

private func isSelfIssued(_ certificate: OpaquePointer) -> Bool {
    X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0
}

private func keyDistance(
    _ has: UnsafePointer<ASN1_OCTET_STRING>?, _ wanted: UnsafePointer<ASN1_OCTET_STRING>?
) -> Int {
    guard let has, let wanted else { return 1 }
    return ASN1_OCTET_STRING_cmp(has, wanted) == 0 ? 0 : 2
}
