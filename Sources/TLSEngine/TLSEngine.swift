internal import CNIOBoringSSL
package import NIOCore

/// One connection's TLS: bytes in, bytes out, and no idea of a socket.
///
///     network ──▶ receive(_:) ──▶ │ engine │ ──▶ read(into:limit:) ──▶ program
///     network ◀── takeOutput()  ◀── │        │ ◀── write(_:)           ◀── program
///
/// Theory of operation. BoringSSL reads records from a BIO and writes records to one. Both ends of our BIO are byte buffers of
/// this engine: `input` is the very buffer that the network delivered, read in place; `output` is the very buffer that will be
/// sent. A BIO that has nothing to read says so, and the library comes back with `SSL_ERROR_WANT_READ`, which is a result here
/// (`.waiting`), never an error. Writing never waits: `output` grows, and whoever drives the engine bounds it by not calling
/// `write` while earlier output is unsent.
///
/// The two directions fail on their own: a peer that has finished sending can still be written to, and after our own
/// `close_notify` its data still arrives (RFC 8446 §6.1).
///
/// Idle costs nothing: the library frees its read and write buffers when they are empty and, by
/// `SSL_set_shed_handshake_config`, the handshake's state; `input` and `output` are empty buffers without storage.
///
/// Not thread-safe: an engine belongs to its connection's event loop.
package final class TLSEngine {
    package enum HandshakeProgress: Equatable {
        /// More bytes of the peer are needed; there may be output to send first.
        case waiting
        case complete
        case failed(TLSFailure)
    }

    package enum ReadProgress: Equatable {
        /// All input has been used.
        case waiting
        /// The limit is reached; there is more.
        case limitReached
        /// As many records have been read as one call may read; there is more.
        case paused
        /// The peer has finished sending, and said so (`close_notify`).
        case closed
        /// The transport has ended without the peer saying so: what arrived may not be all that was sent (RFC 8446 §6.1).
        case truncated
        case failed(TLSFailure)
    }

    package let context: TLSContext
    let ssl: OpaquePointer
    /// Whom a client expects; nil where no name is checked.
    let expectedPeer: PeerName?
    let sentServerName: String?
    /// Left by the verification during the handshake.
    var refusal: CertificateRefusal?
    var verifiedChainLength: Int?
    /// What a server has asked its client for; nil if it has not asked.
    var certificateRequest: ReceivedCertificateRequest?
    /// The client's hello at a server, until the handshake is complete; empty where there is none.
    var clientHello: [UInt8] = []
    /// The library has met name constraints of a kind that it cannot check.
    var metUnknownConstraint = false
    /// Under which a client keeps its sessions; nil if it keeps none.
    let sessionKey: SessionCache.Key?
    var hasOfferedSession = false
    package private(set) var ticketsReceived = 0
    package var ticketsKept: Int { min(self.ticketsReceived, SessionCache.ticketsPerConnection) }

    /// Counts a session that the server gives; false if this connection has given enough of them.
    func keepsOneMoreTicket() -> Bool {
        self.ticketsReceived += 1
        return self.ticketsReceived <= SessionCache.ticketsPerConnection
    }
    private var hasCounted = false

    // Unchecked exclusivity is sound: an engine belongs to one loop, and no access to these calls anything that has another.
    /// What is left of the bytes that `withBorrowed` was given, while it runs; otherwise empty. Read before `input`.
    @exclusivity(unchecked) fileprivate var borrowed = UnsafeRawBufferPointer(start: nil, count: 0)
    @exclusivity(unchecked) fileprivate var input = ByteBuffer()
    @exclusivity(unchecked) fileprivate var output = ByteBuffer()
    @exclusivity(unchecked) fileprivate(set) var transportHasEnded = false
    /// The last bytes that the library read of a handshake, the latest in the lowest place.
    @exclusivity(unchecked) fileprivate(set) var lastHandshakeBytes: UInt64 = 0
    @exclusivity(unchecked) fileprivate(set) var handshakeTrace = HandshakeTrace()
    @exclusivity(unchecked) fileprivate(set) var isInHandshake = true
    /// How much more the library may take before it has to come back.
    @exclusivity(unchecked) fileprivate var inputWindow = Int.max

    /// Makes the client's end.
    ///
    /// - Parameters:
    ///   - serverName: What the server name extension asks for; nil sends none. An address is never sent (RFC 6066 §3).
    ///   - expecting: The name or address that the certificate must be for; nil checks none.
    ///   - endpoint: Where the server is, for resuming an earlier session with it; nil neither resumes nor keeps one.
    package convenience init(
        client context: TLSContext,
        serverName: String?,
        expecting peer: PeerName?,
        at endpoint: String? = nil
    ) throws(TLSFailure) {
        try self.init(context, serverName: serverName, expecting: peer, at: endpoint)
        SSL_set_connect_state(self.ssl)
        guard let key = self.sessionKey else { return }
        if let session = context.settings.sessionCache.session(for: key, now: context.settings.now()) {
            self.hasOfferedSession = SSL_set_session(self.ssl, session.pointer) == 1
        }
    }

    /// Makes the server's end.
    package convenience init(server context: TLSContext) throws(TLSFailure) {
        try self.init(context, serverName: nil, expecting: nil, at: nil)
        SSL_set_accept_state(self.ssl)
    }

    private init(
        _ context: TLSContext, serverName: String?, expecting peer: PeerName?, at endpoint: String?
    ) throws(TLSFailure) {
        ErrorQueue.clear()
        guard let ssl = SSL_new(context.pointer) else {
            throw TLSFailure(.setup, reason: ErrorQueue.drain().first)
        }
        self.context = context
        self.ssl = ssl
        self.expectedPeer = peer
        self.sentServerName = serverName
        self.sessionKey =
            if let endpoint, context.settings.sessionLifetime.allowsResumption {
                SessionCache.Key(
                    configuration: context.digest, server: "\(endpoint) \(serverName ?? "")", expected: peer?.description)
            } else {
                nil
            }
        // From here on `deinit` frees the connection when a step throws.
        guard let bio = BIO_new(EngineBIO.method) else {
            throw TLSFailure(.setup, reason: ErrorQueue.drain().first)
        }
        // The BIO dies with this object, and so the unowned reference.
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

    deinit { SSL_free(self.ssl) }

    /// Whose connection it is that calls back.
    static func of(_ ssl: OpaquePointer) -> TLSEngine? { SSL_get_rbio(ssl).flatMap { EngineBIO.engine(of: $0) } }

    private static func expect(_ peer: PeerName, of ssl: OpaquePointer) -> Bool {
        let parameters = SSL_get0_param(ssl)
        switch peer {
        case .dns(let name):
            // Alternative names count, the subject's common name does not (RFC 9525 §2).
            X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
            let bytes = name.utf8.map { CChar(bitPattern: $0) }
            return X509_VERIFY_PARAM_set1_host(parameters, bytes, bytes.count) == 1
        case .address(let address):
            return X509_VERIFY_PARAM_set1_ip(parameters, address.bytes, address.bytes.count) == 1
        }
    }

    // MARK: The network's side

    /// Takes what the network delivered.
    package func receive(_ ciphertext: ByteBuffer) {
        if self.input.readableBytes == 0 {
            self.input = ciphertext
        } else {
            self.input.writeImmutableBuffer(ciphertext)
        }
    }

    /// Reads from `bytes` while `body` runs, and copies what is left of them then: their owner overwrites them.
    package func withBorrowed(_ bytes: UnsafeRawBufferPointer, _ body: () -> Void) {
        if self.input.readableBytes > 0 || self.borrowed.count > 0 {
            self.input.writeBytes(bytes)
            return body()
        }
        self.borrowed = bytes
        body()
        if self.borrowed.count > 0 {
            var rest = ByteBuffer(bytes: self.borrowed)
            rest.writeImmutableBuffer(self.input)
            self.input = rest
        }
        self.borrowed = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// What can be read in one piece.
    fileprivate var availableInput: Int { self.borrowed.count > 0 ? self.borrowed.count : self.input.readableBytes }

    /// Copies input to the library; not more than is available.
    fileprivate func takeInput(_ count: Int, into target: UnsafeMutableRawPointer) {
        if self.borrowed.count > 0, let start = self.borrowed.baseAddress {
            copyInPieces(start, to: target, count: count)
            self.borrowed = UnsafeRawBufferPointer(start: start + count, count: self.borrowed.count - count)
        } else {
            self.input.readWithUnsafeReadableBytes { source in
                if let start = source.baseAddress { copyInPieces(start, to: target, count: count) }
                return count
            }
        }
    }

    /// The first bytes of what has arrived and has not been read by the library.
    func nextInput(atMost limit: Int) -> [UInt8] {
        self.borrowed.count > 0 ? Array(self.borrowed.prefix(limit)) : Array(self.input.readableBytesView.prefix(limit))
    }

    /// Notes that the network will deliver nothing more.
    package func receiveEnd() {
        self.transportHasEnded = true
    }

    /// Bytes that have come and have not been handed out by `read`: not decrypted, or decrypted beyond its limit.
    package var unreadInput: Int { self.availableInput + Int(SSL_pending(self.ssl)) }

    /// Bytes that wait to be sent.
    package var pendingOutput: Int { self.output.readableBytes }

    /// The memory that the engine's own buffers take: none when idle.
    package var bufferCapacity: Int { self.input.capacity + self.output.capacity + self.clientHello.capacity }

    /// Takes an empty buffer to write into.
    package func useForOutput(_ buffer: consuming ByteBuffer) {
        if self.output.readableBytes == 0 { self.output = buffer }
    }

    /// Hands over everything that is to be sent; nil if there is nothing.
    package func takeOutput() -> ByteBuffer? {
        guard self.output.readableBytes > 0 else { return nil }
        let output = self.output
        self.output = ByteBuffer()
        return output
    }

    // MARK: The program's side

    /// Goes on with the handshake as far as the input allows.
    package func handshake() -> HandshakeProgress {
        self.inputWindow = .max
        let result = SSL_do_handshake(self.ssl)
        self.releaseUsedInput()
        if result == 1 {
            self.isInHandshake = false
            self.clientHello = []
            if !self.hasCounted {
                self.hasCounted = true
            }
            return .complete
        }
        switch SSL_get_error(self.ssl, result) {
        case SSL_ERROR_WANT_READ: return .waiting
        case let code: return .failed(self.failure(code))
        }
    }

    /// Whether the handshake resumed a session; to be asked when it is complete.
    var resumption: ResumptionOutcome {
        if SSL_session_reused(self.ssl) == 1 { return .resumed }
        return self.hasOfferedSession ? .declined : .notOffered
    }

    /// Decrypts what has arrived, until the input is used up, `buffer` holds `limit` bytes, or `records` have been read: a peer may
    /// send records of one byte, or none that carry data at all.
    package func read(into buffer: inout ByteBuffer, limit: Int, records: Int = .max) -> ReadProgress {
        // Plaintext is never longer than the records it came in.
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

    /// Encrypts bytes into the output. Does not wait: the output grows.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(TLSFailure) {
        guard bytes.count > 0 else { return }
        let records = (bytes.count + Self.largestPlaintext - 1) / Self.largestPlaintext
        self.output.reserveCapacity(minimumWritableBytes: bytes.count + records * Self.recordOverhead)
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

    /// Tells the peer that nothing more will be sent (`close_notify`). Reading goes on.
    package func writeCloseNotify() {
        // The answer says only whether the peer has finished as well. Before the end of the handshake there is nothing to say.
        if SSL_in_init(self.ssl) == 0 { _ = SSL_shutdown(self.ssl) }
        ErrorQueue.clear()
    }

    /// The longest plaintext of one record (RFC 8446 §5.1).
    package static let largestPlaintext = 16384
    /// More than the longest record. The library reads handshake messages (tickets, key updates) until one record carries data; a
    /// flood of them ends one read here.
    private static let largestInputPerRead = 20 << 10
    /// Header, tag and content type of a record, and what older suites add, generously.
    private static let recordOverhead = 96

    private func releaseUsedInput() {
        if self.input.readableBytes == 0, self.input.capacity > 0 { self.input = ByteBuffer() }
    }
}

/// Copies bytes that do not overlap, a little at a time.
///
/// For more than a few KiB some C libraries use an instruction (`rep movsb`) that is several times slower on some processors when the two
/// addresses are alike in their lower bits (https://sourceware.org/bugzilla/show_bug.cgi?id=30994).
private func copyInPieces(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int) {
    var done = 0
    while done < count {
        let length = min(count - done, 2048)
        (target + done).copyMemory(from: source + done, byteCount: length)
        done += length
    }
}

/// The library's view of an engine's buffers.
private enum EngineBIO {
    /// Made once a process and never freed. Sound to share: nothing changes it after it is made.
    nonisolated(unsafe) static let method: OpaquePointer? = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "engine") else { return nil }
        BIO_meth_set_read(method) { bio, bytes, count in
            guard let bio, let bytes, count > 0, let engine = EngineBIO.engine(of: bio) else { return 0 }
            BIO_clear_retry_flags(bio)
            let available = min(engine.availableInput, engine.inputWindow)
            guard available > 0 else {
                // 0 without a retry flag is the end of the stream.
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
