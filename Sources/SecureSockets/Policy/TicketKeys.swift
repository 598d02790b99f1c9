package import TLSEngine

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The keys that protect the session tickets of servers (RFC 8446 §4.6.1, RFC 5077).
///
/// The newest key seals tickets; the newest eight open them. A new key is generated every 12 hours, when a ticket is to be sealed, and a key
/// is removed 60 hours after it was generated. Keys are never written anywhere, and overwritten when they are removed.
///
/// A listener keeps its keys when its configuration is replaced (``SecureListener/update(tls:)``). Two listeners can share them
/// (``ListenerOptions/ticketKeys``). A ticket is bound to the identity and the settings of the server that issued it, and to the rules by
/// which it verifies its clients: if those differ, the client's certificates are verified again before its session is resumed.
public final class TicketKeys: Sendable {
    package let ring = TicketKeyRing()

    /// Creates a ring of keys. The first one is generated when it is needed.
    public init() {}

    /// Makes a new key the one that seals tickets. Tickets of the former keys remain valid.
    public func rotate() {
        self.ring.rotate(now: UInt64(max(time(nil), 0)))
    }

    /// Removes all keys: no session established so far can be resumed. That includes the sessions that listeners with these keys keep for
    /// TLS 1.2 clients without ticket support. Use it if keys or a session may have been disclosed.
    public func removeAll() {
        self.ring.removeAll()
    }
}

extension TicketKeys: Hashable {
    /// Returns whether two references are to the same keys.
    public static func == (left: TicketKeys, right: TicketKeys) -> Bool { left === right }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(self))
    }
}

extension TicketKeys: CustomStringConvertible, CustomReflectable {
    /// The number of keys. The keys themselves are never part of a description.
    public var description: String { self.ring.description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
