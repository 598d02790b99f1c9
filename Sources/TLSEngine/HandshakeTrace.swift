/// The headers of the peer's handshake messages, as far as they arrive unencrypted (RFC 8446 §4, §5.1). Used for errors, which BoringSSL
/// reports without a message's length.
///
/// Accepts bytes in pieces of any size and keeps none of them. Everything after a ChangeCipherSpec is encrypted: in TLS 1.2 only the end of
/// the handshake, in TLS 1.3 everything after the ServerHello.
struct HandshakeTrace {
    struct Message: Equatable {
        let type: UInt8
        let length: Int
    }

    /// The message that is arriving, or that arrived last.
    private(set) var message: Message?

    private var isOver = false
    private var record = Header()
    private var isHandshakeRecord = false
    private var recordLeft = 0
    private var messageHeader = Header()
    private var messageLeft = 0

    /// The part of a header that has arrived.
    private struct Header {
        var value: UInt64 = 0
        var length = 0

        mutating func append(_ byte: UInt8) {
            self.value = self.value << 8 | UInt64(byte)
            self.length += 1
        }
    }

    private enum ContentType {
        static let changeCipherSpec: UInt64 = 20
        static let handshake: UInt64 = 22
    }

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        var index = 0
        while !self.isOver, index < bytes.count {
            guard self.recordLeft > 0 else {
                self.record.append(bytes[index])
                index += 1
                if self.record.length == 5 { self.beginRecord() }
                continue
            }
            let end = min(index + self.recordLeft, bytes.count)
            self.recordLeft -= end - index
            if self.isHandshakeRecord { self.takeFragment(bytes, from: index, to: end) }
            index = end
        }
    }

    private mutating func beginRecord() {
        let type = self.record.value >> 32
        self.recordLeft = Int(self.record.value & 0xffff)
        self.isHandshakeRecord = type == ContentType.handshake
        self.isOver = type == ContentType.changeCipherSpec
        self.record = Header()
    }

    // Uses indices, because without optimization a slice costs one allocation per byte.
    private mutating func takeFragment(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) {
        var index = start
        while index < end {
            if self.messageLeft > 0 {
                let count = min(self.messageLeft, end - index)
                self.messageLeft -= count
                index += count
                continue
            }
            self.messageHeader.append(bytes[index])
            index += 1
            if self.messageHeader.length == 4 {
                let message = Message(
                    type: UInt8(self.messageHeader.value >> 24), length: Int(self.messageHeader.value & 0xff_ffff))
                self.message = message
                self.messageLeft = message.length
                self.messageHeader = Header()
            }
        }
    }
}
