import TLSEngine
import Testing

@testable import TLSEngine

/// Keys that several processes derive from one secret and the time.
@Suite struct `Derived ticket keys` {
    private static let epoch = TicketKeyRing.rotation
    private let secret = TicketSecret(Array(0..<48))
    private let other = TicketSecret(Array(100..<148))
    /// The beginning of an epoch.
    private let start = 40_000 * epoch

    @Test func `are the same in all rings of a secret, and change with the epoch`() throws {
        let (one, two) = (TicketKeyRing(derivedFrom: [self.secret]), TicketKeyRing(derivedFrom: [self.secret]))
        let key = try #require(one.sealingKey(now: self.start))
        #expect(two.sealingKey(now: self.start + Self.epoch - 1)?.id == key.id)
        #expect(one.sealingKey(now: self.start + Self.epoch)?.id != key.id)
        #expect(TicketKeyRing(derivedFrom: [self.other]).sealingKey(now: self.start)?.id != key.id)
    }

    /// Computed with: `openssl kdf -keylen 40 -kdfopt digest:SHA256 -kdfopt hexkey:000102…2f -kdfopt hexinfo:… HKDF`.
    @Test func `are derived as another program derives them`() throws {
        let key = try #require(TicketKeyRing(derivedFrom: [self.secret]).sealingKey(now: self.start))
        #expect(String(key.id, radix: 16) == "3fcc85dc607a0910")
    }

    @Test func `open from one epoch before they seal until four after`() throws {
        let id = try #require(TicketKeyRing(derivedFrom: [self.secret]).sealingKey(now: self.start)).id
        let ring = TicketKeyRing(derivedFrom: [self.secret])
        func opens(_ now: UInt64) -> Bool { ring.keyThatOpens(id, issued: self.start, now: now) != nil }
        #expect(!opens(self.start - Self.epoch - 1))
        #expect(opens(self.start - Self.epoch))
        #expect(opens(self.start))
        // As long as a session may live that was issued in the last second of the epoch.
        #expect(opens(self.start + Self.epoch + TicketKeyRing.lifetime - 1))
        #expect(!opens(self.start + Self.epoch + TicketKeyRing.lifetime + 1))
        #expect(!opens(0))
        // The clock may be set back.
        #expect(opens(self.start))
    }

    @Test func `of the first secret seal, and those of all open`() throws {
        let ring = TicketKeyRing(derivedFrom: [self.secret, self.other])
        let former = try #require(TicketKeyRing(derivedFrom: [self.other]).sealingKey(now: self.start)).id
        #expect(ring.sealingKey(now: self.start)?.id != former)
        #expect(ring.keyThatOpens(former, issued: self.start, now: self.start) != nil)
        #expect(ring.replaceSecrets(with: [self.other]))
        #expect(ring.sealingKey(now: self.start)?.id == former)
        #expect(ring.keyThatOpens(former, issued: self.start, now: self.start) != nil)
        #expect(ring.count == 6)
    }

    @Test func `open nothing that was issued before they were asked to forget`() throws {
        let ring = TicketKeyRing(derivedFrom: [self.secret])
        let id = try #require(ring.sealingKey(now: self.start)).id
        ring.removeAll(now: self.start + 10)
        #expect(ring.keyThatOpens(id, issued: self.start + 10, now: self.start + 11) == nil)
        #expect(ring.keyThatOpens(id, issued: self.start + 11, now: self.start + 11) != nil)
        #expect(ring.sealingKey(now: self.start + 11)?.id == id)
    }

    @Test func `are not rotated, and generated ones are not replaced by derived ones`() {
        let ring = TicketKeyRing(derivedFrom: [self.secret])
        let id = ring.sealingKey(now: self.start)?.id
        #expect(!ring.rotate(now: self.start))
        #expect(ring.sealingKey(now: self.start)?.id == id)
        #expect(!TicketKeyRing().replaceSecrets(with: [self.secret]))
    }

    @Test func `exist at the beginning of time too`() {
        let ring = TicketKeyRing(derivedFrom: [self.secret])
        #expect(ring.sealingKey(now: 0) != nil)
        #expect(ring.count == 2)
        #expect(ring.information(now: 0).map(\.times.sealsFrom) == [0, Self.epoch])
    }

    @Test func `are never part of a description`() {
        #expect("\(self.secret)" == "a secret for sessions")
        #expect(Mirror(reflecting: self.secret).children.isEmpty)
        #expect("\(TicketKeyRing(derivedFrom: [self.secret]))" == "0 ticket keys")
    }
}
