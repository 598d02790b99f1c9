internal import CNIOBoringSSL

/// The times of a key, in seconds since 1970.
package struct TicketKeyTimes: Sendable, Hashable {
    package let sealsFrom: UInt64
    /// The first second in which it does not seal any more.
    package let sealsUntil: UInt64
    /// The last second in which it opens.
    package let opensUntil: UInt64

    package init(sealsFrom: UInt64, sealsUntil: UInt64, opensUntil: UInt64) {
        self.sealsFrom = sealsFrom
        self.sealsUntil = sealsUntil
        self.opensUntil = opensUntil
    }

    /// The times of a generated or derived key.
    init(created: UInt64) {
        self.init(
            sealsFrom: created, sealsUntil: created + TicketKeyRing.rotation,
            opensUntil: created + TicketKeyRing.rotation + TicketKeyRing.lifetime)
    }
}

/// A key as a source outside this process gives it.
package struct GivenTicketKey: Sendable, Hashable {
    /// The identifier with which the key's tickets begin.
    package let id: UInt64
    /// What the key is derived from.
    package let secret: TicketSecret
    package let times: TicketKeyTimes

    package init(id: UInt64, secret: TicketSecret, times: TicketKeyTimes) {
        self.id = id
        self.secret = secret
        self.times = times
    }

    /// The purpose of the derived bytes (RFC 5869 §3.2).
    fileprivate static let purpose = Array("secure-sockets given session ticket key, version 1".utf8)
}

/// One key, for AES-256-GCM-SIV (RFC 8452), which tolerates a repeated nonce.
///
/// A ticket is the key's identifier (8 bytes), the binding (8 bytes), the time of issue in seconds since 1970 (8 bytes, of which the first bit
/// says that the ticket is for one use), the nonce, and the sealed session or `SingleUseTicket`. The first three are authenticated.
///
/// Sendable without a check because BoringSSL permits concurrent sealing and opening with one context, which is not changed after `init`.
final class TicketKey: @unchecked Sendable {
    let id: UInt64
    let times: TicketKeyTimes
    private let context: UnsafeMutablePointer<EVP_AEAD_CTX>

    static let headerLength = 24
    static let nonceLength = 12
    static let tagLength = 16
    /// The number of bytes by which a ticket is longer than its session.
    static let overhead = headerLength + nonceLength + tagLength

    /// The length of what seals.
    private static let keyLength = 32
    /// The length of the bytes that make a key: its identifier, and what seals.
    static let materialLength = 8 + keyLength

    /// Generates a key; nil if the random generator or memory fails.
    convenience init?(created: UInt64) {
        var random = [UInt8](repeating: 0, count: Self.materialLength)
        defer { random.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        guard RAND_bytes(&random, random.count) == 1 else { return nil }
        self.init(random, times: TicketKeyTimes(created: created))
    }

    /// Creates a key from `materialLength` random bytes; nil if there are fewer or memory fails.
    convenience init?(_ material: [UInt8], times: TicketKeyTimes) {
        guard material.count == Self.materialLength, let context = Self.context(of: material.suffix(Self.keyLength)) else {
            return nil
        }
        self.init(id: material.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }, context: context, times: times)
    }

    /// Creates a given key; nil if memory fails.
    convenience init?(_ given: GivenTicketKey) {
        let context = given.secret.derive(Self.keyLength, for: GivenTicketKey.purpose) { Self.context(of: $0[...]) }
        guard let context else { return nil }
        self.init(id: given.id, context: context, times: given.times)
    }

    private init(id: UInt64, context: UnsafeMutablePointer<EVP_AEAD_CTX>, times: TicketKeyTimes) {
        self.id = id
        self.context = context
        self.times = times
    }

    private static func context(of key: ArraySlice<UInt8>) -> UnsafeMutablePointer<EVP_AEAD_CTX>? {
        key.withUnsafeBufferPointer { EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm_siv(), $0.baseAddress, $0.count, Self.tagLength) }
    }

    /// BoringSSL overwrites memory that it frees.
    deinit { EVP_AEAD_CTX_free(self.context) }

    /// The beginning of a ticket, which can be read without the key, and is authenticated by it.
    struct Header: Equatable {
        let key: UInt64
        let binding: UInt64
        /// Seconds since 1970.
        let issued: UInt64
        let isForOneUse: Bool

        private static let oneUse: UInt64 = 1 << 63

        init(key: UInt64, binding: UInt64, issued: UInt64, isForOneUse: Bool = false) {
            self.key = key
            self.binding = binding
            self.issued = issued & ~Self.oneUse
            self.isForOneUse = isForOneUse
        }

        /// nil if the ticket is too short.
        init?(of ticket: UnsafeBufferPointer<UInt8>) {
            guard ticket.count >= TicketKey.overhead else { return nil }
            let raw = UnsafeRawBufferPointer(ticket)
            func number(at offset: Int) -> UInt64 {
                UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            }
            let issued = number(at: 16)
            self.init(key: number(at: 0), binding: number(at: 8), issued: issued, isForOneUse: issued & Self.oneUse != 0)
        }

        func write(to target: UnsafeMutableRawPointer) {
            target.storeBytes(of: self.key.bigEndian, as: UInt64.self)
            target.storeBytes(of: self.binding.bigEndian, toByteOffset: 8, as: UInt64.self)
            target.storeBytes(
                of: (self.issued | (self.isForOneUse ? Self.oneUse : 0)).bigEndian, toByteOffset: 16, as: UInt64.self)
        }
    }

    /// Writes a ticket to `target`, which has room for `overhead` more bytes than the session. Returns its length; nil if it fails.
    func seal(
        _ session: UnsafeBufferPointer<UInt8>, binding: UInt64, issued: UInt64, isForOneUse: Bool = false,
        into target: UnsafeMutableBufferPointer<UInt8>
    ) -> Int? {
        guard let start = target.baseAddress, target.count >= session.count + Self.overhead else { return nil }
        Header(key: self.id, binding: binding, issued: issued, isForOneUse: isForOneUse).write(to: UnsafeMutableRawPointer(start))
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
