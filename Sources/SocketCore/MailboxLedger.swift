/// The amount of each socket's data that waits in a mailbox, and whether the socket may continue reading.
///
/// A socket is asked to pause when more of its bytes wait than its high-water mark permits, and to resume when at most half of that wait. A
/// socket that floods its owner does not delay the others.
package struct MailboxLedger<Key: Hashable & Sendable>: Sendable {
    package enum Advice: Sendable, Hashable { case none, pause, resume }

    private struct Account {
        var waiting = 0
        var highWater = 0
        var isPaused = false
    }

    private var accounts: [Key: Account] = [:]

    package init() {}

    /// The approximate cost of a message besides its bytes: its place in the mailbox and the buffer's own memory.
    private static var messageOverhead: Int { 128 }

    /// Records that a message of `count` bytes has been put into the mailbox. An empty message has a cost as well.
    package mutating func posted(_ count: Int, by key: Key, highWater: Int) -> Advice {
        var account = self.accounts[key, default: Account()]
        account.waiting += count + Self.messageOverhead
        account.highWater = highWater
        defer { self.accounts[key] = account }
        guard !account.isPaused, account.waiting > highWater else { return .none }
        account.isPaused = true
        return .pause
    }

    /// Records that a message of `count` bytes has been taken out.
    package mutating func taken(_ count: Int, of key: Key) -> Advice {
        guard var account = self.accounts[key] else { return .none }
        account.waiting -= count + Self.messageOverhead
        let resumes = account.isPaused && account.waiting <= account.highWater / 2
        if resumes { account.isPaused = false }
        self.accounts[key] = account.waiting > 0 || account.isPaused ? account : nil
        return resumes ? .resume : .none
    }

    /// Records that a socket has left this mailbox with all its messages.
    package mutating func left(_ key: Key) {
        self.accounts[key] = nil
    }

    package func isPaused(_ key: Key) -> Bool { self.accounts[key]?.isPaused ?? false }

    package func waiting(of key: Key) -> Int { self.accounts[key]?.waiting ?? 0 }
}
