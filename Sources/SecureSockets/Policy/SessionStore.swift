/// A store that the servers of a fleet have in common, for ``SingleUseTickets``.
///
/// `RedisSessionStore` of the product SecureSocketsRedis is one. Others can be built over any service that can remove a value and return it
/// in one step.
///
/// The functions are called by many tasks at the same time: `take` while a handshake waits, `insert` beside it. When the deadline of
/// ``SingleUseTickets`` is over, the task is **cancelled**, and the function should give up: until it returns, the request counts as one under
/// way.
public protocol SessionStore: Sendable {
    /// Keeps a value under a key until it is taken or its lifetime is over.
    ///
    /// - Parameters:
    ///   - value: At most 64 bytes. It need not be kept secret from administrators of the store.
    ///   - key: 16 random bytes.
    ///   - lifetime: The time after which the value is of no use.
    /// - Throws: Any error if the value cannot be kept.
    func insert(_ value: [UInt8], for key: [UInt8], lifetime: Duration) async throws

    /// Removes a value and returns it. Of several callers, in whatever process, at most one must get it.
    ///
    /// - Returns: The value; nil if there is none under the key.
    /// - Throws: Any error if that cannot be found out.
    func take(_ key: [UInt8]) async throws -> [UInt8]?
}
