package import TLSEngine

/// The sessions that clients may resume (RFC 8446 §2.2, RFC 5246 §7.3).
///
/// All clients of a process share one cache, unless their configurations have others:
///
/// ```swift
/// let sessions = TLSSessionCache()
/// let tls = try TLSClientConfiguration(sessions: sessions)
/// ```
///
/// ## What a session is bound to
///
/// A session is resumed only
/// - at the same host and port, or in the same group of servers (`sessionGroup` of ``TLSClientConfiguration``),
/// - with the same requested and the same expected name, and
/// - under settings that would accept the server in a full handshake: the same trusted certificates, rules of verification and revocation
///   lists, the same identity of the client, and the same versions, cipher suites and application protocols. Settings that are created again
///   from the same files are the same.
///
/// It is not resumed beyond its lifetime and the validity of the certificates that were verified (``TLSParameters/sessionLifetime``). A
/// configuration with a ``PeerRule`` neither keeps nor resumes sessions.
///
/// ## Single use
///
/// A session of TLS 1.3 is used for one connection, because an observer could otherwise recognize the client by its ticket (RFC 8446 §C.4).
/// A connection takes the newest one from the cache; if there is none, its handshake is a full one. A session of TLS 1.2 is used for any
/// number of connections.
///
/// ## Bounds
///
/// A cache has at most 1024 sessions, and 16 of each server, unless it is created with other bounds; the oldest are dropped. Of one
/// connection, it keeps the first four tickets. A session takes the memory of the server's certificates and of its ticket, several KiB.
///
/// ## Passing sessions on
///
/// ``export(sealedWith:removing:)`` returns the sessions in an encrypted form, and ``restore(_:sealedWith:)`` adds them to the cache of
/// another process, or of the same program when it is started again. With files, one process gets the sessions, even if several restore them at the
/// same time:
///
/// ```swift
/// let secret = try TLSSessionCache.Secret(file: "/run/secrets/session-secret")
/// try await TLSSessionCache.shared.restore(fromFile: "/var/lib/client/sessions", sealedWith: secret)
/// // When the program ends:
/// try await TLSSessionCache.shared.export(toFile: "/var/lib/client/sessions", sealedWith: secret)
/// ```
///
/// With a session, an attacker can decrypt the recorded connections of TLS 1.2 that it belongs to, and take part in resumed ones in the
/// place of client or server. Treat the secret as a private key.
public final class TLSSessionCache: Sendable {
    /// A secret from which the key for exports is derived: 32 to 1024 bytes from a secure random generator, for example the output of
    /// `openssl rand -base64 48`.
    public typealias Secret = TicketKeys.Secret

    package let cache: SessionCache

    /// The cache of clients whose configuration has no other.
    public static let shared = TLSSessionCache(.shared)

    private init(_ cache: SessionCache) { self.cache = cache }

    /// Creates an empty cache of at most 1024 sessions, and 16 of each server.
    public convenience init() { self.init(SessionCache(capacity: 1024)) }

    /// Creates an empty cache.
    ///
    /// - Parameters:
    ///   - capacity: The largest number of sessions, 1 to 65,536. Default: 1024.
    ///   - sessionsPerServer: The largest number of sessions of one server with the same names and settings, 1 to 256: with TLS 1.3, the
    ///     number of connections that can be opened at a time without a full handshake. Default: 16.
    /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if a number is out of range.
    public convenience init(capacity: Int = 1024, sessionsPerServer: Int = 16) throws(SecureSocketError) {
        let (capacities, limits) = (SessionCache.capacities, SessionCache.limitsPerServer)
        try OptionError.check(
            capacities.contains(capacity),
            "the capacity of a session cache is \(capacity); \(capacities.lowerBound) to \(capacities.upperBound) are possible")
        try OptionError.check(
            limits.contains(sessionsPerServer),
            "sessionsPerServer is \(sessionsPerServer); \(limits.lowerBound) to \(limits.upperBound) are possible")
        self.init(SessionCache(capacity: capacity, sessionsPerServer: sessionsPerServer))
    }

    /// The number of sessions. Those that have expired are counted until they are searched for or dropped.
    public var count: Int { self.cache.count }

    /// Removes all sessions: the next connection to each server makes a full handshake.
    public func removeAll() { self.cache.removeAll() }
}

extension TLSSessionCache: Hashable {
    /// Returns whether two references are to the same cache.
    public static func == (left: TLSSessionCache, right: TLSSessionCache) -> Bool { left === right }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(self))
    }
}

extension TLSSessionCache: CustomStringConvertible, CustomReflectable {
    /// The number of sessions. The sessions themselves are never part of a description.
    public var description: String { "\(self.count) sessions" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension TLSSessionCache {
    /// The first eight bytes of the newest session's ticket, in hexadecimal digits: with most servers, the name of its key.
    package var newestTicketName: String? {
        self.cache.newestTicketPrefix.map { prefix in
            prefix.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}
