internal import CNIOBoringSSL

/// Keeps the shares of single-use tickets: for each ticket 32 random bytes, without which it cannot be opened.
///
/// The share is taken out when the ticket is used. After that the ticket is worthless, to an attacker with the ticket keys as well. A share is
/// worthless without the ticket keys.
package protocol SingleUseTicketStore: Sendable {
    /// Begins to keep a share, and does not wait.
    ///
    /// - Parameter lifetime: The number of seconds after which the share is of no use.
    /// - Returns: false if it will not be kept. No ticket is issued then.
    func keep(_ share: [UInt8], of ticket: [UInt8], lifetime: UInt64) -> Bool

    /// Takes a share out. Of several callers in all processes, at most one gets it.
    ///
    /// - Parameter isRecent: Whether the ticket was issued so recently that its share may still be on the way to the store.
    /// - Returns: The share, or the reason for which there is none: `alreadyUsed`, `storeTimedOut` or `storeUnavailable`.
    func take(_ ticket: [UInt8], isRecent: Bool) async -> Result<[UInt8], NoTicketShare>
}

/// The reason for which a store has no share.
package struct NoTicketShare: Error, Equatable {
    package let reason: ReasonForFullHandshake

    package init(_ reason: ReasonForFullHandshake) { self.reason = reason }
}

/// The inner part of a single-use ticket: its identifier, by which the store knows it, and the session, sealed with the share.
struct SingleUseTicket {
    static let identifierLength = 16
    static let shareLength = 32
    private static let tagLength = 16
    /// The number of bytes by which it is longer than the session.
    static let overhead = identifierLength + tagLength

    let identifier: [UInt8]
    let share: [UInt8]
    let bytes: [UInt8]

    /// Seals a session; nil if the random generator or memory fails.
    init?(sealing session: UnsafeBufferPointer<UInt8>) {
        var random = [UInt8](repeating: 0, count: Self.identifierLength + Self.shareLength)
        guard RAND_bytes(&random, random.count) == 1 else { return nil }
        let (identifier, share) = (Array(random.prefix(Self.identifierLength)), Array(random.suffix(Self.shareLength)))
        guard let context = Self.context(share) else { return nil }
        defer { EVP_AEAD_CTX_free(context) }
        let nonce = Self.nonce
        var bytes = identifier + [UInt8](repeating: 0, count: session.count + Self.tagLength)
        let result = bytes.withUnsafeMutableBufferPointer { bytes -> Int32 in
            var length = 0
            let target = UnsafeMutableBufferPointer(rebasing: bytes[Self.identifierLength...])
            return EVP_AEAD_CTX_seal(
                context, target.baseAddress, &length, target.count, nonce, nonce.count, session.baseAddress, session.count,
                bytes.baseAddress, Self.identifierLength)
        }
        guard result == 1 else { return nil }
        self.identifier = identifier
        self.share = share
        self.bytes = bytes
    }

    /// Replaces the inner part of a ticket by its session. Returns the session's length; nil if the share is not that of the ticket.
    static func open(_ bytes: UnsafeMutableBufferPointer<UInt8>, with share: [UInt8]) -> Int? {
        guard bytes.count >= Self.overhead, share.count == Self.shareLength, let context = Self.context(share) else { return nil }
        defer { EVP_AEAD_CTX_free(context) }
        let nonce = Self.nonce
        let sealed = UnsafeMutableBufferPointer(rebasing: bytes[Self.identifierLength...])
        var length = 0
        let result = EVP_AEAD_CTX_open(
            context, sealed.baseAddress, &length, sealed.count, nonce, nonce.count, sealed.baseAddress, sealed.count,
            bytes.baseAddress, Self.identifierLength)
        guard result == 1, let start = bytes.baseAddress else { return nil }
        start.update(from: start + Self.identifierLength, count: length)
        return length
    }

    /// A share seals one session, so the nonce can be constant.
    private static let nonce = [UInt8](repeating: 0, count: 12)

    private static func context(_ share: [UInt8]) -> UnsafeMutablePointer<EVP_AEAD_CTX>? {
        EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm_siv(), share, share.count, Self.tagLength)
    }
}
