import Testing

@testable import TLSEngine

/// Keys that a source outside the process gives to several servers.
@Suite struct `Given ticket keys` {
    private func key(_ id: UInt64, seals: Range<UInt64> = 0..<1000, opensUntil: UInt64 = 2000, secret: UInt8 = 1)
        -> GivenTicketKey
    {
        GivenTicketKey(
            id: id, secret: TicketSecret(Array(repeating: secret, count: 32)),
            times: TicketKeyTimes(sealsFrom: seals.lowerBound, sealsUntil: seals.upperBound, opensUntil: opensUntil))
    }

    private func ring(_ keys: GivenTicketKey...) -> TicketKeyRing {
        let ring = TicketKeyRing()
        ring.replaceKeys(with: keys)
        return ring
    }

    private func absence(_ ring: TicketKeyRing, _ id: UInt64, now: UInt64) -> ReasonForFullHandshake? {
        if case .failure(let failure) = ring.openingKey(id, issued: now, now: now) { failure.reason } else { nil }
    }

    @Test func `open at once, and seal when their time has come`() {
        let ring = self.ring(self.key(1, seals: 0..<500), self.key(2, seals: 400..<900))
        #expect(ring.sealingKey(now: 399)?.id == 1)
        #expect(ring.keyThatOpens(2, issued: 399, now: 399)?.id == 2)
        #expect(ring.sealingKey(now: 400)?.id == 2)
        #expect(ring.keyThatOpens(1, issued: 399, now: 400)?.id == 1)
        #expect(ring.sealingKey(now: 899)?.id == 2)
    }

    @Test func `seal nothing when the time of all is over, so that no other key takes their place`() {
        let ring = self.ring(self.key(1, seals: 10..<500))
        #expect(ring.sealingKey(now: 9) == nil)
        #expect(ring.sealingKey(now: 500) == nil)
        #expect(ring.keyThatOpens(1, issued: 499, now: 2000) != nil)
        #expect(self.absence(ring, 1, now: 2001) == .retiredKey)
        #expect(ring.count == 1)
    }

    @Test func `that began together seal in their order`() {
        let ring = self.ring(self.key(5), self.key(6))
        #expect(ring.sealingKey(now: 1)?.id == 5)
        #expect(ring.information(now: 1).map(\.id) == [5, 6])
    }

    @Test func `replace generated ones, and those that are not given any more are retired`() {
        let ring = TicketKeyRing()
        let generated = ring.sealingKey(now: 1)?.id ?? 0
        ring.replaceKeys(with: [self.key(1), self.key(2)])
        #expect(self.absence(ring, generated, now: 1) == .retiredKey)
        ring.replaceKeys(with: [self.key(2), self.key(3)])
        #expect(self.absence(ring, 1, now: 1) == .retiredKey)
        #expect(self.absence(ring, 2, now: 1) == nil)
        #expect(self.absence(ring, 4, now: 1) == .unknownKey)
    }

    @Test func `that are all new forget every session, also those that a server keeps for clients without tickets`() {
        let ring = TicketKeyRing()
        _ = ring.sealingKey(now: 1)
        // The first ring of a source is not a forgetting.
        ring.replaceKeys(with: [self.key(1), self.key(2)])
        #expect(ring.removalCount == 0)
        ring.replaceKeys(with: [self.key(2), self.key(3)])
        #expect(ring.removalCount == 0)
        ring.replaceKeys(with: [self.key(4), self.key(5)])
        #expect(ring.removalCount == 1)
        #expect(self.absence(ring, 2, now: 1) == .forgotten && self.absence(ring, 3, now: 1) == .forgotten)
        #expect(self.absence(ring, 4, now: 1) == nil)
    }

    @Test func `of the same secret and identifier open each other's tickets`() throws {
        func ticket(_ key: GivenTicketKey) throws -> [UInt8] {
            var ticket = [UInt8](repeating: 0, count: 5 + TicketKey.overhead)
            let sealing = try #require(TicketKey(key))
            _ = Array("hello".utf8).withUnsafeBufferPointer { session in
                ticket.withUnsafeMutableBufferPointer { sealing.seal(session, binding: 0, issued: 0, into: $0) }
            }
            return ticket
        }
        func opens(_ key: GivenTicketKey, _ ticket: [UInt8]) throws -> Bool {
            var target = [UInt8](repeating: 0, count: ticket.count)
            let opening = try #require(TicketKey(key))
            return ticket.withUnsafeBufferPointer { ticket in
                target.withUnsafeMutableBufferPointer { opening.open(ticket, into: $0) } != nil
            }
        }
        let sealed = try ticket(self.key(1))
        #expect(try opens(self.key(1, seals: 7..<8), sealed))
        #expect(try !opens(self.key(1, secret: 2), sealed))
    }

    @Test func `are at most thirty-two`() {
        let ring = TicketKeyRing()
        ring.replaceKeys(with: (1...40).map { self.key($0) })
        #expect(ring.count == TicketKeyRing.mostGivenKeys)
    }

    @Test func `are not rotated, and forget what was issued before they were asked to`() {
        let ring = self.ring(self.key(1))
        #expect(!ring.rotate(now: 1))
        ring.removeAll(now: 100)
        #expect(ring.keyThatOpens(1, issued: 100, now: 101) == nil)
        #expect(ring.keyThatOpens(1, issued: 101, now: 101) != nil)
    }
}
