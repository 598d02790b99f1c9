import NIOCore
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
/// One key seals tickets, and all open them. The keys of ``init(singleUse:)`` are generated, and are of use to this process only: a new key is
/// generated every 12 hours, when a ticket is to be sealed, the newest eight open tickets, and a key is removed 60 hours after it was
/// generated. They are never written anywhere. Several servers can have the same keys, derived from a ``Secret`` or given by a source as a
/// ``Ring``; <doc:ResumptionAcrossMachines> compares the sources. All keys are overwritten in memory when they are removed.
///
/// A listener keeps its keys when its configuration is replaced (``SecureListener/update(tls:)``). Two listeners can share them
/// (``ListenerOptions/ticketKeys``). A ticket is bound to the identity and the settings of the server that issued it, and to the rules by
/// which it verifies its clients: if those differ, the client's certificates are verified again before its session is resumed.
///
/// Derived keys need nothing but the secret:
///
/// ```swift
/// var options = ListenerOptions()
/// options.ticketKeys = try TicketKeys(derivedFrom: .init(file: "/run/secrets/ticket-secret"))
/// ```
///
/// The key that seals then changes at the same times everywhere, every 12 hours of UTC. It opens tickets from 12 hours before it seals until 48
/// hours after, so that clocks may differ. (A session is not resumed by a server whose clock has not reached the second in which the ticket
/// was issued.) With the secret, an attacker can decrypt recorded connections of TLS 1.2 for which a ticket was issued, and take part in
/// resumed ones in the place of a client or server: treat it as a private key, and replace it from time to time.
public final class TicketKeys: Sendable {
    package let ring: TicketKeyRing

    /// Creates a ring of keys. The first one is generated when it is needed.
    ///
    /// - Parameter singleUse: What makes tickets usable once. Default: nil; a ticket can be used until its session expires.
    public init(singleUse: SingleUseTickets? = nil) { self.ring = TicketKeyRing(singleUse: singleUse) }

    /// Creates a ring whose keys are derived from a secret (HKDF-SHA256, RFC 5869) and the time.
    ///
    /// To replace the secret of a fleet without losing sessions, first let all servers also open what the new one seals, then seal with the
    /// new one and open what the former one sealed, and drop the former one after 48 hours (``replaceSecret(with:alsoOpening:)``).
    ///
    /// - Parameters:
    ///   - secret: The secret whose keys seal tickets.
    ///   - others: Secrets whose keys only open tickets, at most three.
    ///   - singleUse: What makes tickets usable once. Default: nil; a ticket can be used until its session expires.
    /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if there are too many secrets.
    public init(
        derivedFrom secret: Secret, alsoOpening others: [Secret] = [], singleUse: SingleUseTickets? = nil
    ) throws(SecureSocketError) {
        self.ring = TicketKeyRing(derivedFrom: try Self.checked(secret, others), singleUse: singleUse)
    }

    /// Creates a ring of given keys.
    ///
    /// - Parameters:
    ///   - ring: The first keys. ``replace(with:)`` and ``follow(_:)`` replace them.
    ///   - singleUse: What makes tickets usable once. Default: nil; a ticket can be used until its session expires.
    public convenience init(_ ring: Ring, singleUse: SingleUseTickets? = nil) {
        self.init(singleUse: singleUse)
        self.replace(with: ring)
    }

    /// Replaces all keys, whether they were generated, derived or given. Tickets of keys that are not in the new ring are not opened any more; to
    /// lose no session, a ring keeps each key until the sessions of its last tickets have expired. A ring without any of the former given keys
    /// makes all sessions worthless (``removeAll()``).
    public func replace(with ring: Ring) { self.ring.replaceKeys(with: ring.keys.map(\.given)) }

