import NIOCore

/// What load and servers say to each other.
///
/// The client's first byte picks: `E`, echo every byte that follows; `S` and a count of eight bytes, big-endian: read that many bytes,
/// answer `K`, wait for the end; `R` and a count: send that many bytes and close. A server answers the client's end with its own.
enum BenchmarkProtocol {
    static let echo = UInt8(ascii: "E")
    static let sink = UInt8(ascii: "S")
    static let source = UInt8(ascii: "R")
    static let acknowledgement = UInt8(ascii: "K")

    /// What a source sends, again and again.
    static let payload = ByteBuffer(repeating: 0x5a, count: 64 << 10)

    static func request(_ mode: UInt8, count: Int) -> ByteBuffer {
        var request = ByteBuffer()
        request.writeInteger(mode)
        request.writeInteger(UInt64(count))
        return request
    }
}
