internal import CNIOBoringSSL
package import NIOCore

/// The TLS state of one connection, independent of any socket: bytes in, bytes out.
///
///     network ──▶ receive(_:) ──▶ │ engine │ ──▶ read(into:limit:) ──▶ program
///     network ◀── takeOutput()  ◀── │        │ ◀── write(_:)           ◀── program
///
/// Theory of operation. BoringSSL reads records from a BIO and writes records to one. Both ends of our BIO are byte buffers of this engine:
/// `input` is the very buffer that the network delivered, read in place; `output` is the very buffer that will be sent. When the BIO is
/// empty, BoringSSL returns `SSL_ERROR_WANT_READ`, which is a result here (`.waiting`), never an error. Writing never waits: `output`
/// grows, and the engine's owner bounds it by not calling `write` while earlier output is unsent.
///
/// The two directions end independently: a peer that has finished sending can still be written to, and after our own `close_notify` its
/// data still arrives (RFC 8446 §6.1).
///
/// An idle engine holds no buffers: BoringSSL frees its read and write buffers when they are empty and, with
/// `SSL_set_shed_handshake_config`, the handshake's state; `input` and `output` are empty buffers without storage.
///
/// Not thread-safe: an engine is confined to its connection's event loop.
package final class TLSEngine: StreamEngine {
    /// The context in use. A server's is chosen when the ClientHello has arrived.
    package private(set) var context: TLSContext
    let ssl: OpaquePointer
    /// The present policy of the server's listener, with its ticket keys; nil if the context is fixed.
    let liveContext: LiveServerContext?
    /// Whether the context was replaced between the creation of this connection and its ClientHello.
    private(set) var hasAdoptedContext = false
    /// The decisions of this handshake, if it has asked for any; nil once it is complete.
    var decisions: HandshakeDecisions?
    /// The name or address that a client expects of its server; nil if no name is checked.
    let expectedPeer: PeerName?
    let sentServerName: String?
    /// The reason for which verification refused the peer's chain, set during the handshake.
    var refusal: CertificateRefusal?
    var verifiedChainLength: Int?
    /// The binding of the ticket that the client has presented, if it could be opened.
    var bindingOfOpenedTicket: UInt64?
    /// The server's certificate request, as a client received it; nil if it received none.
    var certificateRequest: ReceivedCertificateRequest?
    /// The ClientHello, kept by a server until the handshake is complete; otherwise empty.
    var clientHello: [UInt8] = []
    /// What the server has chosen; empty at a server.
    var serverChoice = ServerChoice()
    /// The groups that a client offers in this connection, if they are not those of its context.
    var groups: [TLSGroup]?
    /// Whether BoringSSL has met name constraints of a kind that it cannot check.
    var metUnknownConstraint = false
    /// The key under which a client keeps its sessions; nil if it keeps none.
    let sessionKey: SessionCache.Key?
    var offeredSession = OfferedSession.none
    /// The reason for which a server does not accept the ticket that the client offers, if it is known.
    var reasonToDecline: ReasonForFullHandshake?
    /// The reason for which a client offers no session; nil if it offers one.
    var reasonNotToOffer: ReasonForFullHandshake?
    /// The version of the session that a client offers.
    var offeredVersion: UInt16 = 0
    /// The number of session tickets that the server has sent, of which the first `ticketsPerConnection` are kept.
    package private(set) var ticketsReceived = 0
    package var ticketsKept: Int { min(self.ticketsReceived, SessionCache.ticketsPerConnection) }

    func countReceivedTicket() { self.ticketsReceived += 1 }

    // Unchecked exclusivity is sound: an engine is confined to one loop, and no access to these properties calls code that accesses them
    // again.
    /// The last handshake bytes that BoringSSL has read, the latest in the lowest byte.
    @exclusivity(unchecked) fileprivate(set) var lastHandshakeBytes: UInt64 = 0
    @exclusivity(unchecked) fileprivate(set) var handshakeTrace = HandshakeTrace()
    @exclusivity(unchecked) fileprivate(set) var isInHandshake = true
    /// The number of bytes that BoringSSL may still take before the current call returns.
    @exclusivity(unchecked) fileprivate var inputWindow = Int.max

    /// Creates a client's engine.
    ///
    /// - Parameters:
    ///   - serverName: The name to send in the server name extension; nil sends none. An address is never sent (RFC 6066 §3).
    ///   - expecting: The name or address for which the certificate must be valid; nil checks none.
    ///   - server: A text that identifies the server, under which its sessions are kept and resumed; nil neither keeps nor resumes one.
    ///   - name: The requested name, if sessions are bound to it. They are always bound to the expected one.
    package convenience init(
        client context: TLSContext,
        serverName: String?,
        expecting peer: PeerName?,
        sessionsOf server: String? = nil,
        requestedAs name: String? = nil
    ) throws(TLSFailure) {
        try self.init(context, live: nil, serverName: serverName, expecting: peer, sessionsOf: server, requestedAs: name)
        SSL_set_connect_state(self.ssl)
        self.offerSession()
    }

    /// Creates a server's engine with a fixed context.
    package convenience init(server context: TLSContext) throws(TLSFailure) {
        try self.init(context, live: nil, serverName: nil, expecting: nil, sessionsOf: nil)
        SSL_set_accept_state(self.ssl)
    }

    /// Creates an engine for a server that uses the context that is present when the ClientHello has arrived.
    package convenience init(server live: LiveServerContext) throws(TLSFailure) {
        try self.init(live.current, live: live, serverName: nil, expecting: nil, sessionsOf: nil)
        SSL_set_accept_state(self.ssl)
    }

    private init(
        _ context: TLSContext, live: LiveServerContext?, serverName: String?, expecting peer: PeerName?,
        sessionsOf server: String?, requestedAs name: String? = nil
    ) throws(TLSFailure) {
        ErrorQueue.clear()
        guard let ssl = SSL_new(context.pointer) else {
            throw TLSFailure(.setup, reason: ErrorQueue.drain().first)
        }
        self.context = context
        self.ssl = ssl
        self.liveContext = live
        self.expectedPeer = peer
        self.sentServerName = serverName
        // With a decision, a session would be resumed without asking the program about the server again.
        self.sessionKey =
            if let server, context.settings.sessionLifetime.allowsResumption, context.settings.peerDecision == nil {
                SessionCache.Key(
                    configuration: context.digest, server: server, requestedName: name, expectedName: peer?.description)
            } else {
                nil
            }
        super.init()
        // If a later step throws, `deinit` frees the connection.
        guard let bio = BIO_new(EngineBIO.method) else {
            throw TLSFailure(.setup, reason: ErrorQueue.drain().first)
        }
        // The BIO is freed with this object, so the unowned reference is valid.
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        SSL_set_bio(ssl, bio, bio)
        SSL_set_shed_handshake_config(ssl, 1)
        // BoringSSL stops at a NUL character.
        if let serverName, serverName.utf8.contains(0) || SSL_set_tlsext_host_name(ssl, serverName) != 1 {
            throw TLSFailure(.setup, reason: ErrorQueue.drain().first)
        }
        if let peer, !Self.expect(peer, of: ssl) {
            throw TLSFailure(.setup, reason: ErrorQueue.drain().first)
        }
    }

    deinit {
        if !self.isInHandshake, self.ticketsReceived == 0 { self.noteEndWithoutTicket() }
        SSL_free(self.ssl)
    }

    /// Returns the engine of the connection that a callback is about.
    static func of(_ ssl: OpaquePointer) -> TLSEngine? { SSL_get_rbio(ssl).flatMap { EngineBIO.engine(of: $0) } }

    private static func expect(_ peer: PeerName, of ssl: OpaquePointer) -> Bool {
        let parameters = SSL_get0_param(ssl)
        switch peer {
        case .dns(let name):
            // Only alternative names count, not the subject's common name (RFC 9525 §2).
            X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
            let bytes = name.utf8.map { CChar(bitPattern: $0) }
            return X509_VERIFY_PARAM_set1_host(parameters, bytes, bytes.count) == 1
        case .address(let address):
            return X509_VERIFY_PARAM_set1_ip(parameters, address.bytes, address.bytes.count) == 1
        }
    }

    // MARK: Program side

    /// The number of received bytes that `read` has not returned: still encrypted, or decrypted beyond its limit.
    package override var unreadInput: Int { self.availableInput + Int(SSL_pending(self.ssl)) }

    /// The memory in the engine's own buffers, in bytes; zero when idle.
    package var bufferCapacity: Int { self.input.capacity + self.output.capacity + self.clientHello.capacity }

    /// Returns the first bytes of the input that BoringSSL has not yet read.
    func nextInput(atMost limit: Int) -> [UInt8] {
        self.borrowed.count > 0 ? Array(self.borrowed.prefix(limit)) : Array(self.input.readableBytesView.prefix(limit))
    }

    /// Advances the handshake as far as the input allows.
    package override func handshake() -> HandshakeProgress {
        self.inputWindow = .max
        let result = SSL_do_handshake(self.ssl)
        self.releaseUsedInput()
        if result == 1 {
            // BoringSSL has reported every refusal. This is the last barrier, should it ever ignore one.
            if self.programRefusal != nil { return .failed(self.failure(SSL_ERROR_SSL)) }
            if self.context.settings.requiresApplicationProtocol, self.selectedApplicationProtocol == nil {
                self.writeFatalAlert(.noApplicationProtocol)
                return .failed(self.explained(TLSFailure(.peerUnacceptable, reason: .noApplicationProtocol)))
            }
            self.isInHandshake = false
            self.clientHello = []
            self.decisions = nil
            self.noteFullHandshake()
            return .complete
        }
        switch SSL_get_error(self.ssl, result) {
        case SSL_ERROR_WANT_READ: return .waiting
        case SSL_ERROR_PENDING_CERTIFICATE, SSL_ERROR_PENDING_TICKET, SSL_ERROR_WANT_CERTIFICATE_VERIFY: return .deciding
        case let code: return .failed(self.failure(code))
        }
    }

    // MARK: The context of a server

    /// Chooses the context for the ClientHello, which has arrived.
    func chooseContext() -> ssl_select_cert_result_t {
        switch self.identityDecision {
        case .pending: return ssl_select_cert_retry
        case .made(let decision):
            if case .use(let context) = decision { self.useIdentity(of: context) }
            return ssl_select_cert_success
        case .open: break
        }
        if let live = self.liveContext {
            let current = live.current
            if current !== self.context, !self.adopt(current) { return ssl_select_cert_error }
        }
        guard self.context.choosesIdentity else { return ssl_select_cert_success }
        if let name = self.requestedServerName, let context = self.context.serverNames?.context(for: name) {
            self.useIdentity(of: context)
        } else if let select = self.context.settings.identitySelector {
            self.askForIdentity(select)
            return ssl_select_cert_retry
        }
        return ssl_select_cert_success
    }

    /// The server name that the client requests, normalized.
    var requestedServerName: String? {
        SSL_get_servername(self.ssl, TLSEXT_NAMETYPE_host_name).map { ServerNames.normalized(String(cString: $0)) }
    }

    /// Uses the certificates of another context with otherwise equal settings.
    private func useIdentity(of context: TLSContext) {
        guard context !== self.context, SSL_set_SSL_CTX(self.ssl, context.pointer) != nil else { return }
        // The binding of sessions is one of the settings that this replaces.
        if self.hasAdoptedContext { _ = self.isolateSessions() }
        self.context = context
    }

    /// Uses another context, which became present after this connection was created.
    ///
    /// BoringSSL copies these settings when it creates a connection, and reads most others from the present context. What concerns sessions
    /// (the cache, the method of tickets, lifetimes) it reads from the first one. Such a connection therefore neither resumes a session nor
    /// leaves one.
    private func adopt(_ context: TLSContext) -> Bool {
        let settings = context.settings
        let groups = settings.groups.map(\.rawValue)
        guard SSL_set_SSL_CTX(self.ssl, context.pointer) != nil,
            SSL_set_min_proto_version(self.ssl, settings.versions.lowerBound.rawValue) == 1,
            SSL_set_max_proto_version(self.ssl, settings.versions.upperBound.rawValue) == 1,
            SSL_set1_group_ids(self.ssl, groups, groups.count) == 1,
            self.isolateSessions()
        else { return false }
        SSL_set_custom_verify(self.ssl, settings.verifyMode, verifyPeerCertificate)
        let order = UInt32(SSL_OP_CIPHER_SERVER_PREFERENCE)
        SSL_clear_options(self.ssl, order)
        SSL_set_options(self.ssl, SSL_CTX_get_options(context.pointer) & order | UInt32(SSL_OP_NO_TICKET))
        self.context = context
        self.hasAdoptedContext = true
        return true
    }

    /// Binds sessions of this connection to a random value, so that no other connection shares them.
    private func isolateSessions() -> Bool {
        var random = [UInt8](repeating: 0, count: 32)
        return RAND_bytes(&random, random.count) == 1 && SSL_set_session_id_context(self.ssl, random, random.count) == 1
    }

    /// The keys for session tickets.
    var ticketKeys: TicketKeyRing { self.liveContext?.ticketKeys ?? self.context.ticketKeys }

    /// Decrypts what has arrived, until the input is used up, `buffer` holds `limit` bytes, or `records` records have been read. The last
    /// bound exists because a peer may send records of one byte, or records without data.
    package override func read(into buffer: inout ByteBuffer, limit: Int, records: Int = .max) -> ReadProgress {
        // Plaintext is never longer than the records that carry it.
        let expected = min(self.availableInput, max(limit - buffer.readableBytes, 0))
        if buffer.capacity == 0 {
            buffer = ByteBufferAllocator().buffer(capacity: expected)
        } else {
            buffer.reserveCapacity(minimumWritableBytes: expected)
        }
        var recordsLeft = records
        while buffer.readableBytes < limit {
            let pending = Int(SSL_pending(self.ssl))
            guard self.availableInput > 0 || pending > 0 || self.transportHasEnded else { return .waiting }
            guard recordsLeft > 0 else { return .paused }
            recordsLeft -= 1
            self.inputWindow = Self.largestInputPerRead
            let room = limit - buffer.readableBytes
            let wanted = min(room, max(pending, min(self.availableInput, Self.largestPlaintext), 1))
            var result: Int32 = 0
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { bytes in
                result = SSL_read(self.ssl, bytes.baseAddress, Int32(min(bytes.count, room)))
                return Int(max(result, 0))
            }
            self.releaseUsedInput()
            if result > 0 { continue }
            switch SSL_get_error(self.ssl, result) {
            case SSL_ERROR_WANT_READ: return self.availableInput > 0 ? .paused : .waiting
            case SSL_ERROR_ZERO_RETURN: return .closed
            case SSL_ERROR_SYSCALL where self.transportHasEnded: return .truncated
            case let code: return .failed(self.failure(code))
            }
        }
        return .limitReached
    }

    /// Encrypts bytes into the output. Never waits: the output grows.
    package override func write(_ bytes: UnsafeRawBufferPointer) throws(TLSFailure) {
        guard bytes.count > 0 else { return }
        let records = (bytes.count + Self.largestPlaintext - 1) / Self.largestPlaintext
        let expected = bytes.count + records * Self.recordOverhead
        if self.output.capacity == 0 {
            self.output = ByteBufferAllocator().buffer(capacity: expected)
        } else {
            self.output.reserveCapacity(minimumWritableBytes: expected)
        }
        var rest = bytes
        while rest.count > 0 {
            let count = min(rest.count, Int(Int32.max))
            let result = SSL_write(self.ssl, rest.baseAddress, Int32(count))
            guard result > 0 else { throw self.failure(SSL_get_error(self.ssl, result)) }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(Int(result)))
        }
    }

    /// Writes the session tickets that the library keeps back until a server of TLS 1.3 writes for the first time.
    package func writeSessionTickets() {
        _ = SSL_write(self.ssl, nil, 0)
        ErrorQueue.clear()
    }

    /// Sends a fatal alert. Nothing can be sent afterwards.
    package func writeFatalAlert(_ alert: AlertDescription) {
        _ = SSL_send_fatal_alert(self.ssl, alert.code)
        ErrorQueue.clear()
    }

    /// Sends `close_notify`: nothing more will be sent. Reading is not affected.
    package override func writeCloseNotify() {
        // The result says only whether the peer has finished as well. Before the handshake is complete no `close_notify` is sent.
        if SSL_in_init(self.ssl) == 0 { _ = SSL_shutdown(self.ssl) }
        ErrorQueue.clear()
    }

    /// The length of the longest plaintext in one record (RFC 8446 §5.1).
    package static let largestPlaintext = 16384
    /// The most input that one call to BoringSSL may take: more than the longest record. BoringSSL reads handshake messages (tickets, key
    /// updates) until a record carries data; this bound ends a read that meets a flood of them.
    private static let largestInputPerRead = 20 << 10
    /// A generous bound for a record's header, tag and content type, and for what older suites add.
    private static let recordOverhead = 96
}

