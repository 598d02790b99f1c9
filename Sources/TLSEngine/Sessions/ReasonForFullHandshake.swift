internal import CNIOBoringSSL

/// The reason for which a handshake was a full one, as far as this side can know it.
package enum ReasonForFullHandshake: Sendable, Hashable, CaseIterable {
    // At both sides
    case noSession, disabled, expired, differentName, differentPolicy, differentVersion, refusedByDecision, peerNotAccepted
    // At a server
    case invalidTicket, unknownKey, retiredKey, forgotten, unknownSession, issuedInFuture, differentParameters
    case alreadyUsed, storeTimedOut, storeUnavailable
    // At a client
    case notIssued, usedUp, declinedByServer
}

/// What a client's hello offers to resume.
enum OfferedSession {
    case none
    /// A ticket of TLS 1.2 (RFC 5077 §3.4).
    case ticket
    /// A pre-shared key of TLS 1.3, which is a ticket as well (RFC 8446 §4.2.11).
    case preSharedKey
    /// The identifier of a session that the server keeps (RFC 5246 §7.4.1.2).
    case identifier
}

extension TLSEngine {
    /// The reason for which the handshake did not resume a session; nil if it did. Valid only once the handshake is complete.
    var fullHandshakeReason: ReasonForFullHandshake? {
        guard SSL_session_reused(self.ssl) != 1 else { return nil }
        let settings = self.context.settings
        switch (settings.role, self.offeredSession) {
        case _ where !settings.sessionLifetime.allowsResumption: return .disabled
        case (.client, .none): return self.reasonNotToOffer ?? .noSession
        case (.client, _): return self.offeredVersion == SSL_version(self.ssl) ? .declinedByServer : .differentVersion
        case (.server, .none): return .noSession
        case _ where self.hasAdoptedContext: return .differentPolicy
        case (.server, .ticket) where self.isTLS13, (.server, .preSharedKey) where !self.isTLS13: return .differentVersion
        case (.server, .ticket), (.server, .preSharedKey): return self.reasonToDecline ?? .differentParameters
        case (.server, .identifier): return .unknownSession
        }
    }

    /// Whether the negotiated version is TLS 1.3.
    var isTLS13: Bool { Int32(SSL_version(self.ssl)) == TLS1_3_VERSION }

    /// Notes which binding of an opened ticket's session is not that of this handshake, if any. BoringSSL compares them itself; this finds out
    /// what it will object to.
    ///
    /// - Parameter session: The session in BoringSSL's encoding.
    func noteDifferences(of session: UnsafeBufferPointer<UInt8>) {
        guard let bindings = SessionBindings(of: session) else { return }
        if bindings.version != UInt16(truncatingIfNeeded: SSL_version(self.ssl)) {
            self.reasonToDecline = .differentVersion
        } else if bindings.end <= self.context.settings.now() {
            self.reasonToDecline = .expired
        } else if !bindings.isOf(self.context) {
            let isOfOtherName = self.liveContext?.current.hasIdentity(of: bindings) ?? false
            self.reasonToDecline = isOfOtherName ? .differentName : .differentPolicy
        }
    }
}

extension TLSContext {
    /// Whether a session is of this context, or of that of one of its names.
    fileprivate func hasIdentity(of session: SessionBindings) -> Bool {
        session.isOf(self) || self.serverNames?.digests.contains(session.digest) ?? false
    }
}

/// The properties of a session without which it cannot be resumed, read from the beginning of its encoding (`ssl_asn1.cc` in BoringSSL). It
/// decides nothing: without them, the reason for a full handshake is less exact.
private struct SessionBindings {
    let version: UInt16
    /// The end of its lifetime, which the validity of certificates may have shortened, in seconds since 1970.
    let end: UInt64
    private let context: UnsafeBufferPointer<UInt8>

    /// Whether the session was issued with the settings of a context.
    func isOf(_ context: TLSContext) -> Bool {
        context.digest.count == self.context.count
            && CRYPTO_memcmp(context.digest, self.context.baseAddress, self.context.count) == 0
    }

    /// The digest of the context that issued it.
    var digest: [UInt8] { Array(self.context) }

    /// nil if the encoding begins in another way.
    init?(of encoded: UnsafeBufferPointer<UInt8>) {
        var input = CBS()
        var session = CBS()
        var skipped = CBS()
        var version: UInt64 = 0
        var context = CBS()
        var present: Int32 = 0
        var (time, timeout): (UInt64, UInt64) = (0, 0)
        CBS_init(&input, encoded.baseAddress, encoded.count)
        // structure version, protocol version, cipher suite, identifier, secret, [1] time, [2] timeout, [3] certificate, [4] context
        guard CBS_get_asn1(&input, &session, Tag.sequence) == 1,
            CBS_get_asn1(&session, &skipped, Tag.integer) == 1,
            CBS_get_asn1_uint64(&session, &version) == 1,
            CBS_get_asn1(&session, &skipped, Tag.octetString) == 1,
            CBS_get_asn1(&session, &skipped, Tag.octetString) == 1,
            CBS_get_asn1(&session, &skipped, Tag.octetString) == 1,
            CBS_get_optional_asn1_uint64(&session, &time, Tag.explicit(1), 0) == 1,
            CBS_get_optional_asn1_uint64(&session, &timeout, Tag.explicit(2), 0) == 1,
            CBS_get_optional_asn1(&session, &skipped, &present, Tag.explicit(3)) == 1,
            CBS_get_optional_asn1_octet_string(&session, &context, &present, Tag.explicit(4)) == 1
        else {
            ErrorQueue.clear()
            return nil
        }
        self.version = UInt16(truncatingIfNeeded: version)
        self.end = time.addingReportingOverflow(timeout).overflow ? .max : time + timeout
        self.context = UnsafeBufferPointer(start: CBS_data(&context), count: CBS_len(&context))
    }

    /// BoringSSL's numbers for tags, whose macros are not visible in Swift.
    private enum Tag {
        static let integer: CBS_ASN1_TAG = 0x02
        static let octetString: CBS_ASN1_TAG = 0x04
        static let sequence: CBS_ASN1_TAG = 0x10 | constructed
        private static let constructed: CBS_ASN1_TAG = 0x20 << 24
        private static let contextSpecific: CBS_ASN1_TAG = 0x80 << 24

        static func explicit(_ number: CBS_ASN1_TAG) -> CBS_ASN1_TAG { contextSpecific | constructed | number }
    }
}
