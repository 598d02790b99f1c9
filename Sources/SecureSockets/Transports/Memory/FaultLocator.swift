import NIOCore

/// A fault of a connection in memory: what happens to the bytes that one end sends, and where. `MemoryTransport`
/// performs it.
package struct MemoryFault: Sendable, Hashable {
    package enum Effect: Sendable, Hashable {
        /// The connection is reset, at both ends.
        case reset
        /// The stream ends, as by a FIN; what is sent afterwards is discarded.
        case end
        /// Nothing more arrives, and nothing more is taken from the sender.
        case stall
        /// One byte is changed.
        case corruption
    }

    package let effect: Effect
    /// The bytes of application data that arrive unharmed.
    package let offset: Int

    package init(_ effect: Effect, after offset: Int) {
        self.effect = effect
        self.offset = max(offset, 0)
    }
}

/// The bytes of records that are not application data (RFC 8446 §5.2, RFC 5246 §6.2.3).
struct RecordOverhead {
    /// The explicit nonce that precedes the application data.
    let prefix: Int
    /// All that is not application data, without the header.
    let total: Int

    init(prefix: Int, total: Int) {
        self.prefix = prefix
        self.total = total
    }

    /// Exact for suites with AEAD. With CBC (TLS 1.2) the padding depends on the data.
    init(_ information: ConnectionInformation) {
        let suite = information.cipherSuite
        let chaChaSuites: Set<UInt16> = [0xcca8, 0xcca9, 0xccaa, 0xccab, 0xccac]
        if information.version == .tls13 {
            // The content type and the tag; BoringSSL adds no padding.
            (self.prefix, self.total) = (0, 17)
        } else if chaChaSuites.contains(suite.codePoint) {
            (self.prefix, self.total) = (0, 16)
        } else if suite.description.contains("_CBC_") {
            (self.prefix, self.total) = (16, 37)
        } else {
            (self.prefix, self.total) = (8, 24)
        }
    }
}

/// Finds the place of a fault in a stream of TLS records, whatever the pieces in which the stream is written.
struct FaultLocator {
    private let fault: MemoryFault
    private let overhead: RecordOverhead
    /// The application data of the records that have passed.
    private var passed = 0
    /// The record that is passing.
    private var header: [UInt8] = []
    private var remaining = 0
    private var content = 0

    private static let headerLength = 5
    private static let applicationData: UInt8 = 23

    init(_ fault: MemoryFault, _ overhead: RecordOverhead) {
        self.fault = fault
        self.overhead = overhead
    }

    /// Whether the fault happens before any byte.
    var isAtStart: Bool { self.fault.offset == 0 && self.fault.effect != .corruption }

    /// Returns the index of the byte at which the fault happens, counted from the beginning of `bytes`: its length if the fault happens
    /// behind the last one, and nil if it happens later.
    mutating func locate(in bytes: ByteBufferView) -> Int? {
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if self.header.count < Self.headerLength {
                self.header.append(bytes[index])
                index += 1
                if self.header.count == Self.headerLength { self.beginRecord() }
            } else {
                let step = min(self.remaining, bytes.endIndex - index)
                if let distance = self.distance, distance < step { return index - bytes.startIndex + distance }
                self.remaining -= step
                index += step
            }
            guard self.header.count == Self.headerLength, self.remaining == 0 else { continue }
            self.passed += self.content
            self.header.removeAll(keepingCapacity: true)
            // A changed byte is one that comes; the others need not wait for it.
            if self.passed == self.fault.offset, self.fault.effect != .corruption { return index - bytes.startIndex }
        }
        return nil
    }

    private mutating func beginRecord() {
        self.remaining = Int(self.header[3]) << 8 | Int(self.header[4])
        self.content = self.header[0] == Self.applicationData ? max(self.remaining - self.overhead.total, 0) : 0
    }

    /// The distance to the fault in this record; nil if it is in a later one.
    private var distance: Int? {
        guard self.fault.offset < self.passed + self.content else { return nil }
        let gone = self.content + self.overhead.total - self.remaining
        return max(self.overhead.prefix + self.fault.offset - self.passed - gone, 0)
    }
}
