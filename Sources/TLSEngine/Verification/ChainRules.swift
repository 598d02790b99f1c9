internal import CNIOBoringSSL

/// Additional rules for a chain that BoringSSL has found good: rules that it does not have, or does not apply to trusted certificates.
struct ChainRules {
    enum Purpose {
        case server, client

        var number: Int32 { self == .server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT }
    }

    /// The purposes of which a chain needs one, for all of its certificates below the trusted end. With one only, BoringSSL has checked
    /// the peer's certificates.
    let purposes: [Purpose]
    let allowing: LegacyCertificateOptions
    /// The greatest permitted depth of the trusted end.
    let depth: Int
    /// Whether the handshake needs a signature by the peer's key, not only its use for key transport.
    let needsDigitalSignature: Bool
    /// Whether BoringSSL has met a kind of name that it cannot constrain.
    var checksNameConstraints = false
    let budget: VerificationBudget
    /// The check against revocation lists, if there is one.
    var revocation: RevocationCheck? = nil
    /// The time for revocation lists, in seconds since 1970-01-01 UTC.
    var now: UInt64 = 0

    /// Returns the first rule that a chain breaks; nil if it breaks none. The trusted end of the chain comes last.
    func refusal(of chain: [OpaquePointer]) -> CertificateRefusal? {
        self.extensions(chain) ?? self.authorities(chain) ?? self.purpose(chain) ?? self.weaknesses(chain) ?? self.keyUsage(chain)
            ?? (self.checksNameConstraints ? self.nameConstraints(chain) : nil) ?? self.length(chain)
            ?? self.revocation?.refusal(of: chain, allowing: self.allowing, now: self.now)
    }

    /// Checks that no extension occurs twice and that the trusted end has no unknown critical extension.
    private func extensions(_ chain: [OpaquePointer]) -> CertificateRefusal? {
        for (depth, certificate) in chain.enumerated() {
            if let duplicate = duplicateExtension(of: certificate) {
                return CertificateRefusal(
                    CertificateRefusal.invalidExtension, .duplicateExtension(duplicate), depth: depth, of: certificate)
            }
        }
        guard let end = chain.last, X509_get_extension_flags(end) & UInt32(EXFLAG_CRITICAL) != 0 else { return nil }
        return CertificateRefusal(CertificateRefusal.unknownCriticalExtension, depth: chain.count - 1, of: end)
    }

    /// Checks that every issuer in the chain is an authority (RFC 5280 §4.2.1.9 and §4.2.1.3), for this purpose, with no more authorities
    /// below it than it allows. The purpose of the trusted end is not checked.
    ///
    /// BoringSSL checks the peer's certificates in this way but accepts those of the trust store as they are. Trusting a certificate does
    /// not mean letting it issue others: a trusted server certificate could otherwise issue one for every other server.
    func authorities(_ chain: [OpaquePointer]) -> CertificateRefusal? {
        var authoritiesBelow = 0
        for depth in chain.indices.dropFirst() {
            let issuer = chain[depth]
            let allowedBelow = X509_get_pathlen(issuer)
            if X509_check_ca(issuer) != 1 || X509_get_key_usage(issuer) & UInt32(X509v3_KU_KEY_CERT_SIGN) == 0 {
                return CertificateRefusal(CertificateRefusal.invalidCA, .notAuthority, depth: depth, of: issuer)
            }
            if depth < chain.count - 1, !self.purposes.contains(where: { X509_check_purpose(issuer, $0.number, 1) == 1 }) {
                return CertificateRefusal(CertificateRefusal.wrongPurpose, depth: depth, of: issuer)
            }
            if allowedBelow >= 0, authoritiesBelow > Int(allowedBelow) {
                return CertificateRefusal(CertificateRefusal.pathLengthExceeded, depth: depth, of: issuer)
            }
            if X509_get_extension_flags(issuer) & UInt32(EXFLAG_SI) == 0 { authoritiesBelow += 1 }
        }
        return nil
    }

    /// Checks that all certificates below the trusted end have one of the purposes in common.
    private func purpose(_ chain: [OpaquePointer]) -> CertificateRefusal? {
        guard self.purposes.count > 1 else { return nil }
        let below = chain.prefix(max(chain.count - 1, 1)).enumerated()
        func unfit(_ purpose: Purpose) -> CertificateRefusal? {
            below.first { X509_check_purpose($0.element, purpose.number, $0.offset > 0 ? 1 : 0) != 1 }
                .map { CertificateRefusal(CertificateRefusal.wrongPurpose, depth: $0.offset, of: $0.element) }
        }
        let refusals = self.purposes.map(unfit)
        return refusals.contains(nil) ? nil : refusals.first ?? nil
    }

