import DequeModule
package import NIOCore

/// Data to be sent that does not yet fit below the high-water mark: whole units in order of arrival.
///
/// A unit is the data of one call of `send`. Its bytes are never interleaved with another's. Once the first byte has been sent, the rest
/// follows unconditionally: half a packet would corrupt the stream.
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

    /// The number of bytes that wait.
    package var byteCount: Int { self.units.reduce(0) { $0 + $1.bytes.readableBytes } }

    package mutating func append(_ id: ID, _ bytes: ByteBuffer) {
        self.units.append(Unit(id: id, bytes: bytes))
    }

    /// Takes up to `limit` bytes of the first unit. `completed` identifies the unit if these were its last bytes.
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
        /// Nothing of the unit will be sent.
        case dropped
        /// The unit has been sent in part, so the rest is sent as well.
        case tooLate
        case unknown
    }

    package mutating func cancel(_ id: ID) -> Cancellation {
        guard let index = self.units.firstIndex(where: { $0.id == id }) else { return .unknown }
        if self.units[index].hasBegun { return .tooLate }
        self.units.remove(at: index)
        return .dropped
    }

    /// Drops the units that have not begun, when nothing more is accepted.
    package mutating func dropUnbegun() -> [ID] {
        let dropped = self.units.filter { !$0.hasBegun }.map(\.id)
        self.units.removeAll { !$0.hasBegun }
        return dropped
    }

    /// Drops everything, when nothing can be sent any more.
    package mutating func dropAll() -> [ID] {
        let dropped = self.units.map(\.id)
        self.units.removeAll()
        return dropped
    }
}
