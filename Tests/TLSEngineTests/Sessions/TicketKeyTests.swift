import TLSEngine
import Testing

@testable import TLSEngine

@Suite struct `Ticket keys` {
    private static let hour: UInt64 = 3600

    private func seal(_ key: TicketKey, _ text: String, binding: UInt64 = 7) throws -> [UInt8] {
        var ticket = [UInt8](repeating: 0, count: text.utf8.count + TicketKey.overhead)
        let session = Array(text.utf8)
        let length = session.withUnsafeBufferPointer { session in
            ticket.withUnsafeMutableBufferPointer { key.seal(session, binding: binding, issued: 1000, into: $0) }
        }
        #expect(length == ticket.count)
        return ticket
    }

    private func open(_ key: TicketKey, _ ticket: [UInt8]) -> String? {
        var session = [UInt8](repeating: 0, count: ticket.count)
        let length = ticket.withUnsafeBufferPointer { ticket in
            session.withUnsafeMutableBufferPointer { key.open(ticket, into: $0) }
        }
        return length.map { String(decoding: session.prefix($0), as: UTF8.self) }
    }

    @Test func `open what they have sealed, and nothing that was changed`() throws {
        let key = try #require(TicketKey(created: 0))
        let ticket = try self.seal(key, "a session")
        #expect(self.open(key, ticket) == "a session")
        #expect(ticket.withUnsafeBufferPointer { TicketKey.Header(of: $0)?.binding } == 7)
        #expect(ticket.withUnsafeBufferPointer { TicketKey.Header(of: $0)?.issued } == 1000)
        for index in ticket.indices {
            var changed = ticket
            changed[index] ^= 1
            #expect(self.open(key, changed) == nil, "byte \(index)")
        }
        #expect(self.open(key, Array(ticket.dropLast())) == nil)
        #expect(self.open(key, Array(ticket.prefix(TicketKey.overhead - 1))) == nil)
        #expect(self.open(try #require(TicketKey(created: 0)), ticket) == nil)
    }

    @Test func `are replaced every 12 hours, and open tickets for 48 hours more`() throws {
        let ring = TicketKeyRing()
        let first = try #require(ring.sealingKey(now: 0))
        #expect(ring.sealingKey(now: 12 * Self.hour - 1)?.id == first.id)
        let second = try #require(ring.sealingKey(now: 12 * Self.hour))
        #expect(second.id != first.id)
        #expect(ring.keyThatOpens(first.id, issued: 1, now: 60 * Self.hour)?.id == first.id)
        #expect(ring.keyThatOpens(first.id, issued: 1, now: 60 * Self.hour + 1) == nil)
        // The next rotation removes it.
        _ = ring.sealingKey(now: 61 * Self.hour)
        #expect(ring.keyThatOpens(first.id, issued: 1, now: 0) == nil)
        #expect(ring.keyThatOpens(second.id, issued: 1, now: 61 * Self.hour)?.id == second.id)
    }

    @Test func `are at most eight, however often a program rotates them`() throws {
        let ring = TicketKeyRing()
        let first = try #require(ring.sealingKey(now: 0))
        for _ in 1...7 { ring.rotate(now: 0) }
        #expect(ring.count == 8)
        #expect(ring.keyThatOpens(first.id, issued: 1, now: 0) != nil)
        ring.rotate(now: 0)
        #expect(ring.count == 8)
        #expect(ring.keyThatOpens(first.id, issued: 1, now: 0) == nil)
    }

    @Test func `stay when the clock is set back`() throws {
        let ring = TicketKeyRing()
        let key = try #require(ring.sealingKey(now: 100 * Self.hour))
        #expect(ring.sealingKey(now: 50 * Self.hour)?.id == key.id)
        #expect(ring.keyThatOpens(key.id, issued: 1, now: 50 * Self.hour)?.id == key.id)
    }

    @Test func `do not appear in descriptions`() throws {
        let ring = TicketKeyRing()
        _ = try #require(ring.sealingKey(now: 0))
        var dumped = ""
        dump(ring, to: &dumped)
        #expect("\(ring)" == "1 ticket keys")
        #expect(!dumped.contains("TicketKey("))
        #expect(!String(reflecting: ring).contains("context"))
    }
}

extension TicketKeyRing {
    func keyThatOpens(_ id: UInt64, issued: UInt64, now: UInt64) -> TicketKey? {
        try? self.openingKey(id, issued: issued, now: now).get()
    }
}
