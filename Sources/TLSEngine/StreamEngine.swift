package import NIOCore

/// The state of one connection between the network and the program, independent of any socket: bytes in, bytes out. The common part of
/// `TLSEngine` and of `PlainEngine`, which passes bytes on unchanged.
///
/// Not thread-safe: an engine is confined to its connection's event loop.
package class StreamEngine {
    package enum HandshakeProgress: Equatable {
        /// More bytes from the peer are needed. There may be output to send first.
        case waiting
        case complete
        case failed(TLSFailure)
        /// The program has to make a decision (`pendingDecision`). There may be output to send first.
        case deciding
    }

    package enum ReadProgress: Equatable {
        /// All input has been consumed.
        case waiting
        /// The limit has been reached. There is more to read.
        case limitReached
        /// The call has read as many records as it may. There is more to read.
        case paused
        /// The peer has finished sending and has sent `close_notify`.
        case closed
        /// The transport has ended without `close_notify`, so data may be missing (RFC 8446 §6.1).
        case truncated
        case failed(TLSFailure)
    }

    // Unchecked exclusivity is sound: an engine is confined to one loop, and no access to these properties calls code that accesses them
    // again.
    /// The unread rest of the bytes borrowed by `withBorrowed` while it runs; otherwise empty. Read before `input`.
    @exclusivity(unchecked) final var borrowed = UnsafeRawBufferPointer(start: nil, count: 0)
    @exclusivity(unchecked) final var input = ByteBuffer()
    @exclusivity(unchecked) final var output = ByteBuffer()
    @exclusivity(unchecked) final var transportHasEnded = false

    init() {}

    // MARK: Network side

    /// Adds ciphertext that the network has delivered.
    package final func receive(_ ciphertext: ByteBuffer) {
        if self.input.readableBytes == 0 {
            self.input = ciphertext
        } else {
            self.input.writeImmutableBuffer(ciphertext)
        }
    }

    /// Reads from `bytes` while `body` runs, then copies the unread rest, because the owner of the bytes overwrites them.
    package final func withBorrowed(_ bytes: UnsafeRawBufferPointer, _ body: () -> Void) {
        if self.input.readableBytes > 0 || self.borrowed.count > 0 {
            self.input.writeBytes(bytes)
            return body()
        }
        self.borrowed = bytes
        body()
        if self.borrowed.count > 0 {
            var rest = ByteBuffer(bytes: self.borrowed)
            rest.writeImmutableBuffer(self.input)
            self.input = rest
        }
        self.borrowed = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// The number of bytes that can be read in one piece.
    final var availableInput: Int { self.borrowed.count > 0 ? self.borrowed.count : self.input.readableBytes }

    /// Copies input to `target`. `count` must not exceed `availableInput`.
    final func takeInput(_ count: Int, into target: UnsafeMutableRawPointer) {
        if self.borrowed.count > 0, let start = self.borrowed.baseAddress {
            copyInPieces(start, to: target, count: count)
            self.borrowed = UnsafeRawBufferPointer(start: start + count, count: self.borrowed.count - count)
        } else {
            self.input.readWithUnsafeReadableBytes { source in
                if let start = source.baseAddress { copyInPieces(start, to: target, count: count) }
                return count
            }
        }
    }

    /// Marks the end of the transport: the network delivers nothing more.
    package final func receiveEnd() {
        self.transportHasEnded = true
    }

    /// The number of bytes that wait to be sent.
    package final var pendingOutput: Int { self.output.readableBytes }

    /// Provides an empty buffer to write into.
    package final func useForOutput(_ buffer: consuming ByteBuffer) {
        if self.output.readableBytes == 0 { self.output = buffer }
    }

    /// Removes and returns everything that is to be sent; nil if there is nothing.
    package final func takeOutput() -> ByteBuffer? {
        guard self.output.readableBytes > 0 else { return nil }
        let output = self.output
        self.output = ByteBuffer()
        return output
    }

    final func releaseUsedInput() {
        if self.input.readableBytes == 0, self.input.capacity > 0 { self.input = ByteBuffer() }
    }

    // MARK: Program side, different in each

    /// The number of received bytes that `read` has not returned.
    package var unreadInput: Int { self.availableInput }

    /// Advances the handshake as far as the input allows.
    package func handshake() -> HandshakeProgress { .complete }

    /// Reads what has arrived, until the input is used up, `buffer` holds `limit` bytes, or `records` records have been read.
    package func read(into buffer: inout ByteBuffer, limit: Int, records: Int = .max) -> ReadProgress { .waiting }

    /// Writes bytes into the output. Never waits: the output grows.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(TLSFailure) {}

    /// Tells the peer, by a message of the protocol, that nothing more will be sent.
    package func writeCloseNotify() {}
}

/// Passes the bytes of a plain connection on unchanged.
package final class PlainEngine: StreamEngine {
    package override init() {}

    /// Copies what has arrived. `records` has no meaning here. The end of the transport is reported as `truncated`: its meaning is known to
    /// the connection.
    package override func read(into buffer: inout ByteBuffer, limit: Int, records: Int = .max) -> ReadProgress {
        let available = self.availableInput
        guard available > 0 else { return self.transportHasEnded ? .truncated : .waiting }
        let room = limit - buffer.readableBytes
        guard room > 0 else { return .limitReached }
        if self.borrowed.count == 0, buffer.readableBytes == 0, available <= room {
            buffer = self.input
            self.input = ByteBuffer()
        } else {
            let count = min(available, room)
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
                if let start = target.baseAddress { self.takeInput(count, into: start) }
                return count
            }
            self.releaseUsedInput()
        }
        if self.availableInput > 0 { return .limitReached }
        return self.transportHasEnded ? .truncated : .waiting
    }

    package override func write(_ bytes: UnsafeRawBufferPointer) throws(TLSFailure) {
        self.output.writeBytes(bytes)
    }

    /// The bytes that have arrived and were not read.
    package var unreadBytes: ByteBuffer { self.input }
}

/// Copies bytes between regions that do not overlap, in small pieces.
///
/// For more than a few KiB, some C libraries use an instruction (`rep movsb`) that is several times slower on some processors when the two
/// addresses have the same lower bits (https://sourceware.org/bugzilla/show_bug.cgi?id=30994).
func copyInPieces(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int) {
    var done = 0
    while done < count {
        let length = min(count - done, 2048)
        (target + done).copyMemory(from: source + done, byteCount: length)
        done += length
    }
}
