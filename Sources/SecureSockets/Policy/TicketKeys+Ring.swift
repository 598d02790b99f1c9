import TLSEngine

extension TicketKeys {
    /// Keys that several servers have in common, each with its times: what a source of keys gives to its servers.
    public struct Ring: Sendable, Hashable {
        /// The maximum number of keys.
        public static let maximumKeys = TicketKeyRing.mostGivenKeys

        /// The keys.
        public let keys: [Key]

        /// Creates a ring.
        ///
        /// - Parameter keys: 1 to 32 keys with different names. Of those that may seal at a time, the one that began last does; the first
        ///   of them, if they began together.
        /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if there is none, if there are too many, or if two have the same
        ///   name.
        public init(_ keys: [Key]) throws(SecureSocketError) {
            try OptionError.check(
                (1...Self.maximumKeys).contains(keys.count),
                "there are \(keys.count) ticket keys in a ring; 1 to \(Self.maximumKeys) are possible")
            var names: Set<UInt64> = []
            for key in keys {
                try OptionError.check(names.insert(key.given.id).inserted, "two ticket keys have the name \(key.name)")
            }
            self.keys = keys
        }
    }
}

extension TicketKeys.Ring {
    /// One key. Tickets are sealed with a key that is derived from its secret (HKDF-SHA256, RFC 5869).
    public struct Key: Sendable, Hashable {
        let given: GivenTicketKey

        /// The number of bytes of a name.
        public static let nameLength = 8

        /// Creates a key.
        ///
        /// - Parameters:
        ///   - name: Eight bytes that no other key has. Each ticket begins with them.
        ///   - secret: 32 to 1024 random bytes.
        ///   - sealsFrom: The time from which the key may seal tickets, in seconds since 1970-01-01 UTC. It opens them before, since other
        ///     clocks may be ahead. Default: at once.
        ///   - sealsUntil: The first time at which it does not seal any more. Default: there is none.
        ///   - opensUntil: The last time at which it opens tickets. Default: there is none.
        /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if the name has another length, or the times are not in this order.
        public init(
            name: some Collection<UInt8>, secret: TicketKeys.Secret, sealsFrom: Int64 = 0, sealsUntil: Int64 = .max,
            opensUntil: Int64 = .max
        ) throws(SecureSocketError) {
            try OptionError.check(
                name.count == Self.nameLength, "the name of a ticket key has \(name.count) bytes; \(Self.nameLength) are needed")
            try OptionError.check(
                0 <= sealsFrom && sealsFrom <= sealsUntil && sealsUntil <= opensUntil,
                "a ticket key seals from \(sealsFrom) to \(sealsUntil) and opens until \(opensUntil); these times must be in order"
            )
            self.given = GivenTicketKey(
                id: name.reduce(0) { $0 << 8 | UInt64($1) }, secret: secret.secret,
                times: TicketKeyTimes(
                    sealsFrom: UInt64(sealsFrom), sealsUntil: UInt64(sealsUntil), opensUntil: UInt64(opensUntil)))
        }

        /// The key's name: 16 hexadecimal digits.
        public var name: String { TicketKeys.name(of: self.given.id) }
        /// The time from which the key may seal tickets, in seconds since 1970-01-01 UTC.
        public var sealsFrom: Int64 { Int64(clamping: self.given.times.sealsFrom) }
        /// The first time at which it does not seal any more, in seconds since 1970-01-01 UTC.
        public var sealsUntil: Int64 { Int64(clamping: self.given.times.sealsUntil) }
        /// The last time at which it opens tickets, in seconds since 1970-01-01 UTC.
        public var opensUntil: Int64 { Int64(clamping: self.given.times.opensUntil) }
    }
}

extension TicketKeys.Ring.Key: CustomStringConvertible, CustomReflectable {
    /// The name. The secret is never part of a description.
    public var description: String { self.name }
    public var customMirror: Mirror { Mirror(self, children: ["name": self.name]) }
}
