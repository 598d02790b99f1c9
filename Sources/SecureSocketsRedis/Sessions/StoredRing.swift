internal import SecureSockets
internal import TLSEngine

/// The ring of ticket keys as it is in the store, and its rotation.
///
/// Times are in seconds since 1970. At any time there is a key that seals and the next one, which all servers know for as long as the present
/// one seals:
///
///     period        n-1            n             n+1
///     key n-1    ···seals─┤opens──────────────···
///     key n      opens────├seals──┤opens──────···
///     key n+1             ├opens──├seals──···
///                         ↑ at the beginning of period n, key n+1 is added
struct StoredRing: Equatable {
    struct Key: Equatable {
        let name: [UInt8]
        let secret: [UInt8]
        let sealsFrom: Int64
        var sealsUntil: Int64
        var opensUntil: Int64
    }

    /// How long keys are used.
    struct Schedule: Equatable {
        /// The time for which a key seals.
        let rotation: Int64
        /// The time for which it opens afterwards.
        let lifetime: Int64
    }

    /// Increases with each change, and is at least the time of the change. A writer states the generation that its change is based on.
    var generation: Int64
    /// Oldest first.
    var keys: [Key]

    /// The number of bytes of a generated secret.
    static let secretLength = 48

    /// A ring of two new keys, or nil if the random generator fails.
    static func new(at now: Int64, after generation: Int64, _ schedule: Schedule) -> StoredRing? {
        var ring = StoredRing(generation: max(generation + 1, now), keys: [])
        guard ring.append(sealsFrom: now, schedule), ring.append(sealsFrom: now + schedule.rotation, schedule) else { return nil }
        return ring
    }

    /// Whether a key is to be added or removed.
    func isDue(at now: Int64) -> Bool { !self.keys.contains { $0.sealsFrom > now } || self.keys.contains { $0.opensUntil < now } }

    /// The ring after what is due; nil if the random generator fails.
    func rotated(at now: Int64, _ schedule: Schedule) -> StoredRing? {
        var ring = self
        ring.generation = max(self.generation + 1, now)
        ring.keys.removeAll { $0.opensUntil < now }
        // After a long time without a rotation no key seals any more.
        if !ring.keys.contains(where: { $0.sealsUntil > now }), !ring.append(sealsFrom: now, schedule) { return nil }
        if !ring.keys.contains(where: { $0.sealsFrom > now }) {
            let next = ring.keys.map(\.sealsUntil).max() ?? now
            guard ring.append(sealsFrom: next, schedule) else { return nil }
        }
        return ring
    }

    /// The ring with its next key sealing after a delay, in which servers learn of the one after it; nil if the random generator fails.
    func advanced(at now: Int64, delay: Int64, _ schedule: Schedule) -> StoredRing? {
        guard let ring = self.rotated(at: now, schedule), let next = ring.keys.firstIndex(where: { $0.sealsFrom > now }) else {
            return nil
        }
        let start = min(now + delay, ring.keys[next].sealsFrom)
        var keys = ring.keys
        for index in keys.indices where keys[index].sealsFrom <= now {
            keys[index].sealsUntil = min(keys[index].sealsUntil, start)
        }
        let former = keys[next]
        keys[next] = Key(
            name: former.name, secret: former.secret, sealsFrom: start, sealsUntil: start + schedule.rotation,
            opensUntil: start + schedule.rotation + schedule.lifetime)
        var advanced = StoredRing(generation: ring.generation, keys: Array(keys[...next]))
        return advanced.append(sealsFrom: start + schedule.rotation, schedule) ? advanced : nil
    }

    private mutating func append(sealsFrom start: Int64, _ schedule: Schedule) -> Bool {
        guard let random = RandomBytes.generate(TicketKeys.Ring.Key.nameLength + Self.secretLength) else { return false }
        let end = start + schedule.rotation
        self.keys.append(
            Key(
                name: Array(random.prefix(TicketKeys.Ring.Key.nameLength)), secret: Array(random.suffix(Self.secretLength)),
                sealsFrom: start, sealsUntil: end, opensUntil: end + schedule.lifetime))
        return true
    }

    /// The ring for the servers.
    func ring() throws(SecureSocketError) -> TicketKeys.Ring {
        var keys: [TicketKeys.Ring.Key] = []
        for key in self.keys {
            keys.append(
                try .init(
                    name: key.name, secret: .init(key.secret), sealsFrom: key.sealsFrom, sealsUntil: key.sealsUntil,
                    opensUntil: key.opensUntil))
        }
        return try TicketKeys.Ring(keys)
    }
}

// MARK: Encoding

/// A ring in the store is the number of its keys (1 byte) and, for each, its name (8 bytes), three times (8 bytes each) and its secret (48 bytes),
/// sealed. The generation and the name of the ring are authenticated with it.
extension StoredRing {
    /// The purpose of the key that seals rings (RFC 5869 §3.2).
    private static let purpose = Array("secure-sockets ticket keys in a store, version 1".utf8)

    private static let keyLength = TicketKeys.Ring.Key.nameLength + 3 * 8 + secretLength

    /// nil if memory or the random generator fails.
    func sealed(with secret: TicketSecret, as name: String) -> [UInt8]? {
        var bytes = [UInt8(clamping: self.keys.count)]
        for key in self.keys {
            bytes += key.name
            for time in [key.sealsFrom, key.sealsUntil, key.opensUntil] {
                withUnsafeBytes(of: time.bigEndian) { bytes.append(contentsOf: $0) }
            }
            bytes += key.secret
        }
        return secret.seal(bytes, for: Self.purpose, authenticating: Self.context(name, self.generation))
    }

    /// nil if the bytes are not a ring that was sealed with one of the secrets under this name and generation.
    init?(_ sealed: [UInt8], generation: Int64, sealedWith secrets: [TicketSecret], as name: String) {
        let context = Self.context(name, generation)
        let opened = secrets.lazy.compactMap { $0.open(sealed, for: Self.purpose, authenticating: context) }.first
        guard let opened, let count = opened.first, opened.count == 1 + Int(count) * Self.keyLength else { return nil }
        var rest = opened.dropFirst()
        func take(_ length: Int) -> [UInt8] {
            defer { rest = rest.dropFirst(length) }
            return Array(rest.prefix(length))
        }
        func time() -> Int64 { Int64(bitPattern: take(8).reduce(0) { $0 << 8 | UInt64($1) }) }
        self.generation = generation
        self.keys = (0..<count).map { _ in
            let name = take(TicketKeys.Ring.Key.nameLength)
            let (sealsFrom, sealsUntil, opensUntil) = (time(), time(), time())
            return Key(
                name: name, secret: take(Self.secretLength), sealsFrom: sealsFrom, sealsUntil: sealsUntil, opensUntil: opensUntil)
        }
    }

    private static func context(_ name: String, _ generation: Int64) -> [UInt8] {
        Array(name.utf8) + withUnsafeBytes(of: generation.bigEndian) { Array($0) }
    }
}
