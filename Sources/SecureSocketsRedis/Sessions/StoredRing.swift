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
///
/// Of two rings, the later one is that with the later `forgottenUntil`; if that is the same, that with the higher generation.
struct StoredRing: Equatable {
    struct Key: Equatable {
        let name: [UInt8]
        let secret: TicketSecret
        var sealsFrom: Int64
        var sealsUntil: Int64
        var opensUntil: Int64
    }

    /// How long keys are used.
    struct Schedule: Equatable {
        /// The time for which a key seals.
        let rotation: Int64
        /// The time for which it opens afterwards.
        let lifetime: Int64

        /// The number of keys in a ring at most: those that open after they have sealed, the one that seals, the next one, and one more while a
        /// rotation is brought forward.
        var mostKeys: Int64 { (self.lifetime + self.rotation - 1) / self.rotation + 3 }
    }

    /// Increases with each change, and is at least the time of the change. A writer states the generation that its change is based on.
    var generation: Int64
    /// The time at which all sessions were last made worthless.
    var forgottenUntil: Int64
    let schedule: Schedule
    /// Oldest first.
    var keys: [Key]

    /// The number of bytes of a generated secret.
    static let secretLength = 48
    /// Times and generations that are later than this are not used, so that sums do not overflow: the year 5138.
    static let latest: Int64 = 100_000_000_000

    /// A ring of two new keys; nil if the random generator fails. The first may seal before, so that servers whose clocks are behind can use it.
    static func new(at now: Int64, after generation: Int64 = 0, forgottenUntil: Int64 = 0, _ schedule: Schedule) -> StoredRing? {
        var ring = StoredRing(
            generation: max(generation + 1, now), forgottenUntil: forgottenUntil, schedule: schedule, keys: [])
        guard ring.append(sealsFrom: now, schedule), ring.append(sealsFrom: now + schedule.rotation, schedule) else { return nil }
        ring.keys[0].sealsFrom = max(now - schedule.rotation, 0)
        return ring
    }

    func isLater(than other: StoredRing) -> Bool {
        (self.forgottenUntil, self.generation) > (other.forgottenUntil, other.generation)
    }

    /// Whether a key is to be added or removed.
    func isDue(at now: Int64) -> Bool {
        !self.hasSealingKey(at: now) || !self.keys.contains { $0.sealsFrom > now } || self.keys.contains { $0.opensUntil < now }
    }

    private func hasSealingKey(at now: Int64) -> Bool { self.keys.contains { $0.sealsFrom <= now && now < $0.sealsUntil } }

    /// The ring after what is due; nil if the random generator fails.
    func rotated(at now: Int64, _ schedule: Schedule) -> StoredRing? {
        var ring = StoredRing(
            generation: max(self.generation + 1, now), forgottenUntil: self.forgottenUntil, schedule: schedule,
            keys: self.keys.filter { $0.opensUntil >= now })
        // After a long time without a rotation no key seals any more; or all begin later, because the clock of their writer was ahead.
        if !ring.hasSealingKey(at: now), !ring.append(sealsFrom: now, schedule) { return nil }
        if !ring.keys.contains(where: { $0.sealsFrom > now }) {
            let next = ring.keys.map(\.sealsUntil).max() ?? now
            guard ring.append(sealsFrom: next, schedule) else { return nil }
        }
        ring.removeOldest()
        return ring
    }

    /// The ring with its next key sealing after a delay, in which servers learn of the one after it; nil if the random generator fails.
    func advanced(at now: Int64, delay: Int64) -> StoredRing? {
        guard var ring = self.rotated(at: now, self.schedule), let next = ring.keys.firstIndex(where: { $0.sealsFrom > now })
        else { return nil }
        let start = min(now + delay, ring.keys[next].sealsFrom)
        for index in ring.keys.indices where ring.keys[index].sealsFrom <= now {
            ring.keys[index].sealsUntil = min(ring.keys[index].sealsUntil, start)
        }
        ring.keys[next].sealsFrom = start
        ring.keys[next].sealsUntil = start + self.schedule.rotation
        ring.keys[next].opensUntil = start + self.schedule.rotation + self.schedule.lifetime
        ring.keys.removeSubrange((next + 1)...)
        guard ring.append(sealsFrom: start + self.schedule.rotation, self.schedule) else { return nil }
        ring.removeOldest()
        return ring
    }

    private mutating func append(sealsFrom start: Int64, _ schedule: Schedule) -> Bool {
        guard let name = RandomBytes.generate(TicketKeys.Ring.Key.nameLength),
            let secret = RandomBytes.generate(Self.secretLength)
        else { return false }
        let end = start + schedule.rotation
        self.keys.append(
            Key(
                name: name, secret: TicketSecret(erasing: secret), sealsFrom: start, sealsUntil: end,
                opensUntil: end + schedule.lifetime))
        return true
    }

