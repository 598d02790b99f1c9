internal import CNIOBoringSSL

/// The paths from a peer's certificate to a trusted one: all of them, the likeliest first (RFC 4158). `PeerVerification` tries them
/// where BoringSSL's own path fails, and `ChainRules` judges each.
///
/// BoringSSL follows one path only, and the order of the files determines which. It then fails on an authority's expired certificate next
/// to its renewal, on an intermediate that is trusted as well as its root, or on a cross certificate.
///
/// The peer decides how many certificates there are, so the work is bounded: the length of a path is limited, and signatures are verified
/// as far as the budget allows.
struct AlternativePaths {
    private static let longestPath = 12

    /// The reason for which a path could not be continued.
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
        /// 0 if the key identifier is the expected one, 2 if it is another, 1 if it is unknown.
        let distance: Int
    }

    private let sent: [OpaquePointer]
    private let trusted: [OpaquePointer]
    /// Whether any trusted certificate ends a path, not only a self-signed one.
    private let acceptsPartialPaths: Bool
    private let budget: VerificationBudget
    /// The dead end at the greatest depth.
    private(set) var deadEnd: (depth: Int, certificate: OpaquePointer, why: DeadEnd)?

    /// - Parameters:
    ///   - sent: The certificates that the peer sent, except its own.
    ///   - trusted: The trusted certificates.
    ///   - budget: The bound on verifying signatures.
    init(sent: [OpaquePointer], trusted: [OpaquePointer], acceptsPartialPaths: Bool, budget: VerificationBudget) {
        self.sent = sent
        self.trusted = trusted
        self.acceptsPartialPaths = acceptsPartialPaths
        self.budget = budget
    }

    /// Calls `isGood` with each path from `leaf` until it returns true. Returns whether it did.
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
        // The first of a certificate's candidates is the likeliest.
        if self.deadEnd?.depth == path.count - 1, self.deadEnd?.certificate == end { return }
        self.deadEnd = (path.count - 1, end, why)
    }

    /// Returns all certificates with the issuer's name: first those with the expected key identifier, then roots, then those that were
    /// sent.
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
        // A stable sort: of equal candidates the first in its file comes first, as in other verifiers.
        return candidates.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }.map(\.element)
    }

    private func refusal(of candidate: Candidate, asIssuerOf certificate: OpaquePointer) -> DeadEnd? {
        // Reading the flags parses the extensions.
        if X509_get_extension_flags(candidate.certificate) & UInt32(EXFLAG_INVALID) != 0 { return .unreadableIssuer }
        if unsupportedSignatureAlgorithm(of: certificate) != nil { return .unsupportedSignature }
        if self.verifies(certificate, signedBy: candidate.certificate) { return nil }
        // Without identifiers, another key cannot be distinguished from a forged signature.
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
