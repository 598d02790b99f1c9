internal import CNIOBoringSSL

/// Verifies the peer's chain in place of BoringSSL's default, and asks the program if it decides about peers. BoringSSL calls this during
/// the handshake, again after each wait for a decision.
///
/// BoringSSL verifies one chain, in the order trust, purpose, name, dates and constraints, and does not keep which certificate was at
/// fault. Here every chain that can be built from the certificates sent and trusted is tried (`AlternativePaths`), a good chain must also
/// follow the rules that BoringSSL does not have (`ChainRules`), and a refusal gives the reason that applies to the chain.
func verifyPeerCertificate(ssl: OpaquePointer?, alert: UnsafeMutablePointer<UInt8>?) -> ssl_verify_result_t {
    guard let ssl, let engine = TLSEngine.of(ssl) else { return ssl_verify_invalid }
    switch engine.peerDecision {
    case .open: break
    case .pending: return ssl_verify_retry
    case .made(.refuse(let refusal)):
        alert?.pointee = refusal.alert.code
        return ssl_verify_invalid
    case .made: return ssl_verify_ok
    }
    let decides = engine.context.settings.peerDecision != nil
    let verifies = engine.context.settings.verification != .none
    guard verifies || decides else { return ssl_verify_ok }
    let sent = SSL_get_peer_full_cert_chain(ssl)
    var verified: [OpaquePointer] = []
    if verifies {
        switch engine.verify(sent) {
        case .success(let chain):
            if let refusal = engine.refusalByStapledStatus(of: chain) {
                engine.refusal = refusal
                alert?.pointee = refusal.alert.code
                return ssl_verify_invalid
            }
            verified = chain
            engine.verifiedChainLength = chain.count
            limitSession(of: ssl, to: chain, now: engine.context.settings.now())
        case .failure(let failure):
            engine.refusal = failure.refusal
            alert?.pointee = failure.refusal.alert.code
            return ssl_verify_invalid
        }
    }
    guard decides else { return ssl_verify_ok }
    engine.askAboutPeer(sent: certificates(of: sent), verified: verified, isResumption: false)
    return ssl_verify_retry
}

/// Returns the certificates of BoringSSL's list, which keeps the references.
func certificates(of stack: OpaquePointer?) -> [OpaquePointer] {
    (0..<(stack.map { sk_X509_num($0) } ?? 0)).compactMap { sk_X509_value(stack, $0) }
}

extension TLSEngine {
    /// The ends of the validity of the certificates that the peer has sent, in seconds since 1970.
    package var endsOfPeerCertificates: [Int64] {
        certificates(of: SSL_get_peer_full_cert_chain(self.ssl)).compactMap { posixTime(X509_get0_notAfter($0)) }
    }

    /// Returns the reason for which another context would refuse the peer's certificates now; nil if it would accept them, or if the peer has
    /// sent none. The handshake may be complete. The expected name and OCSP responses are not looked at.
    package func refusalOfPeer(under other: TLSContext) -> CertificateRefusal? {
        guard other.settings.verification != .none, let sent = SSL_get_peer_full_cert_chain(self.ssl), sk_X509_num(sent) > 0,
            case .failure(let failure) = self.verify(sent, under: other)
        else { return nil }
        return failure.refusal
    }

    /// Verifies a peer's certificates, its own first. Returns the chain to the trusted root.
    ///
    /// - Parameter other: The context by whose settings a client is verified; nil for those of this handshake.
    func verify(_ sent: OpaquePointer?, under other: TLSContext? = nil) -> PeerVerification.Verdict {
        let rules = other ?? self.context
        defer { ErrorQueue.clear() }
        // Made only when it is needed, because it decodes the certificate.
        func outOfMemory() -> PeerVerification.Verdict {
            let leaf = sent.flatMap { sk_X509_value($0, 0) }
            return .failure(.init(refusal: CertificateRefusal(CertificateRefusal.outOfMemory, depth: 0, of: leaf)))
        }
        guard let sent, let leaf = sk_X509_value(sent, 0), let context = X509_STORE_CTX_new() else { return outOfMemory() }
        defer { X509_STORE_CTX_free(context) }
        guard
            X509_STORE_CTX_init(context, SSL_CTX_get_cert_store(rules.pointer), leaf, sent) == 1,
            X509_STORE_CTX_set_ex_data(
                context, SSL_get_ex_data_X509_STORE_CTX_idx(), UnsafeMutableRawPointer(self.ssl)) == 1,
            X509_STORE_CTX_set_default(context, rules.settings.role == .server ? "ssl_client" : "ssl_server") == 1,
            // The expected name. BoringSSL has no parameters any more once the handshake is complete.
            other != nil || X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(context), SSL_get0_param(self.ssl)) == 1
        else { return outOfMemory() }
        return PeerVerification(
            store: context, ssl: UnsafeMutableRawPointer(self.ssl), engine: self, settings: rules.settings
        ).run()
    }
}