/// The BIO through which BoringSSL accesses an engine's buffers.
private enum EngineBIO {
    /// Created once per process and never freed. Sharing it is sound because it is never changed after its creation.
    nonisolated(unsafe) static let method: OpaquePointer? = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "engine") else { return nil }
        BIO_meth_set_read(method) { bio, bytes, count in
            guard let bio, let bytes, count > 0, let engine = EngineBIO.engine(of: bio) else { return 0 }
            BIO_clear_retry_flags(bio)
            let available = min(engine.availableInput, engine.inputWindow)
            guard available > 0 else {
                // 0 without a retry flag means end of stream.
                if engine.transportHasEnded, engine.availableInput == 0 { return 0 }
                BIO_set_retry_read(bio)
                return -1
            }
            let taken = min(Int(count), available)
            engine.takeInput(taken, into: bytes)
            engine.inputWindow -= taken
            if engine.isInHandshake {
                engine.handshakeTrace.take(UnsafeRawBufferPointer(start: bytes, count: taken))
                for byte in UnsafeRawBufferPointer(start: bytes, count: taken).suffix(8) {
                    engine.lastHandshakeBytes = engine.lastHandshakeBytes << 8 | UInt64(byte)
                }
            }
            return Int32(taken)
        }
        BIO_meth_set_write(method) { bio, bytes, count in
            guard let bio, let bytes, count >= 0, let engine = EngineBIO.engine(of: bio) else { return -1 }
            BIO_clear_retry_flags(bio)
            engine.output.writeWithUnsafeMutableBytes(minimumWritableBytes: Int(count)) { target in
                if let start = target.baseAddress { copyInPieces(bytes, to: start, count: Int(count)) }
                return Int(count)
            }
            return count
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return method
    }()

    static func engine(of bio: OpaquePointer) -> TLSEngine? {
        BIO_get_data(bio).map { Unmanaged<TLSEngine>.fromOpaque($0).takeUnretainedValue() }
    }
}
