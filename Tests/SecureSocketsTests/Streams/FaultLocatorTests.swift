import NIOCore
import Testing

@testable import SecureSockets

@Suite struct `The place of a fault` {
    /// A record with so many bytes of contents.
    private func record(_ type: UInt8, _ length: Int) -> [UInt8] {
        [type, 3, 3, UInt8(length >> 8), UInt8(length & 0xff)] + [UInt8](repeating: 0, count: length)
    }

    /// Where the fault happens if the stream is written in pieces of this length.
    private func place(_ fault: MemoryFault, _ overhead: RecordOverhead, in stream: [UInt8], pieces length: Int) -> Int? {
        var locator = FaultLocator(fault, overhead)
        if locator.isAtStart { return 0 }
        for start in stride(from: 0, to: stream.count, by: length) {
            let piece = ByteBuffer(bytes: stream[start..<min(start + length, stream.count)])
            if let index = locator.locate(in: piece.readableBytesView) { return start + index }
        }
        return nil
    }

    @Test func `is counted in application data, however the records are written`() {
        let overhead = RecordOverhead(prefix: 8, total: 24)
        // Five bytes of header, eight of nonce, four of data, sixteen of tag; an alert does not count, nor does a record without data.
        let stream = self.record(23, 28) + self.record(21, 26) + self.record(23, 24) + self.record(23, 30)
        let last = stream.count - 35
        for length in [1, 3, 5, 33, stream.count] {
            for (offset, place) in [(0, 0), (1, 14), (3, 16), (4, 33), (5, last + 14), (10, stream.count), (11, nil)] {
                #expect(self.place(MemoryFault(.end, after: offset), overhead, in: stream, pieces: length) == place)
            }
            for (offset, place) in [(0, 13), (3, 16), (4, last + 13), (9, last + 18), (10, nil)] {
                #expect(self.place(MemoryFault(.corruption, after: offset), overhead, in: stream, pieces: length) == place)
            }
        }
    }
}
