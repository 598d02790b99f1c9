/// The headers of the peer's handshake messages, as far as they come in the clear (RFC 8446 §4, §5.1): for errors, which the library
/// reports without the length of a message and the version of a server's hello.
///
/// Takes the bytes in any pieces, and keeps none of them. What follows a change of ciphers is encrypted: in TLS 1.2 only the end of the
/// handshake, in TLS 1.3 all after the hello.
struct HandshakeTrace {
    struct Message: Equatable {
        let type: UInt8
        let length: Int
    }

    /// The message that is arriving, or has arrived last.
    private(set) var message: Message?
    /// The version that a ServerHello names (`legacy_version`).
    private(set) var serverVersion: UInt16?

    private var isOver = false
    private var record = Header()
    private var isHandshakeRecord = false
    private var recordLeft = 0
    private var messageHeader = Header()
    private var messageLeft = 0

    /// As much of a header as has come.
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

    private static let serverHello: UInt8 = 2

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

    // By positions, because a slice costs an allocation a byte without optimization.
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
                // The version is the first field of a ServerHello.
                if message.type != Self.serverHello || message.length < 2 { self.beginBody(message.length) }
            } else if self.messageHeader.length == 6, let message = self.message {
                self.serverVersion = UInt16(truncatingIfNeeded: self.messageHeader.value)
                self.beginBody(message.length - 2)
            }
        }
    }

    private mutating func beginBody(_ length: Int) {
        self.messageLeft = length
        self.messageHeader = Header()
    }
}
