internal import CNIOBoringSSL
package import Synchronization

/// The time for which a session may be resumed after the handshake that made it.
package enum SessionLifetime: Sendable, Hashable {
    /// The library's limits, two hours for TLS 1.2 and two days for TLS 1.3, or less if the server says so.
    case library
    /// This number of seconds, at least 1.
    case seconds(UInt32)
    /// No resumption: no tickets are issued and none are kept.
    case none

    var allowsResumption: Bool { self != .none }

    /// The number of seconds for which a server accepts a session.
    func seconds(isTLS13: Bool) -> UInt64 {
        switch self {
        // BoringSSL's defaults, whose macros are not visible in Swift.
        case .library: isTLS13 ? 48 * 3600 : 2 * 3600
        case .seconds(let seconds): UInt64(max(seconds, 1))
        case .none: 0
        }
    }
}

/// Whether a handshake resumed an earlier session and, if not, why.
package enum ResumptionOutcome: Sendable, Hashable {
    case resumed
    /// The client had no valid session for this server, or did not offer it.
    case notOffered
    /// The client offered a session and the server declined it: expired, unknown, or of another configuration.
    case declined
}

/// The sessions that clients may resume: at most `capacity` in all and `sessionsPerServer` under each key. The oldest are dropped first.
///
/// A session is found only under a configuration that would have accepted the same peer in a full handshake, for the same server and the
/// same expected name. Tickets of TLS 1.3 are used once (RFC 8446 §C.4).
package final class SessionCache: Sendable {
    /// What a session is bound to.
    package final class Key: Sendable {
        /// The digest of identity, trust and verification (`TLSContext.digest`).
        let configuration: [UInt8]
        /// The server's endpoint, or the group of servers that share sessions.
        let server: String
        /// The name that is sent in the server name extension.
        let requestedName: String?
        /// The name for which the certificate must be valid.
        let expectedName: String?

        /// Computed once, because most operations need it several times.
        let hash: Int
        let hashOfNames: Int
        let hashOfServer: Int

        init(configuration: [UInt8], server: String, requestedName: String?, expectedName: String?) {
            self.configuration = configuration
            self.server = server
            self.requestedName = requestedName
            self.expectedName = expectedName
            var hasher = Hasher()
            hasher.combine(server)
            var names = hasher
            names.combine(requestedName)
            names.combine(expectedName)
            var all = names
            configuration.withUnsafeBytes { all.combine(bytes: $0) }
            self.hashOfServer = hasher.finalize()
            self.hashOfNames = names.finalize()
            self.hash = all.finalize()
        }
    }

    struct Entry {
        let session: Session
        /// In seconds since 1970.
        let expiry: UInt64
    }

    /// What a search for a session has found.
    enum Finding {
        case session(Session)
        case absent(ReasonForFullHandshake)
    }

    private struct State {
        var entries: BoundedMultimap<Key, Entry>
        var notes: SessionNotes

        mutating func append(_ entry: Entry, for key: Key) {
            self.entries.append(entry, for: key) { removed in self.notes.dropped(removed) }
            self.notes.stored(key)
        }
    }

    package static let capacities = 1...65_536
    /// The limits of the number of sessions under one key. With TLS 1.3 each session is used once (RFC 8446 §C.4), so this is the number of
    /// connections to one server that can begin before the first of them receives new tickets.
    package static let limitsPerServer = 1...256

    /// The most tickets of one connection that are kept. A server may send any number, and each would displace another server's.
    package static let ticketsPerConnection = 4

    package static let shared = SessionCache(capacity: 1024)

    /// The largest number of sessions.
    let capacity: Int
    private let state: Mutex<State>

    package init(capacity: Int, sessionsPerServer: Int = 16) {
        self.capacity = capacity
        self.state = Mutex(
            State(
                entries: BoundedMultimap(capacity: capacity, valuesPerKey: sessionsPerServer),
                notes: SessionNotes(capacity: capacity)))
    }

    /// The first eight bytes of the newest session's ticket; nil if there is no session.
    package var newestTicketPrefix: [UInt8]? { self.entries(removing: false).last?.value.session.ticketPrefix(8) }

    package var count: Int { self.state.withLock { $0.entries.count } }

    package func removeAll() {
        self.state.withLock { state in
            state.entries.removeAll()
            state.notes.removeAll()
        }
    }

    func store(_ session: Session, for key: Key, until expiry: UInt64) {
        self.state.withLock { $0.append(Entry(session: session, expiry: expiry), for: key) }
    }

    /// Adds sessions in this order.
    func store(_ entries: [(key: Key, value: Entry)]) {
        self.state.withLock { state in
            for (key, entry) in entries { state.append(entry, for: key) }
        }
    }

    /// Finds the newest session for the key that is still valid. Removes it if it may be used only once, and those that have expired.
    func find(_ key: Key, now: UInt64) -> Finding {
        self.state.withLock { state in
            while let entry = state.entries.newest(for: key, removing: { $0.expiry <= now || $0.session.isForOneUse }) {
                if entry.expiry <= now {
                    state.notes.expired(key, isLast: !state.entries.contains(key))
                } else {
                    if entry.session.isForOneUse { state.notes.taken(key, isLast: !state.entries.contains(key)) }
                    return .session(entry.session)
                }
            }
            return .absent(state.notes.reason(for: key))
        }
    }

    /// All sessions with their keys, oldest first.
    ///
    /// - Parameter removing: Whether they are removed. No other caller gets any of them then.
    func entries(removing: Bool) -> [(key: Key, value: Entry)] {
        self.state.withLock { state in
            let all = state.entries.all
            if removing {
                state.entries.removeAll()
                state.notes.takenAll(all.lazy.map(\.key))
            }
            return all
        }
    }

    /// Notes that a full handshake under this key is complete. Its tickets may be still to come.
    func noteFullHandshake(for key: Key) {
        self.state.withLock { state in
            if !state.entries.contains(key) { state.notes.completed(key) }
        }
    }

    /// Notes that a connection that made a full handshake has ended without a ticket.
    func noteEndWithoutTicket(for key: Key) {
        self.state.withLock { state in
            if !state.entries.contains(key) { state.notes.endedWithoutTicket(key) }
        }
    }
}

