package import NIOCore

/// How a stream of bytes is cut into packets: by a header that says their length, or not at all.
///
/// A packet is a header, the payload's length as an unsigned big-endian number, and then exactly that many bytes. The framing
/// is inside TLS; neither TLS records nor calls of `send` have a meaning for it. Each end chooses on its own.
package enum PacketFraming: UInt8, Sendable, Hashable, CaseIterable {
    /// A plain stream: no header, no boundaries.
    case none = 0
    case oneByte = 1
    case twoBytes = 2
    case fourBytes = 4

    package var headerLength: Int { Int(self.rawValue) }

    /// The longest payload that the header can announce.
    package var largestPayload: Int {
        switch self {
        case .none: .max
        case .oneByte: Int(UInt8.max)
        case .twoBytes: Int(UInt16.max)
        case .fourBytes: Int(UInt32.max)
        }
    }

    /// Writes the header of a payload of `length` bytes, which must not be more than `largestPayload`.
    package func writeHeader(for length: Int, into buffer: inout ByteBuffer) {
        switch self {
        case .none: break
        case .oneByte: buffer.writeInteger(UInt8(truncatingIfNeeded: length))
        case .twoBytes: buffer.writeInteger(UInt16(truncatingIfNeeded: length))
        case .fourBytes: buffer.writeInteger(UInt32(truncatingIfNeeded: length))
        }
    }

    /// Writes the header of a payload of `length` bytes, which must not be more than `largestPayload`, into the first bytes of `target`.
    package func writeHeader(for length: Int, into target: UnsafeMutableRawBufferPointer) {
        var rest = length
        for index in (0..<self.headerLength).reversed() {
            target[index] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
        }
    }

    /// The length announced by the header at the front of `buffer`; nil while the header is not complete.
    package func announcedLength(in buffer: ByteBuffer) -> Int? {
        let start = buffer.readerIndex
        switch self {
        case .none: return nil
        case .oneByte: return buffer.getInteger(at: start, as: UInt8.self).map(Int.init)
        case .twoBytes: return buffer.getInteger(at: start, as: UInt16.self).map(Int.init)
        case .fourBytes: return buffer.getInteger(at: start, as: UInt32.self).map(Int.init)
        }
    }
}
