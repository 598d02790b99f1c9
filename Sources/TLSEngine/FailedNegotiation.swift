internal import CNIOBoringSSL

/// A failed negotiation, with the offers of both sides as far as they are known.
package struct FailedNegotiation: Sendable, Hashable {
    /// The parameter on which the sides do not agree.
    package enum Subject: Sendable, Hashable {
        case versions, cipherSuites, groups, signatureAlgorithms, applicationProtocols
        /// The curve of the server's key is not among the groups of a TLS 1.2 client (RFC 8422 §5.1.1).
        case curveOfKey
        /// The algorithms for the signature of a client that the server requests a certificate of (RFC 8446 §4.3.2).
        case clientSignatureAlgorithms
        /// The peer does not report it.
        case unknown
    }

    package enum Cause: Sendable, Hashable {
        /// This side can use nothing of the peer's offer.
        case nothingInCommon
        /// The server has chosen a value that this client did not offer, or that it may not choose.
        case unacceptableChoice
        /// The peer has refused this side's offer or choice with an alert.
        case refusedByPeer
    }

    package let subject: Subject
    package let cause: Cause
    /// The offer of this side: of a server, and of a client that is asked for a certificate, only the part that can be used with its key and
    /// the chosen version.
    package let own: TLSOffer
    /// At a server, the client's offer. At a client, what the server has chosen, and the signature algorithms of its certificate request; nil
    /// if the server rejected the offer without stating its own.
    package let peer: TLSOffer?
    /// The choice of this server that its client refused; otherwise nil.
    package var chosen: TLSOffer?
    /// This side's own key, for example `RSA of 2048 bits`, or its keys.
    package var ownKey: String?
    /// The key of the server's certificate, if that is the cause.
    package var peerKey: String?
    /// Whether the sides have suites in common, if only for keys of another kind than the server's.
    package var hasSuitesForOtherKeys = false
    /// Whether the server has asked, with a HelloRetryRequest, for a key share of its group.
    package var asksForGroup = false
    /// Whether this server has requested a client certificate.
    package var hasRequestedCertificate = false

    private init(_ subject: Subject, _ cause: Cause, own: TLSOffer, peer: TLSOffer?) {
        (self.subject, self.cause, self.own, self.peer) = (subject, cause, own, peer)
    }
}

// MARK: At a server

extension FailedNegotiation {
    /// Describes a failure at a server, from the client's hello.
    init?(reason: LibraryReason, clientHello: [UInt8], version: TLSVersion?, context: TLSContext) {
        guard !clientHello.isEmpty, reason.library == Int32(ERR_LIB_SSL) else { return nil }
        let all = context.offer
        let keys = context.settings.identities.compactMap(\.key)
        let own = all.of(version).usable(withAnyOf: keys, over: version)
        let peer = TLSOffer(clientHello: clientHello)
        let subject: Subject
        switch reason.code {
        case SSL_R_UNSUPPORTED_PROTOCOL: subject = .versions
        // With TLS 1.2, BoringSSL checks the key's curve before the suites, and finds no suite without a common group and signature
        // algorithm (RFC 8422 §5.1).
        case SSL_R_NO_SHARED_CIPHER, SSL_R_WRONG_CURVE:
            if own.cipherSuites.allSatisfy({ !peer.cipherSuites.contains($0) }) {
                subject = .cipherSuites
            } else if reason.code == SSL_R_WRONG_CURVE {
                guard version == .v1_2 else { return nil }
                subject = .curveOfKey
            } else {
                subject = own.groups.allSatisfy { !peer.groups.contains($0) } ? .groups : .signatureAlgorithms
            }
        case SSL_R_NO_SHARED_GROUP: subject = .groups
        case SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS: subject = .signatureAlgorithms
        case SSL_R_NO_APPLICATION_PROTOCOL: subject = .applicationProtocols
        default: return nil
        }
        self.init(subject, .nothingInCommon, own: own, peer: peer)
        self.ownKey = keys.listed
        self.hasSuitesForOtherKeys = all.of(version).cipherSuites.contains { peer.cipherSuites.contains($0) }
    }