struct PeerVerification {
    struct Failure: Error {
        let refusal: CertificateRefusal
    }

    typealias Verdict = Result<[OpaquePointer], Failure>

    /// BoringSSL's verification context, set up with all certificates sent and trusted.
    private let store: OpaquePointer
    private let ssl: UnsafeMutableRawPointer
    private let engine: TLSEngine
    private let settings: TLSSettings

    init(store: OpaquePointer, ssl: UnsafeMutableRawPointer, engine: TLSEngine, settings: TLSSettings) {
        self.settings = settings
        self.store = store
        self.ssl = ssl
        self.engine = engine
    }

    private var trusted: [OpaquePointer] { self.settings.trust?.certificates.pointers ?? [] }

    /// The number of chains that are verified in full for one connection.
    private static let mostChains = 8
    private let budget = VerificationBudget()

    func run() -> Verdict {
        guard let leaf = X509_STORE_CTX_get0_cert(self.store) else {
            return .failure(Failure(refusal: self.refusal(of: self.store)))
        }
        if self.settings.acceptsPartialChains || self.isTrustedSelfSigned(leaf) {
            // BoringSSL does not treat a certificate as self-signed if its key usage does not permit signing certificates.
            X509_STORE_CTX_set_flags(self.store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        }
        if self.purposes.count > 1 {
            // BoringSSL checks one purpose only, so `ChainRules` checks them.
            X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(self.store), X509_PURPOSE_ANY)
        }
        let first = self.verdict(self.store)
        guard case .failure(let failure) = first, !failure.refusal.holdsForEveryChain else { return first }
        return self.explore(from: leaf, after: failure.refusal)
    }

    /// Returns the verdict of BoringSSL and of the rules on one chain.
    private func verdict(_ context: OpaquePointer) -> Verdict {
        self.engine.metUnknownConstraint = false
        X509_STORE_CTX_set_verify_cb(context, tolerateUnknownConstraints)
        guard X509_verify_cert(context) == 1 else { return .failure(Failure(refusal: self.refusal(of: context))) }
        let chain = X509_STORE_CTX_get0_chain(context)
        let certificates = (0..<(chain.map { sk_X509_num($0) } ?? 0)).compactMap { sk_X509_value(chain, $0) }
        return self.rules.refusal(of: certificates).map { .failure(Failure(refusal: $0)) } ?? .success(certificates)
    }

    private var rules: ChainRules {
        ChainRules(
            purposes: self.purposes, allowing: self.settings.legacyCertificates,
            depth: self.settings.depth, needsDigitalSignature: !self.transportsKeys,
            checksNameConstraints: self.engine.metUnknownConstraint, budget: self.budget, revocation: self.settings.revocation,
            now: self.settings.now())
    }

    /// The purposes of which a chain needs one.
    private var purposes: [ChainRules.Purpose] {
        switch self.settings.role {
        case .client: [.server]
        case .server: self.settings.acceptsServerCertificatesOfClients ? [.client, .server] : [.client]
        }
    }

    /// Whether the chosen suite encrypts a secret to the certificate's key instead of requiring its signature.
    private var transportsKeys: Bool {
        SSL_get_pending_cipher(OpaquePointer(self.ssl)).map { SSL_CIPHER_get_kx_nid($0) == NID_kx_rsa } ?? false
    }

