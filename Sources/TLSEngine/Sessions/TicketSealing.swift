internal import CNIOBoringSSL

/// The functions with which BoringSSL seals and opens a server's tickets.
enum TicketSealing {
    /// Created once per process and never freed. Sharing it is sound because it is never changed after its creation.
    nonisolated(unsafe) static let method: UnsafePointer<SSL_TICKET_AEAD_METHOD> = {
        let method = UnsafeMutablePointer<SSL_TICKET_AEAD_METHOD>.allocate(capacity: 1)
        method.initialize(
            to: SSL_TICKET_AEAD_METHOD(max_overhead: { _ in TicketSealing.overhead }, seal: sealTicket, open: openTicket))
        return UnsafePointer(method)
    }()

    /// The largest number of bytes by which a ticket is longer than its session.
    static let overhead = TicketKey.overhead + SingleUseTicket.overhead
}

/// Seals a session. Without a key, no ticket is issued.
private func sealTicket(
    ssl: OpaquePointer?, out: UnsafeMutablePointer<UInt8>?, outLength: UnsafeMutablePointer<Int>?, maximum: Int,
    session: UnsafePointer<UInt8>?, length: Int
) -> Int32 {
    outLength?.pointee = 0
    // A ticket's length is a field of 16 bits. A client's certificates can be longer.
    guard length <= 0xffff - TicketSealing.overhead else { return 1 }
    guard let ssl, let out, let session, let engine = TLSEngine.of(ssl) else { return 1 }
    outLength?.pointee =
        engine.seal(
            UnsafeBufferPointer(start: session, count: length), into: UnsafeMutableBufferPointer(start: out, count: maximum)) ?? 0
    return 1
}

/// Opens a ticket. BoringSSL then checks the lifetime that the session was given, version, cipher suite and the context's digest. A ticket
/// is accepted only if it is not older than the present settings permit, which may have been replaced since, and only if its certificates
/// are accepted now, if that can have changed: if it was issued under other rules for clients, if there are revocation lists, which may be
/// outdated, or if the program decides.
private func openTicket(
    ssl: OpaquePointer?, out: UnsafeMutablePointer<UInt8>?, outLength: UnsafeMutablePointer<Int>?, maximum: Int,
    ticket: UnsafePointer<UInt8>?, length: Int
) -> ssl_ticket_aead_result_t {
    guard let ssl, let out, let engine = TLSEngine.of(ssl) else { return ssl_ticket_aead_ignore_ticket }
    let target = UnsafeMutableBufferPointer(start: out, count: maximum)
    switch engine.open(UnsafeBufferPointer(start: ticket, count: length), into: target) {
    case .session(let count):
        outLength?.pointee = count
        let settings = engine.context.settings
        let isUnderOtherRules = engine.bindingOfOpenedTicket != engine.context.binding
        guard isUnderOtherRules || settings.peerDecision != nil || settings.revocation != nil else {
            return ssl_ticket_aead_success
        }
        return engine.judgeSession(UnsafeBufferPointer(start: out, count: count))
    case .waiting: return ssl_ticket_aead_retry
    case .declined(let reason):
        engine.reasonToDecline = reason
        ErrorQueue.clear()
        return ssl_ticket_aead_ignore_ticket
    }
}

/// What has become of a ticket.
enum TicketOpening: Equatable {
    /// The length of its session.
    case session(Int)
    /// The store of single-use tickets is asked.
    case waiting
    case declined(ReasonForFullHandshake)
}

extension TLSEngine {
    /// Seals a session. Returns the ticket's length; nil if there is no key, if a single-use ticket cannot be stored, or if memory fails.
    fileprivate func seal(
        _ session: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>
    ) -> Int? {
        let (settings, keys) = (self.context.settings, self.ticketKeys)
        let now = settings.now()
        guard let key = keys.sealingKey(now: now) else { return nil }
        guard let store = keys.singleUse else {
            return key.seal(session, binding: self.bindingOfNewTickets, issued: now, into: target)
        }
        guard let ticket = SingleUseTicket(sealing: session) else { return nil }
        let length = ticket.bytes.withUnsafeBufferPointer {
            key.seal($0, binding: self.bindingOfNewTickets, issued: now, isForOneUse: true, into: target)
        }
        guard let length,
            store.keep(ticket.share, of: ticket.identifier, lifetime: settings.sessionLifetime.seconds(isTLS13: self.isTLS13))
        else { return nil }
        return length
    }

