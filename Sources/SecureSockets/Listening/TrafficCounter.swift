import Synchronization

/// The numbers of bytes that the connections of a listener have received and sent on one event loop.
///
/// Counted once for each system call, not for each message. A counter for each loop keeps the loops from sharing a cache line that both
/// write.
final class TrafficCounter: Sendable {
    private let received = Atomic<Int>(0)
    private let sent = Atomic<Int>(0)

    func countReceived(_ bytes: Int) { self.received.wrappingAdd(bytes, ordering: .relaxed) }
    func countSent(_ bytes: Int) { self.sent.wrappingAdd(bytes, ordering: .relaxed) }

    var receivedBytes: Int { self.received.load(ordering: .relaxed) }
    var sentBytes: Int { self.sent.load(ordering: .relaxed) }
}
