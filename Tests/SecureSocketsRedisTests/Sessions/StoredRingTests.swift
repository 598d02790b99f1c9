import SecureSockets
import TLSEngine
import Testing

@testable import SecureSocketsRedis

@Suite struct `A ring of ticket keys in a store` {
    private let schedule = StoredRing.Schedule(rotation: 100, lifetime: 400)
    private let secret = TicketSecret(Array(0..<48))
    private let other = TicketSecret(Array(50..<98))

    private func ring(at now: Int64 = 1000) throws -> StoredRing {
        try #require(StoredRing.new(at: now, self.schedule))
    }

    /// The keys that may seal at a time.
    private func sealing(_ ring: StoredRing, at now: Int64) -> [[UInt8]] {
        ring.keys.filter { $0.sealsFrom <= now && now < $0.sealsUntil }.map(\.name)
    }

    @Test func `begins with a key that seals and one that seals next`() throws {
        let ring = try self.ring()
        #expect(ring.generation == 1000)
        // The first may seal before, for servers whose clocks are behind.
        #expect(ring.keys.map(\.sealsFrom) == [900, 1100])
        #expect(ring.keys.map(\.sealsUntil) == [1100, 1200])
        #expect(ring.keys.map(\.opensUntil) == [1500, 1600])
        #expect(!ring.isDue(at: 1099) && ring.isDue(at: 1100))
    }

    @Test func `has one key that seals at any time, which all servers know for a whole period before`() throws {
        var ring = try self.ring()
        var known: [Int64: Set<[UInt8]>] = [:]
        for now in stride(from: Int64(1000), through: 3000, by: 10) {
            if ring.isDue(at: now) { ring = try #require(ring.rotated(at: now, self.schedule)) }
            known[now] = Set(ring.keys.map(\.name))
            let sealing = self.sealing(ring, at: now)
            #expect(sealing.count == 1)
            // Also one that has not read the store for a period could open.
            if let earlier = known[now - 90], let name = sealing.first { #expect(earlier.contains(name)) }
            #expect(ring.keys.count <= 7)
            // Each key opens for as long as the last session that it has sealed lives.
            for key in ring.keys { #expect(key.opensUntil - key.sealsUntil == 400) }
        }
    }

    @Test func `seals again at once after a time in which there was no server`() throws {
        let ring = try #require(self.ring().rotated(at: 9000, self.schedule))
        #expect(self.sealing(ring, at: 9000).count == 1)
        #expect(ring.keys.count == 2)
        #expect(ring.generation == 9000)
    }

    @Test func `lets the next key seal early, and keeps the former one for its sessions`() throws {
        let ring = try self.ring()
        let advanced = try #require(ring.advanced(at: 1010, delay: 20))
        #expect(self.sealing(advanced, at: 1029) == [ring.keys[0].name])
        #expect(self.sealing(advanced, at: 1030) == [ring.keys[1].name])
        #expect(advanced.keys.count == 3)
        #expect(advanced.keys[2].sealsFrom == 1130)
        #expect(advanced.keys[0].opensUntil == 1500)
        #expect(advanced.generation > ring.generation)
    }

    @Test func `has room for no more keys than servers take, however often it is rotated early`() throws {
        var ring = try self.ring()
        for now in Int64(1001)...1100 { ring = try #require(ring.advanced(at: now, delay: 0)) }
        #expect(ring.keys.count == TicketKeys.Ring.maximumKeys)
        #expect(self.sealing(ring, at: 1100).count == 1)
        _ = try ring.ring()
        #expect(self.schedule.mostKeys == 7)
        #expect(StoredRing.Schedule(rotation: 100, lifetime: 2900).mostKeys == Int64(TicketKeys.Ring.maximumKeys))
    }

    @Test func `seals at servers whose clock is behind that of the one that made it`() throws {
        #expect(self.sealing(try self.ring(), at: 950).count == 1)
        // A day ahead, or ten: the others do not wait for that time.
        let ahead = try self.ring(at: 900_000)
        #expect(ahead.isDue(at: 1000))
        let mended = try #require(ahead.rotated(at: 1000, self.schedule))
        #expect(self.sealing(mended, at: 1000).count == 1)
    }

    @Test func `that forgets is later than one with a higher generation that does not`() throws {
        let before = try #require(StoredRing.new(at: 5000, self.schedule))
        let forgetting = try #require(StoredRing.new(at: 1000, forgottenUntil: 1000, self.schedule))
        #expect(forgetting.isLater(than: before) && !before.isLater(than: forgetting))
        let rotated = try #require(before.rotated(at: 6000, self.schedule))
        #expect(rotated.isLater(than: before) && !rotated.isLater(than: forgetting))
    }

    @Test func `with a generation or times of another age is not used, so that nothing overflows`() throws {
        let generations: [Int64] = [.max, .max - 1, StoredRing.latest + 1, -1]
        for generation in generations {
            var ring = try self.ring()
            ring.generation = generation
            let sealed = try #require(ring.sealed(with: self.secret, as: "keys"))
            #expect(StoredRing(sealed, generation: generation, sealedWith: [self.secret], as: "keys") == nil)
        }
        var ring = try self.ring()
        ring.keys[0].opensUntil = .max
        let sealed = try #require(ring.sealed(with: self.secret, as: "keys"))
        #expect(StoredRing(sealed, generation: 1000, sealedWith: [self.secret], as: "keys") == nil)
    }

    @Test func `is never shown`() throws {
        var text = "\(try self.ring()) "
        dump(try self.ring(), to: &text)
        #expect(!text.contains("secret"))
    }

    @Test func `is opened with the secret, name and generation with which it was sealed, and no others`() throws {
        let ring = try self.ring()
        let sealed = try #require(ring.sealed(with: self.secret, as: "keys"))
        func open(_ bytes: [UInt8], _ secrets: [TicketSecret], generation: Int64 = 1000, name: String = "keys") -> StoredRing? {
            StoredRing(bytes, generation: generation, sealedWith: secrets, as: name)
        }
        #expect(open(sealed, [self.secret]) == ring)
        #expect(open(sealed, [self.other, self.secret]) == ring)
        #expect(open(sealed, [self.other]) == nil)
        #expect(open(sealed, [self.secret], generation: 1001) == nil)
        #expect(open(sealed, [self.secret], name: "others") == nil)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(open(changed, [self.secret]) == nil)
        }
        for count in [0, 1, 27, 28, sealed.count - 1] { #expect(open(Array(sealed.prefix(count)), [self.secret]) == nil) }
    }

    @Test func `is what servers use`() throws {
        let ring = try self.ring()
        let keys = try ring.ring().keys
        #expect(keys.map(\.sealsFrom) == [900, 1100])
        #expect(Set(keys.map(\.name)).count == 2)
    }
}
