internal import CNIOBoringSSL

/// Verifies the peer's chain in place of the library's default, in order to keep what the library forgets: which certificate
/// was at fault and where it stood. Called by the library in mid-handshake, at most once a connection.
///
/// The library checks chain, purpose, name, dates and constraints, in this order. What it never reports is a chain that is too
/// long, so its own limit stays wide and the length is compared here, in a chain that is good otherwise (specification §6.2).
func verifyPeerCertificate(store: OpaquePointer?, argument: UnsafeMutableRawPointer?) -> Int32 {
    guard
        let store,
        let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
        // The engine owns the connection that is calling, so it is alive.
        let engine = TLSEngine.of(OpaquePointer(ssl))
    else { return 0 }
    let settings = engine.context.settings
    guard settings.verification != .none else { return 1 }

    let own = X509_STORE_CTX_get0_cert(store)
    let isSelfSigned = own.map(vouchesForItself) ?? false
    if isSelfSigned, settings.trust?.certificates.pointers.contains(where: { X509_cmp($0, own) == 0 }) ?? false {
        // Trusted itself, and so the whole of its chain; nothing but such a certificate is ever taken for an end like this.
        X509_STORE_CTX_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }
    if X509_verify_cert(store) != 1 {
        let position = Int(X509_STORE_CTX_get_error_depth(store))
        var code = X509_STORE_CTX_get_error(store)
        if isSelfSigned, position == 0, code == CertificateRefusal.issuerMissingLocally {
            code = CertificateRefusal.selfSigned
            X509_STORE_CTX_set_error(store, code)
        }
        let certificate = X509_STORE_CTX_get_current_cert(store).map { Certificate(borrowing: $0) }
        let isAboutNames = code == CertificateRefusal.nameMismatch || code == CertificateRefusal.addressMismatch
        engine.refusal = CertificateRefusal(
            code: code,
            position: position,
            certificate: isAboutNames
                ? X509_STORE_CTX_get0_cert(store).map { Certificate(borrowing: $0) } : certificate,
            expectedName: isAboutNames ? engine.expectedPeer?.description : nil,
            depthLimit: nil
        )
        return 0
    }
    let chain = X509_STORE_CTX_get0_chain(store)
    let end = chain.map { sk_X509_num($0) - 1 } ?? 0
    guard end <= settings.depth else {
        X509_STORE_CTX_set_error(store, CertificateRefusal.chainTooLong)
        engine.refusal = CertificateRefusal(
            code: CertificateRefusal.chainTooLong,
            position: end,
            certificate: sk_X509_value(chain, end).map { Certificate(borrowing: $0) },
            expectedName: nil,
            depthLimit: settings.depth
        )
        return 0
    }
    if let chain, let refusal = refusalOfAuthority(in: chain, purpose: settings.role == .client ? .server : .client) {
        X509_STORE_CTX_set_error(store, refusal.code)
        engine.refusal = refusal
        return 0
    }
    engine.verifiedChainLength = end + 1
    if let chain { limitSession(of: ssl, to: chain, now: settings.now()) }
    return 1
}

private enum Purpose {
    case server, client

    var number: Int32 { self == .server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT }
}

/// The library checks the peer's certificates this way and believes those of the trust store whatever they say of themselves. But to
/// trust a certificate is not to let it issue others: the certificate of one server, trusted itself, would vouch for every other.
/// So each issuer in the chain has to be an authority (RFC 5280 §4.2.1.9), for this purpose, with as many authorities below it as
/// it allows. The end's purpose is its own affair.
private func refusalOfAuthority(in chain: OpaquePointer, purpose: Purpose) -> CertificateRefusal? {
    let end = sk_X509_num(chain) - 1
    var authoritiesBelow = 0
    for position in stride(from: 1, through: end, by: 1) {
        guard let issuer = sk_X509_value(chain, position) else { continue }
        let allowedBelow = X509_get_pathlen(issuer)
        let code: Int32? =
            if X509_check_ca(issuer) != 1 {
                CertificateRefusal.invalidCA
            } else if position < end, X509_check_purpose(issuer, purpose.number, 1) != 1 {
                CertificateRefusal.wrongPurpose
            } else if allowedBelow >= 0, authoritiesBelow > Int(allowedBelow) {
                CertificateRefusal.pathLengthExceeded
            } else {
                nil
            }
        if let code {
            return CertificateRefusal(
                code: code, position: position, certificate: Certificate(borrowing: issuer), expectedName: nil, depthLimit: nil)
        }
        if X509_get_extension_flags(issuer) & UInt32(EXFLAG_SI) == 0 { authoritiesBelow += 1 }
    }
    return nil
}

/// A session may be resumed as long as the chain that was verified for it is valid, and no longer: resuming verifies nothing.
private func limitSession(of ssl: UnsafeMutableRawPointer, to chain: OpaquePointer, now: UInt64) {
    guard let session = SSL_get_session(OpaquePointer(ssl)) else { return }
    var seconds = UInt64(SSL_SESSION_get_timeout(session))
    for position in 0..<sk_X509_num(chain) {
        var end: Int64 = 0
        guard let certificate = sk_X509_value(chain, position), ASN1_TIME_to_posix(X509_get0_notAfter(certificate), &end) == 1
        else { continue }
        seconds = min(seconds, UInt64(max(end - Int64(clamping: now), 0)))
    }
    // It is also the longest time for which sessions that come of this one by resumption can be resumed.
    SSL_SESSION_set_timeout(session, UInt32(clamping: seconds))
}

/// Whether a certificate is signed with its own key.
///
/// The library takes it for self-signed only if its key usage, where it has one, says that it may sign certificates, which that
/// of a server's own does not say.
private func vouchesForItself(_ certificate: OpaquePointer) -> Bool {
    guard X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0 else { return false }
    defer { ErrorQueue.clear() }
    return X509_verify(certificate, X509_get0_pubkey(certificate)) == 1
}

/// Whom a client expects to meet: the name or the address that its user asked for.
package enum PeerName: Sendable, Hashable, CustomStringConvertible {
    case dns(String)
    case address(IPAddressBytes)

    /// Reads a host as users write it: a name, or an address literal.
    package init(_ host: String) {
        if let address = IPAddressBytes(literal: host) {
            self = .address(address)
        } else {
            // A name may be written with the root's dot; certificates and the server name extension do without it.
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