    /// Describes BoringSSL's refusal of a chain.
    private func refusal(of context: OpaquePointer) -> CertificateRefusal {
        let depth = Int(X509_STORE_CTX_get_error_depth(context))
        var code = X509_STORE_CTX_get_error(context)
        let leaf = X509_STORE_CTX_get0_cert(context)
        if depth == 0, code == CertificateRefusal.issuerMissingLocally, leaf.map(isSignedByItself) ?? false {
            code = CertificateRefusal.selfSigned
        }
        let isAboutNames = code == CertificateRefusal.nameMismatch || code == CertificateRefusal.addressMismatch
        var refusal = CertificateRefusal(
            code, depth: depth, of: isAboutNames ? leaf : X509_STORE_CTX_get_current_cert(context))
        if code == CertificateRefusal.wrongPurpose, self.settings.role == .server,
            let certificate = X509_STORE_CTX_get_current_cert(context),
            X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, depth > 0 ? 1 : 0) == 1
        {
            refusal.detail = .forServersOnly
        }
        if isAboutNames { refusal.expectedName = self.engine.expectedPeer?.description }
        return refusal
    }

    private func isTrustedSelfSigned(_ leaf: OpaquePointer) -> Bool {
        self.trusted.contains { X509_cmp($0, leaf) == 0 } && isSignedByItself(leaf)
    }

    // MARK: Alternative chains

    private func explore(from leaf: OpaquePointer, after first: CertificateRefusal) -> Verdict {
        let untrusted = X509_STORE_CTX_get0_untrusted(self.store)
        let sent = (0..<(untrusted.map { sk_X509_num($0) } ?? 0)).compactMap { sk_X509_value(untrusted, $0) }
        var builder = AlternativePaths(
            sent: sent, trusted: self.trusted, acceptsPartialPaths: self.settings.acceptsPartialChains,
            budget: self.budget)
        var good: [OpaquePointer]?
        var judged: [CertificateRefusal] = []
        _ = builder.firstPath(from: leaf) { path in
            switch self.verdict(along: path) {
            case .success(let chain): good = chain
            case .failure(let failure): judged.append(failure.refusal)
            }
            return good != nil || judged.count == Self.mostChains
        }
        if let good { return .success(good) }
        // The fault of a complete chain is more informative than that of an incomplete one.
        guard first.isAboutMissingIssuer else { return .failure(Failure(refusal: first)) }
        let tooMuchWork = self.budget.isExhausted ? self.tooMuchWork(leaf) : nil
        let refusal = judged.first ?? tooMuchWork ?? builder.deadEnd.map { self.refusal(at: $0, builder) } ?? first
        return .failure(Failure(refusal: refusal))
    }

    /// Verifies exactly this path with BoringSSL.
    private func verdict(along path: [OpaquePointer]) -> Verdict {
        // BoringSSL does not find an issuer that is not an authority and would report a missing issuer.
        if let refusal = self.rules.authorities(path), refusal.detail == .notAuthority {
            return .failure(Failure(refusal: refusal))
        }
        for issuer in path.dropFirst() {
            guard let key = X509_get0_pubkey(issuer), self.budget.spendSignature(with: key) else {
                return .failure(Failure(refusal: self.tooMuchWork(path.first)))
            }
        }
        let failure = Failure(refusal: CertificateRefusal(CertificateRefusal.outOfMemory, depth: 0, of: path.first))
        guard let context = X509_STORE_CTX_new(), let untrusted = sk_X509_new_null(), let anchors = sk_X509_new_null() else {
            return .failure(failure)
        }
        defer {
            X509_STORE_CTX_free(context)
            // A shallow free: the certificates are owned elsewhere.
            sk_X509_free(untrusted)
            sk_X509_free(anchors)
        }
        for certificate in path.dropLast() where sk_X509_push(untrusted, certificate) == 0 { return .failure(failure) }
        guard let anchor = path.last, sk_X509_push(anchors, anchor) > 0,
            X509_STORE_CTX_init(context, X509_STORE_CTX_get0_store(self.store), path.first, untrusted) == 1,
            X509_STORE_CTX_set_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx(), self.ssl) == 1,
            X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(context), X509_STORE_CTX_get0_param(self.store)) == 1
        else { return .failure(failure) }
        X509_STORE_CTX_set0_trusted_stack(context, anchors)
        return self.verdict(context)
    }

    private func tooMuchWork(_ leaf: OpaquePointer?) -> CertificateRefusal {
        CertificateRefusal(CertificateRefusal.ofThisEngine, .tooMuchWork, depth: 0, of: leaf)
    }

    private func refusal(
        at deadEnd: (depth: Int, certificate: OpaquePointer, why: AlternativePaths.DeadEnd), _ builder: AlternativePaths
    ) -> CertificateRefusal {
        func refusal(_ code: Int32, _ detail: CertificateRefusal.Detail? = nil) -> CertificateRefusal {
            CertificateRefusal(code, detail, depth: deadEnd.depth, of: deadEnd.certificate)
        }
        switch deadEnd.why {
        case .noIssuer: return refusal(CertificateRefusal.issuerMissingLocally)
        case .selfSigned:
            let code = deadEnd.depth == 0 ? CertificateRefusal.selfSigned : CertificateRefusal.selfSignedInChain
            let name = X509_get_subject_name(deadEnd.certificate)
            let hasNamesake = self.trusted.contains { X509_NAME_cmp(X509_get_subject_name($0), name) == 0 }
            return refusal(code, hasNamesake ? .issuerHasOtherKey(isTrusted: true) : nil)
        case .otherKey(let isTrusted):
            return refusal(CertificateRefusal.issuerMissingLocally, .issuerHasOtherKey(isTrusted: isTrusted))
        case .badSignature: return refusal(CertificateRefusal.badSignature)
        case .unreadableIssuer: return refusal(CertificateRefusal.invalidExtension, .issuerUnreadable)
        case .unsupportedSignature:
            let algorithm = unsupportedSignatureAlgorithm(of: deadEnd.certificate)
            return refusal(CertificateRefusal.ofThisEngine, algorithm.map { .unsupportedSignature($0) })
        }
    }
}

