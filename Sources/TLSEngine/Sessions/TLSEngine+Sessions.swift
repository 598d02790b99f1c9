internal import CNIOBoringSSL

extension TLSEngine {
    /// Offers a session of the cache, or notes why there is none.
    func offerSession() {
        let settings = self.context.settings
        guard let key = self.sessionKey else {
            self.reasonNotToOffer = settings.peerDecision == nil ? .noSession : .refusedByDecision
            return
        }
        switch settings.sessionCache.find(key, now: settings.now()) {
        case .absent(let reason): self.reasonNotToOffer = reason
        case .session(let session):
            guard settings.revocation == nil || self.accepts(session) else {
                self.reasonNotToOffer = .peerNotAccepted
                return
            }
            guard SSL_set_session(self.ssl, session.pointer) == 1 else { return }
            self.offeredSession = .ticket
            self.offeredVersion = session.version
        }
    }

    /// Whether the handshake resumed a session. Valid only once the handshake is complete.
    var resumption: ResumptionOutcome {
        if SSL_session_reused(self.ssl) == 1 { return .resumed }
        return self.offeredSession == .none ? .notOffered : .declined
    }

    /// Notes in the cache that a full handshake of a client is complete.
    func noteFullHandshake() {
        guard let key = self.sessionKey, SSL_session_reused(self.ssl) != 1 else { return }
        self.context.settings.sessionCache.noteFullHandshake(for: key)
    }

    /// Notes in the cache that a client's connection ends, and that the server has sent no ticket, if the handshake was a full one.
    func noteEndWithoutTicket() {
        guard let key = self.sessionKey, SSL_session_reused(self.ssl) != 1 else { return }
        self.context.settings.sessionCache.noteEndWithoutTicket(for: key)
    }
}