    /// Opens a ticket.
    func open(_ ticket: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>) -> TicketOpening {
        guard let header = TicketKey.Header(of: ticket) else { return .declined(.invalidTicket) }
        let (settings, keys) = (self.context.settings, self.ticketKeys)
        let now = settings.now()
        guard now < header.issued || now - header.issued < settings.sessionLifetime.seconds(isTLS13: self.isTLS13) else {
            return .declined(.expired)
        }
        // BoringSSL ignores sessions of the future. The share of a single-use ticket stays in the store.
        guard header.issued <= now else { return .declined(.issuedInFuture) }
        let key: TicketKey
        switch keys.openingKey(header.key, issued: header.issued, now: now) {
        case .success(let found): key = found
        case .failure(let failure): return .declined(failure.reason)
        }
        guard var count = key.open(ticket, into: target) else { return .declined(.invalidTicket) }
        switch (keys.singleUse, header.isForOneUse) {
        case (nil, false): break
        // A server without the store cannot know whether it was used.
        case (nil, true): return .declined(.storeUnavailable)
        case (_?, false): return .declined(.differentPolicy)
        case (let store?, true):
            let isRecent = now <= header.issued + 1
            switch self.takeShare(of: UnsafeMutableBufferPointer(rebasing: target.prefix(count)), isRecent: isRecent, from: store)
            {
            case .session(let length): count = length
            case let outcome: return outcome
            }
        }
        self.bindingOfOpenedTicket = header.binding
        self.reasonToDecline = nil
        self.noteDifferences(of: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(target).prefix(count)))
        return .session(count)
    }

    /// Opens the inner part of a single-use ticket as soon as its share is there.
    private func takeShare(
        of ticket: UnsafeMutableBufferPointer<UInt8>, isRecent: Bool, from store: any SingleUseTicketStore
    ) -> TicketOpening {
        switch self.ticketDecision {
        case .open:
            guard ticket.count >= SingleUseTicket.overhead else { return .declined(.invalidTicket) }
            self.askForShare(
                of: Array(ticket.prefix(SingleUseTicket.identifierLength)), isRecent: isRecent, from: store)
            return .waiting
        case .pending: return .waiting
        case .made(.useTicket(let share)):
            return SingleUseTicket.open(ticket, with: share).map { .session($0) } ?? .declined(.invalidTicket)
        case .made(.declineTicket(let reason)): return .declined(reason)
        case .made: return .declined(.storeUnavailable)
        }
    }

    /// The binding under which this connection's tickets are sealed. A resumed session keeps the one of its full handshake: the validity of
    /// the chain that was verified there limits the session, and the chain under the present rules may end earlier.
    fileprivate var bindingOfNewTickets: UInt64 {
        let binding = self.context.binding
        return SSL_session_reused(self.ssl) == 1 ? self.bindingOfOpenedTicket ?? binding : binding
    }

    /// Whether the certificates of a client's session would be accepted now.
    func accepts(_ session: Session) -> Bool {
        guard let certificates = PeerCertificates(of: session.pointer), !certificates.isEmpty else { return false }
        if case .success = self.verify(certificates.stack) { return true }
        return false
    }

    /// Decides whether a session may be resumed: whether its certificates would be accepted now.
    fileprivate func judgeSession(_ encoded: UnsafeBufferPointer<UInt8>) -> ssl_ticket_aead_result_t {
        func decline(_ reason: ReasonForFullHandshake) -> ssl_ticket_aead_result_t {
            self.reasonToDecline = reason
            return ssl_ticket_aead_ignore_ticket
        }
        switch self.sessionDecision {
        case .pending: return ssl_ticket_aead_retry
        case .made(.accept): return ssl_ticket_aead_success
        case .made: return decline(.refusedByDecision)
        case .open: break
        }
        defer { ErrorQueue.clear() }
        guard self.context.settings.verification != .none else { return ssl_ticket_aead_success }
        guard let session = SSL_SESSION_from_bytes(encoded.baseAddress, encoded.count, self.context.pointer) else {
            return decline(.invalidTicket)
        }
        defer { SSL_SESSION_free(session) }
        guard let certificates = PeerCertificates(of: session) else { return decline(.invalidTicket) }
        // A client without a certificate is accepted where one is not required. To that requirement sessions are bound.
        guard !certificates.isEmpty else { return ssl_ticket_aead_success }
        guard case .success(let chain) = self.verify(certificates.stack) else { return decline(.peerNotAccepted) }
        self.verifiedChainLength = chain.count
        guard self.context.settings.peerDecision != nil else { return ssl_ticket_aead_success }
        self.askAboutPeer(sent: certificates.pointers, verified: chain, isResumption: true)
        return ssl_ticket_aead_retry
    }
}

/// The certificates of a session's peer, as it sent them.
private final class PeerCertificates {
    /// BoringSSL's list, with a reference to each certificate.
    let stack: OpaquePointer
    let pointers: [OpaquePointer]

    /// nil if a certificate cannot be decoded.
    init?(of session: OpaquePointer) {
        let buffers = SSL_SESSION_get0_peer_certificates(session)
        var pointers: [OpaquePointer] = []
        guard let stack = sk_X509_new_null() else { return nil }
        self.stack = stack
        for index in 0..<(buffers.map { sk_CRYPTO_BUFFER_num($0) } ?? 0) {
            guard let buffer = sk_CRYPTO_BUFFER_value(buffers, index), let certificate = X509_parse_from_buffer(buffer) else {
                break
            }
            guard sk_X509_push(stack, certificate) > 0 else {
                X509_free(certificate)
                break
            }
            pointers.append(certificate)
        }
        self.pointers = pointers
        if pointers.count != buffers.map({ sk_CRYPTO_BUFFER_num($0) }) ?? 0 { return nil }
    }

    deinit {
        for certificate in self.pointers { X509_free(certificate) }
        sk_X509_free(self.stack)
    }

    var isEmpty: Bool { self.pointers.isEmpty }
}