    /// Checks that no certificate below the trusted end has a weak key or signature. The end is trusted as it is, but the peer's own key
    /// signs the handshake, so it is always checked.
    private func weaknesses(_ chain: [OpaquePointer]) -> CertificateRefusal? {
        for (depth, certificate) in chain.enumerated() {
            let isEnd = depth == chain.count - 1
            let key = isEnd && depth > 0 ? nil : CertificateWeakness(keyOf: certificate, allowing: self.allowing)
            let signature = isEnd ? nil : CertificateWeakness(signatureOf: certificate, allowing: self.allowing)
            guard let weakness = key ?? signature else { continue }
            return CertificateRefusal(CertificateRefusal.ofThisEngine, .weak(weakness), depth: depth, of: certificate)
        }
        return nil
    }

    private func keyUsage(_ chain: [OpaquePointer]) -> CertificateRefusal? {
        guard self.needsDigitalSignature, let leaf = chain.first,
            X509_get_key_usage(leaf) & UInt32(X509v3_KU_DIGITAL_SIGNATURE) == 0
        else { return nil }
        return CertificateRefusal(CertificateRefusal.wrongPurpose, .lacksDigitalSignature, depth: 0, of: leaf)
    }

    /// Checks the name constraints of each authority against all certificates below it, except intermediates that it issued to itself.
    private func nameConstraints(_ chain: [OpaquePointer]) -> CertificateRefusal? {
        let names = chain.map { AlternativeNames(of: $0, budget: self.budget) }
        for (depth, authority) in chain.enumerated().dropFirst() {
            guard let constraints = NameConstraints(of: authority, budget: self.budget) else { continue }
            for below in (0..<depth).reversed() {
                if below > 0, X509_get_extension_flags(chain[below]) & UInt32(EXFLAG_SI) != 0 { continue }
                if let code = constraints.refusal(of: names[below]) {
                    return CertificateRefusal(code, depth: below, of: chain[below])
                }
                if self.budget.isExhausted {
                    return CertificateRefusal(CertificateRefusal.ofThisEngine, .tooMuchWork, depth: below, of: chain[below])
                }
            }
        }
        return nil
    }

    private func length(_ chain: [OpaquePointer]) -> CertificateRefusal? {
        let end = chain.count - 1
        guard end > self.depth else { return nil }
        var refusal = CertificateRefusal(CertificateRefusal.chainTooLong, depth: end, of: chain.last)
        refusal.depthLimit = self.depth
        return refusal
    }
}

private func duplicateExtension(of certificate: OpaquePointer) -> OID? {
    var seen: Set<OID> = []
    for index in 0..<X509_get_ext_count(certificate) {
        guard let object = X509_get_ext(certificate, index).flatMap({ X509_EXTENSION_get_object($0) }) else { continue }
        let identifier = OID(of: object)
        if !seen.insert(identifier).inserted { return identifier }
    }
    return nil
}

/// Returns the algorithm of a certificate's signature if BoringSSL cannot verify it; nil if it can.
func unsupportedSignatureAlgorithm(of certificate: OpaquePointer) -> OID? {
    let nid = X509_get_signature_nid(certificate)
    var (hash, key) = (NID_undef, NID_undef)
    // Ed25519 has no separate hash function, and RSASSA-PSS has it among its parameters.
    if nid == NID_ED25519 || nid == NID_rsassaPss { return nil }
    if OBJ_find_sigid_algs(nid, &hash, &key) == 1, ![NID_md5, NID_md4, NID_md2].contains(hash), key != NID_dsa { return nil }
    var algorithm: UnsafePointer<X509_ALGOR>?
    X509_get0_signature(nil, &algorithm, certificate)
    var object: OpaquePointer?
    X509_ALGOR_get0(&object, nil, nil, algorithm)
    return object.map { OID(of: $0) } ?? OID(content: [])
}

extension OID {
    init(of object: OpaquePointer) {
        let start = OBJ_get0_data(object)
        self.init(content: Array(UnsafeBufferPointer(start: start, count: OBJ_length(object))))
    }
}
