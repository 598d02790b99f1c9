import DequeModule
package import NIOCore

/// What is to be sent and does not fit below the high-water mark yet: whole units, first come, first served.
///
/// A unit is what one call of `send` was given. Its bytes are never mixed with another's. Once the first of its bytes has gone,
/// the rest will follow, come what may: half a packet would spoil the stream.
package struct SendQueue {
    package typealias ID = UInt64

    private struct Unit {
        let id: ID
        var bytes: ByteBuffer
        var hasBegun = false
    }

    private var units = Deque<Unit>()

    package init() {}

    package var isEmpty: Bool { self.units.isEmpty }

    /// All bytes that wait.
    package var byteCount: Int { self.units.reduce(0) { $0 + $1.bytes.readableBytes } }

    package mutating func append(_ id: ID, _ bytes: ByteBuffer) {
        self.units.append(Unit(id: id, bytes: bytes))
    }

    /// Takes up to `limit` bytes of the first unit; `completed` names the unit if these were its last.
    package mutating func takeChunk(limit: Int) -> (bytes: ByteBuffer, completed: ID?)? {
        guard var unit = self.units.first else { return nil }
        guard let chunk = unit.bytes.readSlice(length: min(limit, unit.bytes.readableBytes)) else { return nil }
        if unit.bytes.readableBytes == 0 {
            self.units.removeFirst()
            return (chunk, unit.id)
        }
        unit.hasBegun = true
        self.units[0] = unit
        return (chunk, nil)
    }

    package enum Cancellation: Equatable {
        /// Nothing of it will be sent.
        case dropped
        /// It has begun, and so the rest is sent as well.
        case tooLate
        case unknown
    }

    package mutating func cancel(_ id: ID) -> Cancellation {
        guard let index = self.units.firstIndex(where: { $0.id == id }) else { return .unknown }
        if self.units[index].hasBegun { return .tooLate }
        self.units.remove(at: index)
        return .dropped
    }

    /// Drops the units that have not begun: what is left when no more is accepted.
    package mutating func dropUnbegun() -> [ID] {
        let dropped = self.units.filter { !$0.hasBegun }.map(\.id)
        self.units.removeAll { !$0.hasBegun }
        return dropped
    }

    /// Drops everything: nothing can be sent any more.
    package mutating func dropAll() -> [ID] {
        let dropped = self.units.map(\.id)
        self.units.removeAll()
        return dropped
    }
}
