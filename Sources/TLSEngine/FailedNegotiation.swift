internal import CNIOBoringSSL

/// A negotiation that has failed: what both sides brought to it, as far as it is known.
package struct FailedNegotiation: Sendable, Hashable {
    /// What the sides do not have in common.
    package enum Subject: Sendable, Hashable {
        case versions, cipherSuites, groups, signatureAlgorithms, applicationProtocols
        /// A client of TLS 1.2 does not have the curve of the server's key among its groups (RFC 8422 §5.1.1).
        case curveOfKey
        /// The peer does not say.
        case unknown
    }

    package let subject: Subject
    /// At a server only what is of use with its key and the version chosen.
    package let own: TLSOffer
    /// nil at a client that was refused: its server says nothing of what it has. Otherwise at a client what the server has chosen.
    package let peer: TLSOffer?
    /// A server's own key, for example `RSA of 2048 bits`.
    package let ownKey: String?
    /// Whether there are suites in common, if only for other keys than the server's.
    package let hasSuitesForOtherKeys: Bool
}

extension FailedNegotiation {
    /// A server's, from its client's hello.
    init?(reason: LibraryReason, clientHello: [UInt8], version: TLSVersion?, context: TLSContext) {
        guard !clientHello.isEmpty, reason.library == Int32(ERR_LIB_SSL) else { return nil }
        let all = context.offer
        let key = context.settings.identity?.key
        let own = all.of(version).usable(with: key)
        let peer = TLSOffer(clientHello: clientHello)
        switch reason.code {
        case SSL_R_UNSUPPORTED_PROTOCOL: self.subject = .versions
        // With TLS 1.2 the library looks at the key's curve before the suites, and finds no suite without a group and a signature
        // (RFC 8422 §5.1).
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

    /// A client's, whose server has chosen a version that is not allowed; nil if it is allowed, or not known.
    init?(serverVersion: UInt16?, context: TLSContext) {
        let own = context.offer
        guard let serverVersion, !own.versions.contains(serverVersion) else { return nil }
        var peer = TLSOffer()
        peer.versions = [serverVersion]
        (self.subject, self.own, self.peer, self.ownKey, self.hasSuitesForOtherKeys) = (.versions, own, peer, nil, false)
    }

    /// A client's, from the alert that ended it before the server had chosen anything (RFC 8446 §6.2).
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