extension CertificateRefusal {
    /// Whether any other chain from the same certificate would be refused for the same reason.
    fileprivate var holdsForEveryChain: Bool {
        guard self.depth == 0 else { return false }
        switch self.code {
        case Self.nameMismatch, Self.addressMismatch, Self.expired, Self.notYetValid, Self.badNotBefore, Self.badNotAfter,
            Self.wrongPurpose, Self.revoked, Self.unknownCriticalExtension:
            return true
        case Self.ofThisEngine, Self.invalidExtension: return self.detail != nil
        default: return false
        }
    }

    fileprivate var isAboutMissingIssuer: Bool {
        switch self.code {
        case Self.selfSigned, Self.selfSignedInChain, Self.issuerMissing, Self.issuerMissingLocally, Self.leafUnverifiable,
            Self.badSignature, Self.invalidExtension:
            return true
        default: return false
        }
    }
}

/// Ignores constraints of a kind that BoringSSL cannot check. `ChainRules` checks them afterwards.
private func tolerateUnknownConstraints(isGood: Int32, context: OpaquePointer?) -> Int32 {
    guard isGood == 0, let context, X509_STORE_CTX_get_error(context) == CertificateRefusal.unsupportedConstraint,
        let ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()),
        let engine = TLSEngine.of(OpaquePointer(ssl))
    else { return isGood }
    engine.metUnknownConstraint = true
    return 1
}

/// Limits a session to the validity of the verified chain, because resumption verifies nothing.
private func limitSession(of ssl: OpaquePointer, to chain: [OpaquePointer], now: UInt64) {
    guard let session = SSL_get_session(ssl) else { return }
    var seconds = UInt64(SSL_SESSION_get_timeout(session))
    for certificate in chain {
        var end: Int64 = 0
        guard ASN1_TIME_to_posix(X509_get0_notAfter(certificate), &end) == 1 else { continue }
        seconds = min(seconds, UInt64(max(end - Int64(clamping: now), 0)))
    }
    // This is also the longest time for which sessions derived from this one by resumption can be resumed.
    SSL_SESSION_set_timeout(session, UInt32(clamping: seconds))
}

/// Whether a certificate is signed with its own key.
///
/// BoringSSL treats it as self-signed only if its key usage, where present, permits signing certificates. That of a server's own
/// certificate does not.
private func isSignedByItself(_ certificate: OpaquePointer) -> Bool {
    guard X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0 else { return false }
    defer { ErrorQueue.clear() }
    return X509_verify(certificate, X509_get0_pubkey(certificate)) == 1
}

/// The peer that a client expects: the name or address that its user specified.
package enum PeerName: Sendable, Hashable, CustomStringConvertible {
    case dns(String)
    case address(IPAddressBytes)

    /// Parses a host as users write it: a name or an address literal.
    package init(_ host: String) {
        if let address = IPAddressBytes(literal: host) {
            self = .address(address)
        } else {
            // A name may be written with the root's trailing dot, which certificates and the server name extension omit.
            self = .dns(host.hasSuffix(".") ? String(host.dropLast()) : host)
        }
    }

    package var description: String {
        switch self {
        case .dns(let name): name
        case .address(let address): address.description
        }
    }
}
