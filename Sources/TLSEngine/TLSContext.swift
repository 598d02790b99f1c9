internal import CNIOBoringSSL

/// The settings of one side, checked and loaded. Immutable and shared by all connections of that side.
///
/// Sendable without a check because the `SSL_CTX` is not changed after `init`. BoringSSL protects the state that it keeps in it (ticket
/// keys, the session cache) with its own locks.
package final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer
    package let settings: TLSSettings
    /// The TLS 1.2 suites by their standard names, in order of preference.
    package var cipherSuites: [String] {
        guard let ciphers = SSL_CTX_get_ciphers(self.pointer) else { return [] }
        return (0..<sk_SSL_CIPHER_num(ciphers)).compactMap { index in
            sk_SSL_CIPHER_value(ciphers, index).flatMap { SSL_CIPHER_standard_name($0) }.map { String(cString: $0) }
        }
    }

    /// A digest of what sessions of this context are bound to, and offered or declined by. A client's sessions are bound to all settings
    /// that decide whether a peer is accepted. A server's are not bound to those of `binding`.
    let digest: [UInt8]
    /// A digest of the settings by which a server verifies its clients: trust and what a chain may look like. A ticket that was issued under
    /// another binding is accepted if the client's certificates are accepted by the present settings as well.
    let binding: UInt64
    /// The contexts of further names; nil if the server has one identity.
    package let serverNames: ServerNames?
    /// The keys for tickets of engines that have no others.
    let ticketKeys = TicketKeyRing()
    /// The protocol names in the encoding of the extension, each preceded by its length.
    let encodedApplicationProtocols: [UInt8]

    package init(_ settings: TLSSettings, serverNames: ServerNames? = nil) throws(TLSSettingsError) {
        ErrorQueue.clear()
        guard let pointer = SSL_CTX_new(TLS_method()) else {
            throw .library(ErrorQueue.drain().first)
        }
        self.pointer = pointer
        self.settings = settings
        var encoded: [UInt8] = []
        for name in settings.applicationProtocols {
            guard (1...255).contains(name.utf8.count), !name.utf8.contains(0) else {
                SSL_CTX_free(pointer)
                throw .applicationProtocol(name)
            }
            encoded.append(UInt8(name.utf8.count))
            encoded.append(contentsOf: name.utf8)
        }
        self.encodedApplicationProtocols = encoded
        self.serverNames = serverNames
        let verification = Self.digest(ofVerificationBy: settings)
        self.digest = Self.digest(of: settings, boundTo: settings.role == .client ? verification : [])
        self.binding = verification.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }

        // If a later step throws, `deinit` frees the context.
        try self.setProtocol()
        try self.setIdentity()
        try self.setTrust()
        try self.setSessions()
    }

    deinit { SSL_CTX_free(self.pointer) }

    private func check(_ result: Int32) throws(TLSSettingsError) {
        guard result == 1 else { throw .library(ErrorQueue.drain().first) }
    }

    private func setProtocol() throws(TLSSettingsError) {
        try self.check(SSL_CTX_set_min_proto_version(self.pointer, self.settings.versions.lowerBound.rawValue))
        try self.check(SSL_CTX_set_max_proto_version(self.pointer, self.settings.versions.upperBound.rawValue))
        let groups = self.settings.groups.map(\.rawValue)
        guard !groups.isEmpty, SSL_CTX_set1_group_ids(self.pointer, groups, groups.count) == 1 else {
            throw .groups(ErrorQueue.drain().first)
        }
        switch self.settings.cipherSuites {
        case .forwardSecretAEAD, .library: break
        case .strict(let list), .lenient(let list):
            // BoringSSL stops at a NUL character.
            guard !list.utf8.contains(0) else { throw .ciphers(list, nil) }
        }
        switch self.settings.cipherSuites {
        case .forwardSecretAEAD:
            // Expressed as exclusions to keep the library's order, which depends on the processor's support for AES.
            try self.check(SSL_CTX_set_strict_cipher_list(self.pointer, "ALL:!kRSA:!aPSK:!SHA1:!ECDHE-RSA-AES128-SHA256"))
        case .library: break
        case .strict(let list):
            guard SSL_CTX_set_strict_cipher_list(self.pointer, list) == 1 else {
                throw .ciphers(list, ErrorQueue.drain().first)
            }
            self.preferOwnOrder()
        case .lenient(let list):
            guard !list.isEmpty, SSL_CTX_set_cipher_list(self.pointer, list) == 1 else {
                throw .ciphers(list, ErrorQueue.drain().first)
            }
            self.preferOwnOrder()
        }
        if !self.encodedApplicationProtocols.isEmpty {
            switch self.settings.role {
            case .client:
                // Unlike the others, this function returns 0 for success.
                let encoded = self.encodedApplicationProtocols
                guard SSL_CTX_set_alpn_protos(self.pointer, encoded, encoded.count) == 0 else {
                    throw .library(ErrorQueue.drain().first)
                }
            case .server:
                // The context outlives its connections, so the unowned reference is valid.
                SSL_CTX_set_alpn_select_cb(
                    self.pointer, selectApplicationProtocol, Unmanaged.passUnretained(self).toOpaque())
            }
        }
    }

    /// A configured list is in order of preference, for a server as well.
    private func preferOwnOrder() {
        SSL_CTX_set_options(self.pointer, UInt32(SSL_OP_CIPHER_SERVER_PREFERENCE))
    }

    private func setIdentity() throws(TLSSettingsError) {
        // BoringSSL would search the trust store for issuers in every handshake; `issuersFromTrust` does so once.
        SSL_CTX_set_mode(self.pointer, UInt32(SSL_MODE_NO_AUTO_CHAIN))
        if self.settings.staplesResponses { SSL_CTX_set_tlsext_status_cb(self.pointer, answerStatusRequest) }
        if self.settings.role == .client {
            SSL_CTX_set_cert_cb(self.pointer, noteCertificateRequest, nil)
            SSL_CTX_set_msg_callback(self.pointer, noteServerMessage)
        }
        if self.choosesIdentity || self.settings.requiresApplicationProtocol {
            SSL_CTX_set_tlsext_servername_callback(self.pointer, answerClientHello)
        }
        if !self.settings.furtherIdentities.isEmpty { return try self.setIdentities() }
        guard let identity = self.settings.identity else { return }
        if let chain = identity.chain, let leaf = chain.pointers.first {
            guard SSL_CTX_use_certificate(self.pointer, leaf) == 1 else {
                throw .credential(
                    CredentialError(item: .certificateChain, path: nil, problem: .refused(ErrorQueue.drain().first)))
            }
            for issuer in chain.pointers.dropFirst() + self.issuersFromTrust(of: chain.pointers) {
                try self.check(SSL_CTX_add1_chain_cert(self.pointer, issuer))
            }
        }
        // A key without a certificate is not used.
        guard identity.chain != nil, let key = identity.key else { return }
        guard SSL_CTX_use_PrivateKey(self.pointer, key.pointer) == 1 else {
            throw .credential(
                CredentialError(item: .privateKey, path: nil, problem: .refused(ErrorQueue.drain().first)))
        }
        if self.settings.role == .server, let response = identity.stapledResponse?.bytes {
            try self.check(SSL_CTX_set_ocsp_response(self.pointer, response, response.count))
        }
    }

    /// Sets several identities, of which BoringSSL uses the first one that the client can verify.
    private func setIdentities() throws(TLSSettingsError) {
        for identity in self.settings.identities {
            guard let chain = identity.chain, let key = identity.key else { continue }
            guard let credential = SSL_CREDENTIAL_new_x509() else { throw .library(ErrorQueue.drain().first) }
            defer { SSL_CREDENTIAL_free(credential) }
            let buffers = (chain.pointers + self.issuersFromTrust(of: chain.pointers)).map { certificate in
                let bytes = withOutputBytes { i2d_X509(certificate, $0) }
                return CRYPTO_BUFFER_new(bytes, bytes.count, nil)
            }
            defer { for buffer in buffers { CRYPTO_BUFFER_free(buffer) } }
            try self.check(SSL_CREDENTIAL_set1_cert_chain(credential, buffers, buffers.count))
            try self.check(SSL_CREDENTIAL_set1_private_key(credential, key.pointer))
            if let response = identity.stapledResponse?.bytes {
                let buffer = CRYPTO_BUFFER_new(response, response.count, nil)
                defer { CRYPTO_BUFFER_free(buffer) }
                try self.check(SSL_CREDENTIAL_set1_ocsp_response(credential, buffer))
            }
            try self.check(SSL_CTX_add1_credential(self.pointer, credential))
        }
    }

    /// All identities, those of this context first, each once.
    package var identities: [Identity] {
        var seen: Set<ObjectIdentifier> = []
        return ([self] + (self.serverNames?.contexts ?? [])).flatMap(\.settings.identities).filter {
            seen.insert(ObjectIdentifier($0)).inserted
        }
    }

    /// The own certificates of all identities, those of the default identity first, each once.
    package var certificates: [DecodedCertificate] {
        var distinct: Set<DecodedCertificate> = []
        return self.identities.compactMap { $0.chain?.pointers.first.map { DecodedCertificate(borrowing: $0) } }.filter {
            distinct.insert($0).inserted
        }
    }

    /// The time by which the first of the identities' OCSP responses has to be replaced; nil if there are none.
    package var earliestUpdateOfStapledResponses: Int64? {
        self.identities.compactMap(\.stapledResponse?.nextUpdate).min()
    }

    /// Whether both contexts have the same rules for peers' certificates.
    package func verifiesAlike(_ other: TLSContext) -> Bool { self.binding == other.binding }

    /// Whether the identity depends on the ClientHello.
    var choosesIdentity: Bool { self.serverNames != nil || self.settings.identitySelector != nil }

    /// Completes a chain whose issuers are missing with intermediates from the trusted certificates.
    ///
    /// The self-signed end is omitted: the peer either has it or does not trust it.
    private func issuersFromTrust(of chain: [OpaquePointer]) -> [OpaquePointer] {
        guard let trusted = self.settings.trust?.certificates.pointers, var last = chain.last else { return [] }
        var issuers: [OpaquePointer] = []
        while !isSelfIssued(last), issuers.count < trusted.count {
            guard
                let issuer = trusted.first(where: { X509_check_issued($0, last) == X509_V_OK }),
                !isSelfIssued(issuer)
            else { break }
            issuers.append(issuer)
            last = issuer
        }
        return issuers
    }

    /// The signature algorithms that peers may use, in order of preference: the library's defaults and Ed25519.
    static let signatureAlgorithms: [UInt16] = [
        UInt16(SSL_SIGN_ECDSA_SECP256R1_SHA256), UInt16(SSL_SIGN_RSA_PSS_RSAE_SHA256),
        UInt16(SSL_SIGN_RSA_PKCS1_SHA256), UInt16(SSL_SIGN_ED25519), UInt16(SSL_SIGN_ECDSA_SECP384R1_SHA384),
        UInt16(SSL_SIGN_RSA_PSS_RSAE_SHA384), UInt16(SSL_SIGN_RSA_PKCS1_SHA384),
        UInt16(SSL_SIGN_ECDSA_SECP521R1_SHA512), UInt16(SSL_SIGN_RSA_PSS_RSAE_SHA512),
        UInt16(SSL_SIGN_RSA_PKCS1_SHA512),
    ]

    private func setTrust() throws(TLSSettingsError) {
        try self.check(
            SSL_CTX_set_verify_algorithm_prefs(self.pointer, Self.signatureAlgorithms, Self.signatureAlgorithms.count))
        if let trust = self.settings.trust {
            X509_STORE_up_ref(trust.pointer)
            SSL_CTX_set_cert_store(self.pointer, trust.pointer)
            self.settings.revocation?.lists.verifySignatures(with: trust.certificates.pointers)
        }
        SSL_CTX_set_custom_verify(self.pointer, self.settings.verifyMode, verifyPeerCertificate)
        // Always, because a certificate that requires a response is known only when it is too late to ask. Nine bytes of the ClientHello.
        if self.settings.role == .client, self.settings.verification != .none { SSL_CTX_enable_ocsp_stapling(self.pointer) }
        if self.settings.role == .server, self.settings.verification != .none, self.namesAuthorities {
            for authority in self.settings.trust?.authoritiesToName ?? [] { SSL_CTX_add_client_CA(self.pointer, authority) }
        }
    }

    /// The most bytes that names of authorities may take in a certificate request. The limit of its length field is 65,535 (RFC 8446
    /// §4.2.4).
    private static let longestListOfAuthorities = 60_000

    /// Whether a server names its authorities to its clients. It does not if the list is too long, which is legal: a client then chooses
    /// its certificate without that help. Nor does it name the system's authorities, of which there are too many.
    package var namesAuthorities: Bool {
        let names = self.settings.trust?.authoritiesToName ?? []
        let length = names.reduce(0) { $0 + 2 + Int(max(i2d_X509_NAME(X509_get_subject_name($1), nil), 0)) }
        return (1...Self.longestListOfAuthorities).contains(length)
    }

    // MARK: Sessions

    private func setSessions() throws(TLSSettingsError) {
        // Without it, a session made under weaker rules could be resumed under stricter ones (RFC 8446 §4.6.1).
        try self.check(SSL_CTX_set_session_id_context(self.pointer, self.digest, self.digest.count))
        if self.settings.hasOwnClock { SSL_CTX_set_current_time_cb(self.pointer, manualClockCallback) }
        SSL_CTX_set_select_certificate_cb(self.pointer, selectCertificateCallback)
        switch self.settings.sessionLifetime {
        case .library: break
        case .seconds(let seconds):
            SSL_CTX_set_timeout(self.pointer, max(seconds, 1))
            SSL_CTX_set_session_psk_dhe_timeout(self.pointer, max(seconds, 1))
        case .none:
            SSL_CTX_set_options(self.pointer, UInt32(SSL_OP_NO_TICKET))
            SSL_CTX_set_session_cache_mode(self.pointer, SSL_SESS_CACHE_OFF)
            return
        }
        switch self.settings.role {
        case .server:
            SSL_CTX_set_session_cache_mode(self.pointer, SSL_SESS_CACHE_SERVER)
            if self.settings.peerDecision != nil || self.settings.revocation != nil {
                // Sessions without tickets would be resumed without asking the program again, and without a look at the revocation lists,
                // which may be outdated by then.
                SSL_CTX_set_session_cache_mode(self.pointer, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL)
            }
            SSL_CTX_sess_set_cache_size(self.pointer, Self.sessionsOfServer)
            SSL_CTX_set_ticket_aead_method(self.pointer, TicketSealing.method)
            try self.check(SSL_CTX_set_num_tickets(self.pointer, self.settings.ticketsGiven))
        case .client:
            SSL_CTX_set_session_cache_mode(self.pointer, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL)
            SSL_CTX_sess_set_new_cb(self.pointer, keepNewSession)
        }
    }

    /// Forgets the sessions that a server keeps for TLS 1.2 clients without ticket support.
    func forgetSessions() { SSL_CTX_flush_sessions(self.pointer, 0) }

    /// The number of sessions that a server keeps for TLS 1.2 clients without ticket support, each with its client's certificates.
    /// BoringSSL's default is 20,480.
    private static let sessionsOfServer: UInt = 1024
}