    /// Removes the oldest keys that a ring has no room for, as after many rotations that were brought forward.
    private mutating func removeOldest() { self.keys.removeFirst(max(self.keys.count - TicketKeys.Ring.maximumKeys, 0)) }

    /// The ring for the servers.
    func ring() throws(SecureSocketError) -> TicketKeys.Ring {
        var keys: [TicketKeys.Ring.Key] = []
        for key in self.keys {
            keys.append(
                try .init(
                    name: key.name, secret: TicketKeys.Secret(key.secret), sealsFrom: key.sealsFrom, sealsUntil: key.sealsUntil,
                    opensUntil: key.opensUntil))
        }
        return try TicketKeys.Ring(keys)
    }
}

extension StoredRing: CustomStringConvertible, CustomReflectable {
    /// The generation and the number of keys.
    var description: String { "generation \(self.generation), \(self.keys.count) keys" }
    var customMirror: Mirror { Mirror(self, children: ["generation": self.generation]) }
}

// MARK: Encoding

/// A ring in the store is sealed with its generation and its name as what is authenticated: the time until which all is forgotten, rotation and
/// lifetime (8 bytes each), and for each key its name (8 bytes), three times (8 bytes each) and its secret (48 bytes).
extension StoredRing {
    /// The purpose of the key that seals rings (RFC 5869 §3.2).
    private static let purpose = Array("secure-sockets ticket keys in a store, version 1".utf8)

    private static let headerLength = 3 * 8
    private static let keyLength = TicketKeys.Ring.Key.nameLength + 3 * 8 + secretLength
    /// No sealed ring is longer, so that others need not be opened.
    static let longest = headerLength + TicketKeys.Ring.maximumKeys * keyLength + TicketSecret.overhead

    /// nil if memory or the random generator fails.
    func sealed(with secret: TicketSecret, as name: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        // With its final capacity, because growing would leave copies of secrets in memory.
        bytes.reserveCapacity(Self.longest)
        defer { RandomBytes.erase(&bytes) }
        func append(_ number: Int64) { withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) } }
        for number in [self.forgottenUntil, self.schedule.rotation, self.schedule.lifetime] { append(number) }
        for key in self.keys {
            bytes += key.name
            for time in [key.sealsFrom, key.sealsUntil, key.opensUntil] { append(time) }
            key.secret.append(to: &bytes)
        }
        return secret.seal(bytes, for: Self.purpose, authenticating: Self.context(name, self.generation))
    }

    /// nil if the bytes are not a ring that was sealed with one of the secrets under this name and generation, or if one of its times cannot be.
    init?(_ sealed: [UInt8], generation: Int64, sealedWith secrets: [TicketSecret], as name: String) {
        guard sealed.count <= Self.longest, (0...Self.latest).contains(generation) else { return nil }
        let context = Self.context(name, generation)
        guard var opened = secrets.lazy.compactMap({ $0.open(sealed, for: Self.purpose, authenticating: context) }).first else {
            return nil
        }
        defer { RandomBytes.erase(&opened) }
        let content = opened.count - Self.headerLength
        guard content >= Self.keyLength, content.isMultiple(of: Self.keyLength) else { return nil }
        var position = 0
        func number() -> Int64 {
            defer { position += 8 }
            return opened[position..<(position + 8)].reduce(0) { $0 << 8 | Int64($1) }
        }
        func bytes(_ count: Int) -> [UInt8] {
            defer { position += count }
            return Array(opened[position..<(position + count)])
        }
        let numbers = (number(), number(), number())
        let keys = (0..<(content / Self.keyLength)).map { _ in
            let name = bytes(TicketKeys.Ring.Key.nameLength)
            let times = (number(), number(), number())
            return Key(
                name: name, secret: TicketSecret(erasing: bytes(Self.secretLength)), sealsFrom: times.0, sealsUntil: times.1,
                opensUntil: times.2)
        }
        let times = [numbers.0, numbers.1, numbers.2] + keys.flatMap { [$0.sealsFrom, $0.sealsUntil, $0.opensUntil] }
        guard times.allSatisfy({ (0...Self.latest).contains($0) }), numbers.1 > 0 else { return nil }
        self.init(
            generation: generation, forgottenUntil: numbers.0, schedule: Schedule(rotation: numbers.1, lifetime: numbers.2),
            keys: keys)
    }

    private static func context(_ name: String, _ generation: Int64) -> [UInt8] {
        Array(name.utf8) + withUnsafeBytes(of: generation.bigEndian) { Array($0) }
    }
}
