import SocketCore
import Synchronization

/// The connections of one event loop that are closed on this side and wait for their peers. Their number and their undelivered bytes are
/// bounded; above a bound, the oldest are dropped. How long each lingers is decided by `ClosingMachine`.
struct LingeringLimits {
    /// The limit for one loop. A peer decides how long its connection lingers, and can have many.
    private static let most = 1024
    /// The limit of undelivered bytes on one loop, for all connections together.
    private static let mostBytes = 64 << 20

    /// The number of lingering connections on all loops of the process.
    static let total = Atomic<Int>(0)

    private struct Entry {
        let connection: Connection
        let bytes: Int
    }

    private var queue = ArrivalQueue<UInt64>()
    private var entries: [UInt64: Entry] = [:]
    private var bytes = 0
    private var lastID: UInt64 = 0

    /// Adds a connection. Returns the connections that are to be dropped in its place.
    mutating func add(_ connection: Connection, bytes: Int) -> [Connection] {
        self.lastID += 1
        connection.lingeringID = self.lastID
        self.queue.append(self.lastID)
        self.entries[self.lastID] = Entry(connection: connection, bytes: bytes)
        self.bytes += bytes
        Self.total.add(1, ordering: .relaxed)
        var dropped: [Connection] = []
        while self.queue.count > Self.most || (self.bytes > Self.mostBytes && self.queue.count > 1) {
            dropped += self.takeOldest(1)
        }
        return dropped
    }

    mutating func remove(_ connection: Connection) {
        guard self.queue.remove(connection.lingeringID) else { return }
        self.forget(connection.lingeringID)
    }

    /// Removes and returns the connections that have lingered longest.
    mutating func takeOldest(_ count: Int) -> [Connection] {
        var taken: [Connection] = []
        while taken.count < count, let id = self.queue.popFirst() {
            if let entry = self.entries[id] { taken.append(entry.connection) }
            self.forget(id)
        }
        return taken
    }

    private mutating func forget(_ id: UInt64) {
        guard let entry = self.entries.removeValue(forKey: id) else { return }
        entry.connection.lingeringID = 0
        self.bytes -= entry.bytes
        Self.total.subtract(1, ordering: .relaxed)
    }
}
