import NIOCore

/// The stream that one end of a connection sends: another for every connection and direction, and another at every place, so that
/// a byte that is lost, doubled, changed or somebody else's is noticed.
struct Payload {
    enum Sender: Int { case connector, acceptor }

    private let start: Int

    /// - Parameter clientPort: The port of the connection's connecting end; both ends know it.
    init(from sender: Sender, clientPort: Int) {
        self.start = clientPort * 2 + sender.rawValue
    }

    func bytes(from offset: Int, count: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(count)
        var place = (self.start + offset) % Self.noise.count
        while buffer.readableBytes < count {
            let length = min(count - buffer.readableBytes, Self.noise.count - place)
            buffer.writeBytes(Self.noise[place..<place + length])
            place = 0
        }
        return buffer
    }

    /// A prime number of bytes: no record, chunk or packet repeats with that period.
    private static let noise: [UInt8] = {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return (0..<65_521).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }()
}
