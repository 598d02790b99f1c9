internal import CNIOBoringSSL
import Synchronization

/// The keys that protect a server's session tickets. The newest one seals; all of them open.
///
///     age of a key              seals    opens
///     less than `rotation`      yes      yes
///     up to rotation + lifetime no       yes
///     older                     no       no: the key is removed
///
/// A new key is generated when a ticket is to be sealed and the newest key is older than `rotation`. There are at most `mostKeys` keys.
/// Servers that share a ring resume each other's sessions, as far as their configurations accept the same peers.
package final class TicketKeyRing: Sendable {
    /// The time for which a key seals, in seconds.
    package static let rotation: UInt64 = 12 * 3600
    /// The longest time for which a session can be resumed, in seconds (RFC 8446 §4.6.1 permits a week).
    package static let lifetime: UInt64 = 48 * 3600
    /// The largest number of keys. Rotation by time needs six. Beyond it, the oldest key is removed.
    package static let mostKeys = 8

    /// Newest first.
    private let keys = Mutex<[TicketKey]>([])
    private let removals = Atomic<Int>(0)

    package init() {}

    /// Makes a new key the one that seals. Tickets of the former keys remain valid.
    ///
    /// - Parameter now: Seconds since 1970.
    /// - Returns: false if the random generator or memory failed. The keys are unchanged then.
    @discardableResult
    package func rotate(now: UInt64) -> Bool {
        guard let key = TicketKey(created: now) else { return false }
        self.keys.withLock { $0 = Array(([key] + $0).prefix(Self.mostKeys)) }
        return true
    }

    /// Removes all keys: no ticket sealed so far can be opened. Listeners also forget the sessions that they keep for clients without
    /// tickets (`LiveServerContext.current`).
    package func removeAll() {
        self.keys.withLock { $0.removeAll() }
        self.removals.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    /// The number of calls of `removeAll`.
    var removalCount: Int { self.removals.load(ordering: .sequentiallyConsistent) }

    package var count: Int { self.keys.withLock { $0.count } }

    /// Returns the key that seals, after a rotation if one is due; nil if no key can be made.
    func sealingKey(now: UInt64) -> TicketKey? {
        self.keys.withLock { keys in
            // A clock that was set back makes no key too old.
            if let newest = keys.first, now < newest.created + Self.rotation { return newest }
            guard let key = TicketKey(created: now) else { return nil }
            keys.removeAll { $0.created + Self.rotation + Self.lifetime < now }
            keys = Array(([key] + keys).prefix(Self.mostKeys))
            return key
        }
    }

    /// Returns the key with this identifier, if it still opens tickets.
    func openingKey(_ id: UInt64, now: UInt64) -> TicketKey? {
        self.keys.withLock { keys in
            keys.first { $0.id == id && now <= $0.created + Self.rotation + Self.lifetime }
        }
    }
}

extension TicketKeyRing: CustomStringConvertible, CustomReflectable {
    /// The number of keys. The keys themselves are never part of a description.
    package var description: String { "\(self.count) ticket keys" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// One key, for AES-256-GCM-SIV (RFC 8452), which tolerates a repeated nonce.
///
/// A ticket is the key's identifier (8 bytes), the binding (8 bytes), the time of issue in seconds since 1970 (8 bytes), the nonce, and the
/// sealed session. The first three are authenticated.
///
/// Sendable without a check because BoringSSL permits concurrent sealing and opening with one context, which is not changed after `init`.
final class TicketKey: @unchecked Sendable {
    let id: UInt64
    /// Seconds since 1970.
    let created: UInt64
    private let context: UnsafeMutablePointer<EVP_AEAD_CTX>

    static let headerLength = 24
    static let nonceLength = 12
    static let tagLength = 16
    /// The number of bytes by which a ticket is longer than its session.
    static let overhead = headerLength + nonceLength + tagLength

    /// Generates a key; nil if the random generator or memory fails.
    init?(created: UInt64) {
        var random = [UInt8](repeating: 0, count: 8 + 32)
        defer { random.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        guard RAND_bytes(&random, random.count) == 1 else { return nil }
        let context = random.withUnsafeBufferPointer { random in
            random.baseAddress.flatMap { EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm_siv(), $0 + 8, 32, Self.tagLength) }
        }
        guard let context else { return nil }
        self.context = context
        self.id = random.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        self.created = created
    }

    /// BoringSSL overwrites memory that it frees.
    deinit { EVP_AEAD_CTX_free(self.context) }

    /// The identifier, the binding and the time of issue of a ticket, not yet authenticated; nil if the ticket is too short.
    static func header(of ticket: UnsafeBufferPointer<UInt8>) -> (id: UInt64, binding: UInt64, issued: UInt64)? {
        guard ticket.count >= Self.overhead else { return nil }
        let raw = UnsafeRawBufferPointer(ticket)
        return (
            UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self)),
            UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
            UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        )
    }

    /// Writes a ticket to `target`, which has room for `overhead` more bytes than the session. Returns its length; nil if it fails.
    func seal(
        _ session: UnsafeBufferPointer<UInt8>, binding: UInt64, issued: UInt64, into target: UnsafeMutableBufferPointer<UInt8>
    ) -> Int? {
        guard let start = target.baseAddress, target.count >= session.count + Self.overhead else { return nil }
        let raw = UnsafeMutableRawPointer(start)
        raw.storeBytes(of: self.id.bigEndian, as: UInt64.self)
        raw.storeBytes(of: binding.bigEndian, toByteOffset: 8, as: UInt64.self)
        raw.storeBytes(of: issued.bigEndian, toByteOffset: 16, as: UInt64.self)
        let nonce = start + Self.headerLength
        guard RAND_bytes(nonce, Self.nonceLength) == 1 else { return nil }
        var length = 0
        let sealed = nonce + Self.nonceLength
        let result = EVP_AEAD_CTX_seal(
            self.context, sealed, &length, target.count - Self.headerLength - Self.nonceLength, nonce, Self.nonceLength,
            session.baseAddress, session.count, start, Self.headerLength)
        return result == 1 ? Self.headerLength + Self.nonceLength + length : nil
    }

    /// Writes the session of a ticket to `target`. Returns its length; nil if the ticket is not authentic.
    func open(_ ticket: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>) -> Int? {
        guard let start = ticket.baseAddress, ticket.count >= Self.overhead else { return nil }
        let nonce = start + Self.headerLength
        let sealed = nonce + Self.nonceLength
        var length = 0
        let result = EVP_AEAD_CTX_open(
            self.context, target.baseAddress, &length, target.count, nonce, Self.nonceLength, sealed,
            ticket.count - Self.headerLength - Self.nonceLength, start, Self.headerLength)
        return result == 1 ? length : nil
    }
}
