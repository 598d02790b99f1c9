internal import CNIOBoringSSL

/// A failed negotiation, with the offers of both sides as far as they are known.
package struct FailedNegotiation: Sendable, Hashable {
    /// The parameter on which the sides have nothing in common.
    package enum Subject: Sendable, Hashable {
        case versions, cipherSuites, groups, signatureAlgorithms, applicationProtocols
        /// The curve of the server's key is not among the groups of a TLS 1.2 client (RFC 8422 §5.1.1).
        case curveOfKey
        /// The peer does not report it.
        case unknown
    }

    package let subject: Subject
    /// The offer of this side; at a server, only the part that can be used with its key and the chosen version.
    package let own: TLSOffer
    /// At a server, the client's offer; at a client, what the server has chosen, or nil if the server rejected the offer without stating
    /// its own.
    package let peer: TLSOffer?
    /// The server's own key, for example `RSA of 2048 bits`.
    package let ownKey: String?
    /// Whether the sides have suites in common, if only for keys of another kind than the server's.
    package let hasSuitesForOtherKeys: Bool
}

extension FailedNegotiation {
    /// Describes a failure at a server, from the client's hello.
    init?(reason: LibraryReason, clientHello: [UInt8], version: TLSVersion?, context: TLSContext) {
        guard !clientHello.isEmpty, reason.library == Int32(ERR_LIB_SSL) else { return nil }
        let all = context.offer
        let key = context.settings.identity?.key
        let own = all.of(version).usable(with: key)
        let peer = TLSOffer(clientHello: clientHello)
        switch reason.code {
        case SSL_R_UNSUPPORTED_PROTOCOL: self.subject = .versions
        // With TLS 1.2, BoringSSL checks the key's curve before the suites, and finds no suite without a common group and signature
        // algorithm (RFC 8422 §5.1).
        case SSL_R_NO_SHARED_CIPHER, SSL_R_WRONG_CURVE:
            if own.cipherSuites.allSatisfy({ !peer.cipherSuites.contains($0) }) {
                self.subject = .cipherSuites
            } else if reason.code == SSL_R_WRONG_CURVE {
                guard version == .v1_2 else { return nil }
                self.subject = .curveOfKey
            } else {
                self.subject = own.groups.allSatisfy { !peer.groups.contains($0) } ? .groups : .signatureAlgorithms
            }
        case SSL_R_NO_SHARED_GROUP: self.subject = .groups
        case SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS: self.subject = .signatureAlgorithms
        case SSL_R_NO_APPLICATION_PROTOCOL: self.subject = .applicationProtocols
        default: return nil
        }
        (self.own, self.peer, self.ownKey) = (own, peer, key?.summary)
        self.hasSuitesForOtherKeys = all.of(version).cipherSuites.contains { peer.cipherSuites.contains($0) }
    }

    /// Describes a failure at a client whose server has chosen a version that is not allowed; nil if it is allowed or not known.
    init?(serverVersion: UInt16?, context: TLSContext) {
        let own = context.offer
        guard let serverVersion, !own.versions.contains(serverVersion) else { return nil }
        var peer = TLSOffer()
        peer.versions = [serverVersion]
        (self.subject, self.own, self.peer, self.ownKey, self.hasSuitesForOtherKeys) = (.versions, own, peer, nil, false)
    }

    /// Describes a failure at a client, from the alert that ended the handshake before the server had chosen anything (RFC 8446 §6.2).
    init?(alert: AlertDescription, context: TLSContext) {
        switch alert.code {
        case UInt8(SSL_AD_HANDSHAKE_FAILURE): self.subject = .unknown
        case UInt8(SSL_AD_PROTOCOL_VERSION): self.subject = .versions
        case UInt8(SSL_AD_INSUFFICIENT_SECURITY): self.subject = .cipherSuites
        case UInt8(SSL_AD_NO_APPLICATION_PROTOCOL): self.subject = .applicationProtocols
        default: return nil
        }
        (self.own, self.peer, self.ownKey, self.hasSuitesForOtherKeys) = (context.offer, nil, nil, false)
    }
}