extension TLSSettings {
    /// BoringSSL's flags for these settings.
    var verifyMode: Int32 {
        switch self.verification {
        // BoringSSL ignores refusals if nothing is to be verified, also those of the program.
        case .none: self.role == .client && self.peerDecision != nil ? SSL_VERIFY_PEER : SSL_VERIFY_NONE
        case .ifGiven: SSL_VERIFY_PEER
        case .required: SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        }
    }
}

extension TLSSettings {
    /// The identity and the further ones.
    var identities: [Identity] { [self.identity].compactMap(\.self) + self.furtherIdentities }

    /// Whether a server has an OCSP response for one of its certificates.
    fileprivate var staplesResponses: Bool { self.role == .server && self.identities.contains { $0.stapledResponse != nil } }

    /// Whether no OCSP response of the identities is outdated.
    fileprivate var hasCurrentResponses: Bool {
        let now = self.currentTime
        return self.identities.allSatisfy { $0.stapledResponse.map { $0.nextUpdate >= now } ?? true }
    }
}

/// Answers a client's request for an OCSP response: no response is sent if one of the identities' responses is outdated, because clients
/// refuse those. BoringSSL asks before it has chosen among the identities.
private func answerStatusRequest(ssl: OpaquePointer?, argument: UnsafeMutableRawPointer?) -> Int32 {
    let isCurrent = ssl.flatMap { TLSEngine.of($0) }?.context.settings.hasCurrentResponses ?? false
    return isCurrent ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK
}

