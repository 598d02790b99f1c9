internal import DequeModule

/// The messages of a subscription that wait for the iteration: the newest, and the number of those that were dropped before them.
struct SubscriptionBuffer {
    /// The number of messages that are kept.
    static let limit = 64

    private var messages: Deque<RedisMessage> = []
    private var missed = 0

    mutating func append(_ message: RedisMessage) {
        if self.messages.count == Self.limit {
            self.messages.removeFirst()
            self.missed += 1
        }
        self.messages.append(message)
    }

    /// Returns the oldest message, or first how many were dropped before it; nil if there is none.
    mutating func next() -> RedisMessage? {
        if self.missed > 0 {
            defer { self.missed = 0 }
            return .missed(self.missed)
        }
        return self.messages.popFirst()
    }
}
