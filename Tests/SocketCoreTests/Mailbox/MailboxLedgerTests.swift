import NIOCore
import SocketCore
import Testing

@Suite struct `What a mailbox owes its sockets` {
    @Test func `a socket pauses above its mark and resumes at half of it`() {
        var ledger = MailboxLedger<Int>()
        #expect(ledger.posted(6000, by: 1, highWater: 10_000) == .none)
        #expect(ledger.posted(4000, by: 1, highWater: 10_000) == .pause)
        #expect(ledger.posted(1000, by: 1, highWater: 10_000) == .none)
        #expect(ledger.isPaused(1))
        #expect(ledger.taken(4000, of: 1) == .none)
        #expect(ledger.taken(6000, of: 1) == .resume)
        #expect(!ledger.isPaused(1))
    }

    @Test func `one that floods does not hold up the others`() {
        var ledger = MailboxLedger<Int>()
        #expect(ledger.posted(1000, by: 1, highWater: 100) == .pause)
        #expect(ledger.posted(50, by: 2, highWater: 1000) == .none)
        #expect(!ledger.isPaused(2))
    }

    @Test func `an empty message costs what its place in the mailbox takes`() {
        var ledger = MailboxLedger<Int>()
        var count = 1
        while ledger.posted(0, by: 1, highWater: 1 << 20) == .none { count += 1 }
        #expect(count < 10_000)
        for _ in 0..<count { _ = ledger.taken(0, of: 1) }
        #expect(!ledger.isPaused(1))
        #expect(ledger.waiting(of: 1) == 0)
    }

    @Test func `a socket that leaves owes nothing`() {
        var ledger = MailboxLedger<Int>()
        #expect(ledger.posted(1000, by: 1, highWater: 100) == .pause)
        ledger.left(1)
        #expect(!ledger.isPaused(1))
        #expect(ledger.taken(1000, of: 1) == .none)
    }
}