    /// Describes a client that refuses what this server has chosen, from its alert (RFC 8446 §6.2).
    init?(alert: AlertDescription, clientHello: [UInt8], chosen: TLSOffer, context: TLSContext) {
        // An illegal parameter can be any value that this server has chosen.
        let isUnknown = alert.code == UInt8(SSL_AD_ILLEGAL_PARAMETER)
        guard !clientHello.isEmpty, let subject = isUnknown ? .unknown : Subject(alert) else { return nil }
        let keys = context.settings.identities.compactMap(\.key)
        let version = chosen.versions.first.flatMap(TLSVersion.init)
        self.init(
            subject, .refusedByPeer, own: context.offer.of(version).usable(withAnyOf: keys, over: version),
            peer: TLSOffer(clientHello: clientHello))
        self.chosen = chosen
        self.ownKey = keys.listed
        self.hasRequestedCertificate = context.settings.verification != .none
    }
}

// MARK: At a client

extension FailedNegotiation {
    /// Describes a failure at a client, from the alert that ended the handshake before the server had chosen anything (RFC 8446 §6.2).
    init?(alert: AlertDescription, own: TLSOffer) {
        guard let subject = Subject(alert) else { return nil }
        self.init(subject, .refusedByPeer, own: own, peer: nil)
    }

    /// Describes a server that has chosen a value that this client does not accept; nil if the value is not known.
    ///
    /// - Parameter key: The key of the server's certificate; nil if it has sent none.
    init?(reason: LibraryReason, choice: ServerChoice, own: TLSOffer, key: DecodedCertificate.PublicKey?) {
        guard reason.library == Int32(ERR_LIB_SSL) else { return nil }
        let subject: Subject
        switch reason.code {
        case SSL_R_UNSUPPORTED_PROTOCOL:
            guard let version = choice.version, !own.versions.contains(version) else { return nil }
            subject = .versions
        case SSL_R_UNKNOWN_CIPHER_RETURNED, SSL_R_WRONG_CIPHER_RETURNED:
            guard choice.cipherSuite != nil else { return nil }
            subject = .cipherSuites
        case SSL_R_WRONG_CURVE:
            guard choice.group != nil else { return nil }
            subject = .groups
        case SSL_R_WRONG_SIGNATURE_TYPE:
            guard choice.signatureAlgorithm != nil else { return nil }
            subject = .signatureAlgorithms
        case SSL_R_INVALID_ALPN_PROTOCOL:
            guard choice.applicationProtocol != nil else { return nil }
            subject = .applicationProtocols
        case SSL_R_NO_APPLICATION_PROTOCOL: subject = .applicationProtocols
        case SSL_R_BAD_ECC_CERT:
            guard key != nil else { return nil }
            subject = .curveOfKey
        default: return nil
        }
        self.init(subject, .unacceptableChoice, own: own, peer: choice.offer)
        self.peerKey = key?.summary
        self.asksForGroup = choice.asksForGroup
    }

    /// Describes a client whose key fits none of the signature algorithms that the server accepts of it.
    ///
    /// - Parameter requested: The signature algorithms of the server's certificate request.
    init?(requested: [UInt16], choice: ServerChoice, own: TLSOffer, key: PrivateKey?) {
        guard let key else { return nil }
        var peer = choice.offer
        peer.signatureAlgorithms = requested
        let version = choice.version.flatMap(TLSVersion.init)
        var usable = own
        usable.signatureAlgorithms = own.usable(with: key, over: version).signatureAlgorithms
        self.init(.clientSignatureAlgorithms, .nothingInCommon, own: usable, peer: peer)
        self.ownKey = key.summary
    }
}

extension FailedNegotiation.Subject {
    /// The parameter that an alert is about; nil if it is about none.
    fileprivate init?(_ alert: AlertDescription) {
        switch alert.code {
        case UInt8(SSL_AD_HANDSHAKE_FAILURE): self = .unknown
        case UInt8(SSL_AD_PROTOCOL_VERSION): self = .versions
        case UInt8(SSL_AD_INSUFFICIENT_SECURITY): self = .cipherSuites
        case UInt8(SSL_AD_NO_APPLICATION_PROTOCOL): self = .applicationProtocols
        default: return nil
        }
    }
}

extension [PrivateKey] {
    /// The keys' kinds and sizes; nil if there is none.
    fileprivate var listed: String? { self.isEmpty ? nil : self.map(\.summary).joined(separator: " or ") }
}
