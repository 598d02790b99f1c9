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
///
/// Keys can be derived instead, from secrets that servers of several processes have in common and from the time (`TicketSecret`). An epoch
/// is as long as `rotation`; its key seals during it, and is known before, so that clocks may differ by as much:
///
///     key of the epoch          seals               opens
///     the next one              no                  yes
///     the present one           of the first secret yes
///     the last four             no                  yes
///     any other                 no                  no
package final class TicketKeyRing: Sendable {
    /// The time for which a key seals, in seconds.
    package static let rotation: UInt64 = 12 * 3600
    /// The longest time for which a session can be resumed, in seconds (RFC 8446 §4.6.1 permits a week).
    package static let lifetime: UInt64 = 48 * 3600
    /// The largest number of keys. Rotation by time needs six. Beyond it, the oldest key is removed.
    package static let mostKeys = 8

    /// The numbers of the epochs whose derived keys open tickets, relative to the present one. Those of the past are as long as `lifetime`.
    fileprivate static let derivedEpochs = -4...1
    /// The largest number of secrets.
    package static let mostSecrets = 4

    fileprivate struct FormerKey {
        let id: UInt64
        /// `retiredKey` or `forgotten`.
        let reason: ReasonForFullHandshake
    }

    fileprivate struct State {
        /// Newest first; or the derived keys of the epoch, the one that seals first.
        var keys: [TicketKey] = []
        /// Empty if keys are generated.
        var secrets: [TicketSecret] = []
        /// The epoch for which `keys` were derived.
        var epoch: UInt64?
        /// The latest keys that were removed, oldest first; at most `mostFormerKeys`.
        var formerKeys: [FormerKey] = []
        /// The time of the last removal, in seconds since 1970. Tickets issued until then are not opened.
        var removal: UInt64 = 0
    }

    private let state: Mutex<State>
    private let removals = Atomic<Int>(0)

    package init() { self.state = Mutex(State()) }

    /// Creates a ring of derived keys.
    ///
    /// - Parameter secrets: The secrets, 1 to `mostSecrets`. The keys of the first one seal.
    package init(derivedFrom secrets: [TicketSecret]) { self.state = Mutex(State(secrets: secrets)) }

    /// Replaces the secrets of a ring of derived keys. Returns false if its keys are generated.
    package func replaceSecrets(with secrets: [TicketSecret]) -> Bool {
        self.state.withLock { state in
            guard !state.secrets.isEmpty else { return false }
            state.secrets = secrets
            state.epoch = nil
            return true
        }
    }

    /// Makes a new key the one that seals. Tickets of the former keys remain valid.
    ///
    /// - Parameter now: Seconds since 1970.
    /// - Returns: false if the random generator or memory failed, or if keys are derived. The keys are unchanged then.
    @discardableResult
    package func rotate(now: UInt64) -> Bool {
        guard let key = TicketKey(created: now) else { return false }
        return self.state.withLock { state in
            guard state.secrets.isEmpty else { return false }
            state.prepend(key)
            return true
        }
    }

    /// Makes all tickets sealed so far worthless: removes generated keys; derived ones do not open what was issued until now. Listeners also
    /// forget the sessions that they keep for clients without tickets (`LiveServerContext.current`).
    ///
    /// - Parameter now: Seconds since 1970.
    package func removeAll(now: UInt64) {
        self.state.withLock { state in
            if state.secrets.isEmpty {
                state.keep(otherwise: .forgotten) { _ in false }
            } else {
                state.removal = max(state.removal, now)
            }
        }
        self.removals.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    /// The number of calls of `removeAll`.
    var removalCount: Int { self.removals.load(ordering: .sequentiallyConsistent) }

    package var count: Int { self.state.withLock { $0.keys.count } }

    /// What a program may know of a key.
    package struct KeyInformation: Sendable {
        package let id: UInt64
        /// The beginning and the end of the time in which it opens tickets, and the end of that in which it seals, in seconds since 1970.
        package let created: UInt64
        package let sealsUntil: UInt64
        package let opensUntil: UInt64
    }

    /// The keys that open tickets now, the one that seals first.
    package func information(now: UInt64) -> [KeyInformation] {
        self.state.withLock { state in
            state.deriveKeys(now: now)
            return state.keys.map { key in
                KeyInformation(
                    id: key.id, created: key.created, sealsUntil: key.created + Self.rotation,
                    opensUntil: key.created + Self.rotation + Self.lifetime)
            }
        }
    }

    /// Returns the key that seals, after a rotation if one is due; nil if no key can be made.
    func sealingKey(now: UInt64) -> TicketKey? {
        self.state.withLock { state in
            if !state.secrets.isEmpty {
                state.deriveKeys(now: now)
                return state.keys.first
            }
            // A clock that was set back makes no key too old.
            if let newest = state.keys.first, now < newest.created + Self.rotation { return newest }
            guard let key = TicketKey(created: now) else { return nil }
            state.keep { $0.created + Self.rotation + Self.lifetime >= now }
            state.prepend(key)
            return key
        }
    }

    /// Returns the key with this identifier if it still opens tickets that were issued at a time, or the reason for which there is none:
    /// `forgotten`, `retiredKey` or `unknownKey`.
    func openingKey(_ id: UInt64, issued: UInt64, now: UInt64) -> Result<TicketKey, NoTicketKey> {
        self.state.withLock { state in
            guard issued > state.removal || state.removal == 0 else { return .failure(NoTicketKey(.forgotten)) }
            state.deriveKeys(now: now)
            guard let key = state.keys.first(where: { $0.id == id }) else {
                return .failure(NoTicketKey(state.reasonForAbsence(of: id, issued: issued, now: now)))
            }
            guard now <= key.created + Self.rotation + Self.lifetime else { return .failure(NoTicketKey(.retiredKey)) }
            return .success(key)
        }
    }

    /// The largest number of removed keys whose identifiers are kept, to name the reason for which their tickets are declined.
    fileprivate static let mostFormerKeys = 16
}

/// The reason for which a ring has no key for a ticket.
struct NoTicketKey: Error {
    let reason: ReasonForFullHandshake

    init(_ reason: ReasonForFullHandshake) { self.reason = reason }
}

extension TicketKeyRing.State {
    /// Makes a key the one that seals. The oldest is removed if there are too many.
    fileprivate mutating func prepend(_ key: TicketKey) {
        self.keys.insert(key, at: 0)
        let oldest = self.keys.count > TicketKeyRing.mostKeys ? self.keys.last?.id : nil
        self.keep { $0.id != oldest }
    }

    /// Removes the keys that do not satisfy a condition.
    fileprivate mutating func keep(otherwise reason: ReasonForFullHandshake = .retiredKey, where condition: (TicketKey) -> Bool) {
        let removed = self.keys.filter { !condition($0) }
        self.keys.removeAll { !condition($0) }
        self.formerKeys += removed.map { TicketKeyRing.FormerKey(id: $0.id, reason: reason) }
        self.formerKeys.removeFirst(max(self.formerKeys.count - TicketKeyRing.mostFormerKeys, 0))
    }

    /// - Parameter issued: The time in the ticket, which is not authenticated without its key.
    fileprivate func reasonForAbsence(of id: UInt64, issued: UInt64, now: UInt64) -> ReasonForFullHandshake {
        if let former = self.formerKeys.last(where: { $0.id == id }) { return former.reason }
        return now - min(issued, now) > TicketKeyRing.rotation + TicketKeyRing.lifetime ? .retiredKey : .unknownKey
    }

    /// Derives the keys of the present epoch, once in each: at most 24, however many tickets are presented. Does nothing if keys are
    /// generated.
    fileprivate mutating func deriveKeys(now: UInt64) {
        let epoch = now / TicketKeyRing.rotation
        guard !self.secrets.isEmpty, self.epoch != epoch else { return }
        self.epoch = epoch
        let others = TicketKeyRing.derivedEpochs.filter { $0 != 0 }
        self.keys = self.secrets.flatMap { secret in
            ([0] + others).compactMap { offset -> TicketKey? in
                let (number, overflow) = epoch.addingReportingOverflow(UInt64(bitPattern: Int64(offset)))
                // Before 1970 there are no epochs. A negative offset overflows unless it goes that far.
                return overflow == (offset < 0) ? secret.key(ofEpoch: number) : nil
            }
        }
    }
}

extension TicketKeyRing: CustomStringConvertible, CustomReflectable {
    /// The number of keys. The keys themselves are never part of a description.
    package var description: String { "\(self.count) ticket keys" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// A secret from which servers of several processes derive the same keys.
package struct TicketSecret: Sendable, Hashable {
    private let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The purpose of the derived bytes, their format, and the epoch's number (RFC 5869 §3.2).
    private static let purpose = Array("secure-sockets session ticket key, version 1".utf8)

    /// Returns the key of an epoch; nil if memory fails.
    fileprivate func key(ofEpoch number: UInt64) -> TicketKey? {
        var information = Self.purpose
        withUnsafeBytes(of: number.bigEndian) { information.append(contentsOf: $0) }
        var material = [UInt8](repeating: 0, count: TicketKey.materialLength)
        defer { material.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        let result = HKDF(
            &material, material.count, EVP_sha256(), self.bytes, self.bytes.count, nil, 0, information, information.count)
        return result == 1 ? TicketKey(material, created: number * TicketKeyRing.rotation) : nil
    }
}

extension TicketSecret: CustomStringConvertible, CustomReflectable {
    package var description: String { "a secret for ticket keys" }
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

    /// The length of the bytes that make a key: its identifier, and what seals.
    static let materialLength = 8 + 32

    /// Generates a key; nil if the random generator or memory fails.
    convenience init?(created: UInt64) {
        var random = [UInt8](repeating: 0, count: Self.materialLength)
        defer { random.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        guard RAND_bytes(&random, random.count) == 1 else { return nil }
        self.init(random, created: created)
    }

    /// Creates a key from `materialLength` random bytes; nil if there are fewer or memory fails.
    init?(_ material: [UInt8], created: UInt64) {
        guard material.count >= Self.materialLength else { return nil }
        let context = material.withUnsafeBufferPointer { material in
            material.baseAddress.flatMap { EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm_siv(), $0 + 8, 32, Self.tagLength) }
        }
        guard let context else { return nil }
        self.context = context
        self.id = material.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
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
