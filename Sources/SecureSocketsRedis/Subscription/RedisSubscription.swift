/// The messages of channels. See ``RedisClient/subscribe(to:)``.
///
/// ```swift
/// for await message in redis.subscribe(to: ["keys"]) {
///     switch message {
///     case .subscribed, .missed: print("read what may have been missed")
///     case .message(let channel, let bytes): print("\(bytes.count) bytes on \(channel)")
///     case .disconnected(let error): print(error)
///     }
/// }
/// ```
public struct RedisSubscription: AsyncSequence, Sendable {
    public typealias Element = RedisMessage
    public typealias Failure = Never

    let client: RedisClient
    let channels: [String]

    /// Begins an iteration, which connects at once.
    public func makeAsyncIterator() -> Iterator { Iterator(client: self.client, channels: self.channels) }

    /// The iterator of the sequence. Only one task at a time may use it.
    public struct Iterator: AsyncIteratorProtocol {
        /// Ends the subscription when no copy of the iterator remains.
        private final class Lifetime: Sendable {
            let client: RedisClient
            let feed: SubscriptionFeed

            init(_ client: RedisClient, _ feed: SubscriptionFeed) {
                self.client = client
                self.feed = feed
            }

            deinit {
                self.feed.end()
                self.client.end(self.feed)
            }
        }

        private let lifetime: Lifetime

        init(client: RedisClient, channels: [String]) {
            let feed = SubscriptionFeed(client.configuration, channels, on: client.group)
            self.lifetime = Lifetime(client, feed)
            if !channels.isEmpty, client.begin(feed) { feed.start() } else { feed.end() }
        }

        /// Waits for the next message. Returns nil when the client is closed or the task is cancelled, and then from every later call.
        public mutating func next() async -> RedisMessage? {
            await self.lifetime.feed.next()
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async -> RedisMessage? {
            await self.lifetime.feed.next()
        }
    }
}
