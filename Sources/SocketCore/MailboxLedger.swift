/// How much of each socket's data waits in a mailbox, and whether its socket may go on reading.
///
/// A socket is asked to pause when more bytes of it wait than its high-water mark allows, and to go on when no more than half of
/// that do. One that floods its owner does not hold up the others.
package struct MailboxLedger<Key: Hashable & Sendable>: Sendable {
    package enum Advice: Sendable, Hashable { case none, pause, resume }

    private struct Account {
        var waiting = 0
        var highWater = 0
        var isPaused = false
    }

    private var accounts: [Key: Account] = [:]

    package init() {}

    /// What a message takes besides its bytes, about: its place in the mailbox and the buffer's own memory.
    private static var messageOverhead: Int { 128 }

    /// A message of `count` bytes has been put into the mailbox. An empty message costs as well.
    package mutating func posted(_ count: Int, by key: Key, highWater: Int) -> Advice {
        var account = self.accounts[key, default: Account()]
        account.waiting += count + Self.messageOverhead
        account.highWater = highWater
        defer { self.accounts[key] = account }
        guard !account.isPaused, account.waiting > highWater else { return .none }
        account.isPaused = true
        return .pause
    }

    /// A message of `count` bytes has been taken out.
    package mutating func taken(_ count: Int, of key: Key) -> Advice {
        guard var account = self.accounts[key] else { return .none }
        account.waiting -= count + Self.messageOverhead
        let resumes = account.isPaused && account.waiting <= account.highWater / 2
        if resumes { account.isPaused = false }
        self.accounts[key] = account.waiting > 0 || account.isPaused ? account : nil
        return resumes ? .resume : .none
    }

    /// A socket has left this mailbox with all its messages.
    package mutating func left(_ key: Key) {
        self.accounts[key] = nil
    }

    package func isPaused(_ key: Key) -> Bool { self.accounts[key]?.isPaused ?? false }

    package func waiting(of key: Key) -> Int { self.accounts[key]?.waiting ?? 0 }
}