/// Answers a ClientHello whose identity has been chosen: with an alert if it is refused. BoringSSL calls this also if the client requests no
/// server name.
private func answerClientHello(
    ssl: OpaquePointer?, alert: UnsafeMutablePointer<Int32>?, argument: UnsafeMutableRawPointer?
) -> Int32 {
    guard let ssl, let engine = TLSEngine.of(ssl), let refusal = engine.refusalOfClientHello else { return SSL_TLSEXT_ERR_NOACK }
    alert?.pointee = Int32(refusal.code)
    return SSL_TLSEXT_ERR_ALERT_FATAL
}

private func isSelfIssued(_ certificate: OpaquePointer) -> Bool {
    X509_get_extension_flags(certificate) & UInt32(EXFLAG_SS) != 0
}

/// Selects the first of the server's protocols that the client offers. The handshake fails if they have none in common (RFC 7301 §3.2).
private func selectApplicationProtocol(
    ssl: OpaquePointer?,
    selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    selectedLength: UnsafeMutablePointer<UInt8>?,
    offered: UnsafePointer<UInt8>?,
    offeredLength: UInt32,
    context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context, let selected, let selectedLength, let offered else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    let supported = Unmanaged<TLSContext>.fromOpaque(context).takeUnretainedValue().encodedApplicationProtocols
    let offers = UnsafeBufferPointer(start: offered, count: Int(offeredLength))
    var name = supported[...]
    while let length = name.first {
        let wanted = name.dropFirst().prefix(Int(length))
        var position = 0
        while position < offers.count {
            let start = position + 1
            let end = min(start + Int(offers[position]), offers.count)
            if offers[start..<end].elementsEqual(wanted) {
                // The result must stay valid after the call, so it points into the client's own list.
                selected.pointee = offered + start
                selectedLength.pointee = length
                return SSL_TLSEXT_ERR_OK
            }
            position = end
        }
        name = name.dropFirst(1 + Int(length))
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}