    /// Replaces the keys with each ring of a sequence, until the sequence ends.
    ///
    /// Until the first ring has come, the keys are those with which they were created: generated ones seal tickets that only this process
    /// opens, and only until then.
    ///
    /// ``TicketKeyFiles`` and `RedisTicketKeys` of the product SecureSocketsRedis have such sequences. Any other source of keys can be one.
    ///
    /// - Parameter rings: The rings. When the sequence has ended, the keys remain as they are.
    /// - Throws: The error with which the sequence ends. If the task is **cancelled**, the function returns when the sequence ends; those of
    ///   this package end at once.
    public func follow<Rings: AsyncSequence>(_ rings: Rings) async throws(Rings.Failure) where Rings.Element == Ring {
        var iterator = rings.makeAsyncIterator()
        while let ring = try await iterator.next(isolation: #isolation) { self.replace(with: ring) }
    }

    private static func checked(_ secret: Secret, _ others: [Secret]) throws(SecureSocketError) -> [TicketSecret] {
        try OptionError.check(
            others.count < TicketKeyRing.mostSecrets,
            "there are \(others.count) further secrets for ticket keys; \(TicketKeyRing.mostSecrets - 1) are possible")
        return ([secret] + others).map(\.secret)
    }

    /// Replaces the secrets from which the keys are derived.
    ///
    /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if there are too many secrets, or if the keys are not derived. The
    ///   former secrets remain then.
    public func replaceSecret(with secret: Secret, alsoOpening others: [Secret] = []) throws(SecureSocketError) {
        let secrets = try Self.checked(secret, others)
        try OptionError.check(self.ring.replaceSecrets(with: secrets), "these ticket keys are not derived from a secret")
    }

    private static var now: UInt64 { UInt64(max(time(nil), 0)) }

    /// Makes a new key the one that seals tickets. Tickets of the former keys remain valid. Has no effect on derived keys, which depend on
    /// the time, and on given ones, which their source rotates.
    public func rotate() {
        self.ring.rotate(now: Self.now)
    }

    /// Makes all sessions established so far worthless: none can be resumed by listeners with these keys. That includes the sessions that
    /// they keep for TLS 1.2 clients without ticket support. Use it if keys or a session may have been disclosed.
    ///
    /// Generated keys are removed. Derived and given ones do not open tickets that were issued until now, by the clocks of the servers that
    /// issued them. This concerns the present process only: other servers with the same keys still resume the sessions, and so does this one
    /// after a restart. To forget the sessions of a fleet, replace the secret or the ring (<doc:ResumptionAcrossMachines>).
    public func removeAll() {
        self.ring.removeAll(now: Self.now)
    }

    /// The public properties of a key.
    public struct Key: Sendable, Hashable {
        /// The key's name: 16 hexadecimal digits, with which each of its tickets begins.
        public let name: String
        /// The beginning of the time in which the key seals tickets, in seconds since 1970-01-01 UTC; 0 if it has none. A generated key was
        /// created then.
        public let sealsFrom: Int64
        /// The end of the time in which the key seals tickets, in seconds since 1970-01-01 UTC; `Int64.max` if it has none.
        public let sealsUntil: Int64
        /// The end of the time in which the key opens tickets, in seconds since 1970-01-01 UTC; `Int64.max` if it has none.
        public let opensUntil: Int64
    }

    /// The keys that open tickets at present. If one of them seals, it is the first. Generated keys are empty until the first ticket is
    /// sealed.
    public var keys: [Key] {
        self.ring.information(now: Self.now).map { key in
            Key(
                name: Self.name(of: key.id), sealsFrom: Int64(clamping: key.times.sealsFrom),
                sealsUntil: Int64(clamping: key.times.sealsUntil), opensUntil: Int64(clamping: key.times.opensUntil))
        }
    }
}

extension TicketKeys {
    /// The name of a key: 16 hexadecimal digits.
    static func name(of id: UInt64) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension TicketKeys {
    /// A secret from which ticket keys are derived, the same on all machines of a service: 32 to 1024 bytes from a secure random generator, for
    /// example the output of `openssl rand -base64 48`. Exports of a client's sessions are sealed with one, too (``TLSSessionCache``); the
    /// keys derived for the two purposes are independent.
    public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
        package let secret: TicketSecret

        private static let lengths = 32...1024

        /// Creates a secret that is known to be one.
        package init(_ secret: TicketSecret) { self.secret = secret }

        /// Creates a secret from its bytes.
        ///
        /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if there are too few or too many bytes, or if they are evidently
        ///   not random.
        public init(_ bytes: some Collection<UInt8>) throws(SecureSocketError) {
            try self.init(Array(bytes), of: "the secret for sessions")
        }

        /// Creates a secret from a file. A line break at its end is not part of the secret.
        ///
        /// The file is read at once, in the calling thread.
        ///
        /// - Throws: ``SecureSocketError`` with the code `invalidConfiguration` if the file cannot be read, and `invalidArgument` if it is
        ///   not a secret.
        public init(file path: String) throws(SecureSocketError) {
            let bytes: [UInt8]
            do {
                bytes = try FileContent(reading: path, as: .ticketSecret).bytes
            } catch {
                throw SecureSocketError(error)
            }
            try self.init(text: bytes, of: "the secret for sessions \(path.escapedForDisplay)")
        }

        /// Creates a secret from the value of an environment variable.
        ///
        /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if the variable is not set or its value is not a secret.
        public init(environment variable: String) throws(SecureSocketError) {
            let name = "the secret for sessions in the environment variable \(variable.escapedForDisplay)"
            guard let value = getenv(variable) else {
                throw SecureSocketError(
                    .invalidArgument, blame: .configuration, step: .configuring, "\(name) is missing",
                    advice: "Set it to the output of: openssl rand -base64 48")
            }
            try self.init(text: Array(String(cString: value).utf8), of: name)
        }

        private init(text bytes: [UInt8], of name: String) throws(SecureSocketError) {
            var bytes = bytes
            if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            try self.init(bytes, of: name)
        }

        init(_ bytes: some Collection<UInt8>, of name: String) throws(SecureSocketError) {
            let fault: String? =
                if !Self.lengths.contains(bytes.count) {
                    "has \(bytes.count) bytes; \(Self.lengths.lowerBound) to \(Self.lengths.upperBound) are possible"
                } else if Set(bytes).count < 8 {
                    "is not random"
                } else {
                    nil
                }
            if let fault {
                throw SecureSocketError(
                    .invalidArgument, blame: .configuration, step: .configuring, "\(name) \(fault)",
                    advice: "Make one with: openssl rand -base64 48")
            }
            self.secret = TicketSecret(Array(bytes))
        }

        /// A constant text. The secret itself is never part of a description.
        public var description: String { self.secret.description }
        public var customMirror: Mirror { Mirror(self, children: []) }
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
