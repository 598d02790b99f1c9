internal import DequeModule
internal import NIOCore

/// The commands of one connection in the order of their replies: those that are not written yet, and those that wait for a reply.
///
/// A command whose caller has left (by deadline or cancellation) is removed if it is not written yet. Otherwise it remains until its reply
/// has arrived, because replies are matched with commands by their order only, and counts towards the limit.
///
///     event ↓          command is →   unsent                      written                      written, caller has left
///     batch taken                     written                     –                            –
///     reply                           –                           removed, reply to caller     removed, reply discarded
///     deadline passes                 removed, caller times out   caller times out             –
///     cancelled                       removed, caller leaves      caller leaves                –
///     overdue ¹                       –                           the connection is given up   the connection is given up
///     connection lost                 fails                       fails                        removed
///
/// ¹ The oldest written command has had no reply for `grace` after its deadline.
struct CommandQueue<Caller> {
    private struct Entry {
        let id: UInt64
        /// The encoded command; empty once it is written.
        var bytes: ByteBuffer
        let deadline: ContinuousClock.Instant
        /// Nil once the caller has left.
        var caller: Caller?
    }

    enum Refusal: Equatable { case tooMany(Int), tooManyBytes(Int) }

    /// The number of unsent bytes that are accepted. Above it, a command is accepted only if no other is unsent.
    static var maximumUnsentBytes: Int { 64 << 20 }
    /// The number of bytes up to which commands are combined to one write.
    static var batchSize: Int { 64 << 10 }

    // Both together have at most `maximumCount` entries.
    private var unsent: Deque<Entry> = []
    private var written: Deque<Entry> = []
    private var unsentBytes = 0
    private let maximumCount: Int
    private let grace: Duration

    /// - Parameters:
    ///   - maximumCount: The number of commands that may wait.
    ///   - grace: The time after a command's deadline within which its reply must arrive.
    init(maximumCount: Int, grace: Duration) {
        self.maximumCount = maximumCount
        self.grace = grace
    }

    var count: Int { self.unsent.count + self.written.count }
    var hasUnsent: Bool { !self.unsent.isEmpty }

    /// Returns the reason for which a command is not accepted; nil if it is.
    func refusal(of bytes: ByteBuffer) -> Refusal? {
        if self.count >= self.maximumCount { return .tooMany(self.count) }
        if !self.unsent.isEmpty, self.unsentBytes + bytes.readableBytes > Self.maximumUnsentBytes {
            return .tooManyBytes(self.unsentBytes)
        }
        return nil
    }

    /// Adds a command that `refusal(of:)` does not refuse.
    mutating func append(_ bytes: ByteBuffer, id: UInt64, deadline: ContinuousClock.Instant, _ caller: Caller) {
        self.unsent.append(Entry(id: id, bytes: bytes, deadline: deadline, caller: caller))
        self.unsentBytes += bytes.readableBytes
    }

    /// Returns the commands to be written next; nil if there are none.
    mutating func takeBatch() -> ByteBuffer? {
        guard var first = self.unsent.popFirst() else { return nil }
        var batch = first.bytes
        first.bytes = ByteBuffer()
        self.written.append(first)
        while let next = self.unsent.first, batch.readableBytes + next.bytes.readableBytes <= Self.batchSize {
            guard var entry = self.unsent.popFirst() else { break }
            batch.writeImmutableBuffer(entry.bytes)
            entry.bytes = ByteBuffer()
            self.written.append(entry)
        }
        self.unsentBytes -= batch.readableBytes
        return batch
    }

    enum Match {
        /// The reply is for this caller.
        case caller(Caller)
        /// The caller has left.
        case discard
        /// There is no command to which this can be the reply.
        case unexpected
    }

    /// Returns the recipient of the next reply.
    mutating func matchReply() -> Match {
        guard let entry = self.written.popFirst() else { return .unexpected }
        return entry.caller.map { .caller($0) } ?? .discard
    }

    /// Returns the caller of a command that was cancelled; nil if its outcome is already known.
    mutating func cancel(_ id: UInt64) -> Caller? {
        if let index = self.unsent.firstIndex(where: { $0.id == id }) {
            let entry = self.unsent.remove(at: index)
            self.unsentBytes -= entry.bytes.readableBytes
            return entry.caller
        }
        guard let index = self.written.firstIndex(where: { $0.id == id }) else { return nil }
        defer { self.written[index].caller = nil }
        return self.written[index].caller
    }

    /// Returns the callers whose deadlines have passed.
    mutating func expire(at now: ContinuousClock.Instant) -> [Caller] {
        var expired: [Caller] = []
        for index in self.written.indices where self.written[index].deadline <= now {
            if let caller = self.written[index].caller { expired.append(caller) }
            self.written[index].caller = nil
        }
        if self.unsent.contains(where: { $0.deadline <= now }) {
            for entry in self.unsent where entry.deadline <= now {
                self.unsentBytes -= entry.bytes.readableBytes
                if let caller = entry.caller { expired.append(caller) }
            }
            self.unsent.removeAll { $0.deadline <= now }
        }
        return expired
    }

    /// Whether the oldest written command is overdue.
    func isOverdue(at now: ContinuousClock.Instant) -> Bool {
        self.written.first.map { $0.deadline + self.grace <= now } ?? false
    }

    /// The time at which `expire` or `isOverdue` have to be called next; nil if no command waits.
    var nextDeadline: ContinuousClock.Instant? {
        var next = self.written.first.map { $0.deadline + self.grace }
        for entry in self.written where entry.caller != nil { next = min(next ?? entry.deadline, entry.deadline) }
        for entry in self.unsent { next = min(next ?? entry.deadline, entry.deadline) }
        return next
    }

    /// Removes all commands. Returns the callers that still wait.
    mutating func removeAll() -> [Caller] {
        defer {
            self.unsent = []
            self.written = []
            self.unsentBytes = 0
        }
        return self.written.compactMap(\.caller) + self.unsent.compactMap(\.caller)
    }
}