extension SessionCache.Key: Hashable {
    package static func == (left: SessionCache.Key, right: SessionCache.Key) -> Bool {
        left === right
            || left.hash == right.hash && left.configuration == right.configuration && left.server == right.server
                && left.requestedName == right.requestedName && left.expectedName == right.expectedName
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.hash) }
}

/// An owned reference to a session of BoringSSL.
///
/// Sendable without a check because a session is never changed once BoringSSL has handed it out, and its reference count is thread-safe.
final class Session: @unchecked Sendable {
    let pointer: OpaquePointer

    init(taking pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit { SSL_SESSION_free(self.pointer) }

    var isForOneUse: Bool { SSL_SESSION_should_be_single_use(self.pointer) == 1 }

    var version: UInt16 { SSL_SESSION_get_protocol_version(self.pointer) }

    /// The first bytes of the ticket, at most this many. Most servers put the name of its key there (RFC 5077 §4).
    func ticketPrefix(_ count: Int) -> [UInt8] {
        var start: UnsafePointer<UInt8>?
        var length = 0
        SSL_SESSION_get0_ticket(self.pointer, &start, &length)
        return Array(UnsafeBufferPointer(start: start, count: min(length, count)))
    }

    /// The number of seconds for which the server accepts the session.
    var lifetime: UInt64 { UInt64(SSL_SESSION_get_timeout(self.pointer)) }
}

// MARK: Callbacks from BoringSSL

/// Keeps a session that a server has issued. Returns 1 if it takes ownership.
func keepNewSession(ssl: OpaquePointer?, session: OpaquePointer?) -> Int32 {
    guard let ssl, let session, let engine = TLSEngine.of(ssl) else { return 0 }
    guard let key = engine.sessionKey, SSL_SESSION_is_resumable(session) == 1 else { return 0 }
    engine.countReceivedTicket()
    guard engine.ticketsReceived <= SessionCache.ticketsPerConnection else { return 0 }
    let settings = engine.context.settings
    let kept = Session(taking: session)
    let lifetime =
        switch settings.sessionLifetime {
        case .library: kept.lifetime
        case .seconds(let seconds): min(UInt64(seconds), kept.lifetime)
        case .none: UInt64(0)
        }
    settings.sessionCache.store(kept, for: key, until: settings.now() + lifetime)
    return 1
}

/// Records whether the client offers a session, before the server has chosen anything, and chooses the server's context. BoringSSL calls
/// this again after each wait for a decision.
func selectCertificateCallback(
    hello: UnsafePointer<SSL_CLIENT_HELLO>?
) -> ssl_select_cert_result_t {
    guard let hello, let ssl = hello.pointee.ssl, let engine = TLSEngine.of(ssl) else { return ssl_select_cert_success }
    func length(of type: Int32) -> Int {
        var data: UnsafePointer<UInt8>?
        var length = 0
        return SSL_early_callback_ctx_extension_get(hello, UInt16(type), &data, &length) == 1 ? length : 0
    }
    // A session ID alone means nothing if the client speaks TLS 1.3, which fills the field for compatibility with middleboxes (RFC 8446
    // §D.4).
    let speaksTLS13 = length(of: TLSEXT_TYPE_supported_versions) > 0
    if length(of: TLSEXT_TYPE_pre_shared_key) > 0 {
        engine.offeredSession = .preSharedKey
    } else if length(of: TLSEXT_TYPE_session_ticket) > 0 {
        engine.offeredSession = .ticket
    } else if hello.pointee.session_id_len > 0, !speaksTLS13 {
        engine.offeredSession = .identifier
    }
    engine.clientHello = Array(UnsafeBufferPointer(start: hello.pointee.client_hello, count: hello.pointee.client_hello_len))
    return engine.chooseContext()
}

/// A clock that moves only when it is set, so that tests need not wait for a session to expire.
///
/// BoringSSL's clock callback does not identify the context, so there is one clock per process; only contexts with `hasOwnClock` use it.
package enum ManualClock {
    /// Seconds since 1970.
    package static let time = Atomic<UInt64>(0)
}

func manualClockCallback(ssl: OpaquePointer?, time: UnsafeMutablePointer<timeval>?) {
    time?.pointee.tv_sec = time_t(ManualClock.time.load(ordering: .relaxed))
    time?.pointee.tv_usec = 0
}
