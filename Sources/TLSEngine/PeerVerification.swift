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
        let opaque = SSL_get_ex_data(OpaquePointer(ssl), 0)
    else { return 0 }
    // The engine owns the connection that is calling, so it is alive.
    let engine = Unmanaged<TLSEngine>.fromOpaque(opaque).takeUnretainedValue()
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
    engine.verifiedChainLength = end + 1
    return 1
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
