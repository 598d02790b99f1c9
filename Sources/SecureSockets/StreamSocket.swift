public import NIOCore
import SocketCore
import Synchronization

/// A connection, secure or plain: the common part of ``SecureSocket`` and ``PlainSocket``.
///
/// A socket is a handle. It can be passed to other tasks, compared, and used as a dictionary key, even after it is closed. Sending and
/// receiving are independent. Any number of tasks may send or receive at the same time; their calls are served in order.
///
/// Close a socket when its stream is complete (``close()``). A socket that is deallocated without that is closed as well, but without
/// `close_notify`: its peer sees a truncated stream, because the program may have failed in the middle of it. A plain stream has no such
/// message: its peer cannot tell a truncated stream from a complete one, unless the protocol tells them apart.
///
/// **Cancelling** a task ends the call in which it waits with the code `cancelled`. No data is lost: bytes that have arrived stay for the
/// next call, and bytes that were not accepted are not sent. A partially written `send` completes and succeeds.
///
/// Sendable without a check, which a class with subclasses cannot have: all stored properties are immutable and `Sendable`, those of the
/// two subclasses too.
public class StreamSocket: @unchecked Sendable {
    final let connection: Connection
    /// A number that is unique in this process among sockets, listeners and whatever else an interface above this one numbers.
    package final let id = StreamSocket.nextID()
    private final let closing = Atomic<Bool>(false)

    /// Whether the socket was closed on this side.
    public final var isClosed: Bool { self.closing.load(ordering: .acquiring) }

    /// The executor of the connection's event loop. Calls of the socket from a task that prefers it change no thread.
    package final var taskExecutor: any TaskExecutor { self.connection.executor }

    /// Creates the handle of an established connection.
    init(_ connection: Connection) { self.connection = connection }

    deinit {
        let connection = self.connection
        connection.onLoop { connection.close(sendsCloseNotify: false) }
    }

    // MARK: Receiving

    /// Receives the bytes that have arrived: at least one byte of a plain stream, or one packet of a framed stream, which may be empty.
    /// Waits if nothing has arrived.
    ///
    /// Everything that arrived before the end of the stream, or before an error, is returned first. A timeout or a cancellation loses no
    /// data.
    ///
    /// - Parameter timeout: The maximum time to wait; nil means no limit, and zero means not to wait.
    /// - Returns: The bytes; nil if the peer has ended its stream (`close_notify`), and nil from every later call.
    /// - Throws: ``SecureSocketError``: `truncated` if the connection ended without `close_notify`, `connectionReset` if it was reset,
    ///   `protocolError` or `alertReceived` if the peer broke the protocol or refused the connection, `packetTooLarge` for a packet longer
    ///   than ``SocketOptions/maximumPacketSize``, `timedOut`, `cancelled`, `closed`, `wrongMode` while the socket delivers to a mailbox.
    public final func receive(timeout: Duration? = nil) async throws(SecureSocketError) -> ByteBuffer? {
        try await self.connection.receive(.next, timeout: timeout)
    }

    final func receive(untilShutdown: Bool) async throws(SecureSocketError) -> ByteBuffer? {
        try await self.connection.receive(.next, timeout: nil, untilShutdown: untilShutdown)
    }

    /// Receives an exact number of bytes of a plain stream. Waits until all of them have arrived.
    ///
    /// - Parameters:
    ///   - count: The number of bytes, from 0 to 16 MiB.
    ///   - timeout: The maximum time to wait; nil means no limit, and zero means not to wait.
    /// - Throws: ``SecureSocketError`` as ``receive(timeout:)`` does, and `endOfStream` if the peer ended its stream before;
    ///   ``receive(timeout:)`` then returns the bytes that did arrive. `invalidArgument` if the count is out of range, `wrongMode` on a
    ///   framed socket.
    public final func receive(
        exactly count: Int, timeout: Duration? = nil
    ) async throws(SecureSocketError) -> ByteBuffer {
        guard count >= 0, count <= Self.largestExactCount else { throw .invalidCount(count) }
        if count == 0 { return ByteBuffer() }
        if let bytes = try await self.connection.receive(.exactly(count), timeout: timeout) { return bytes }
        throw .endOfStream(before: count, from: self.connection.peerText)
    }

    /// The greatest count that ``receive(exactly:timeout:)`` accepts.
    package static let largestExactCount = 16 << 20

    /// Receives a line of a plain stream, without its LF or CRLF. Waits until the whole line has arrived.
    ///
    /// Bytes after the last line break form a line if the peer has ended its stream (`close_notify`).
    ///
    /// - Parameters:
    ///   - maximumLength: The maximum length of the line in bytes, without its line break. Default: 64 KiB.
    ///   - timeout: The maximum time to wait; nil means no limit, and zero means not to wait.
    /// - Returns: The line; nil if the peer has ended its stream.
    /// - Throws: ``SecureSocketError`` as ``receive(timeout:)`` does, and `packetTooLarge` for a longer line, whose bytes can still be
    ///   received. `wrongMode` on a framed socket.
    public final func receiveLine(
        maximumLength: Int = 64 << 10, timeout: Duration? = nil
    ) async throws(SecureSocketError) -> ByteBuffer? {
        try await self.receiveLine(maximumLength: maximumLength, timeout: timeout, untilShutdown: false)
    }

    final func receiveLine(
        maximumLength: Int, timeout: Duration?, untilShutdown: Bool
    ) async throws(SecureSocketError) -> ByteBuffer? {
        guard (0...Self.largestExactCount).contains(maximumLength) else { throw .invalidMaximumLength(maximumLength) }
        return try await self.connection.receive(
            .line(maximumLength: maximumLength), timeout: timeout, untilShutdown: untilShutdown)
    }

    /// Returns a sequence of the lines of a plain stream as text, up to the end of the stream. Invalid UTF-8 is replaced with U+FFFD.
    ///
    /// Iterating the sequence is the same as calling ``receiveLine(maximumLength:timeout:)`` repeatedly. The sequence buffers nothing
    /// between two lines, so that other calls can receive what follows a line.
    ///
    /// - Parameter maximumLength: The maximum length of a line in bytes, without its line break. Default: 64 KiB.
    public final func lines(maximumLength: Int = 64 << 10) -> Lines {
        Lines(socket: self, maximumLength: maximumLength)
    }

    /// A sequence of the received bytes up to the end of the stream: chunks of a plain stream, or packets of a framed one. A chunk may end
    /// inside a character.
    ///
    /// Iterating the sequence is the same as calling ``receive(timeout:)`` repeatedly. Two iterations share the received bytes.
    public final var incoming: Incoming { Incoming(socket: self) }

    // MARK: Sending

    /// Sends bytes. In a framed stream they form one packet, which may be empty.
    ///
    /// Returns when the bytes have been accepted for sending, not when the peer has received them. Waits while more than
    /// `sendHighWaterMark` bytes are unsent. The bytes of one call are never interleaved with those of another.
    ///
    /// - Parameters:
    ///   - bytes: The bytes to send.
    ///   - timeout: The maximum time to wait; nil means no limit. If it expires before the first byte of this call is written, nothing is
    ///     sent.
    /// - Throws: ``SecureSocketError``: `connectionReset` or `writingEnded` if nothing more can be sent, `packetTooLarge` if the header
    ///   cannot express the length, `invalidArgument` if a packet contains its own terminator (``SocketOptions/framing``), `timedOut`,
    ///   `cancelled`, `closed`.
    public final func send(_ bytes: ByteBuffer, timeout: Duration? = nil) async throws(SecureSocketError) {
        try await self.connection.send(bytes, timeout: timeout)
    }

    /// Sends the UTF-8 encoding of a string. See ``send(_:timeout:)-(ByteBuffer,_)``.
    public final func send(_ text: String, timeout: Duration? = nil) async throws(SecureSocketError) {
        try await self.connection.send(ByteBuffer(string: text), timeout: timeout)
    }

    /// Sends the UTF-8 encoding of a part of a string. See ``send(_:timeout:)-(ByteBuffer,_)``.
    public final func send(_ text: Substring, timeout: Duration? = nil) async throws(SecureSocketError) {
        try await self.connection.send(ByteBuffer(substring: text), timeout: timeout)
    }

    /// Sends the bytes of a sequence. See ``send(_:timeout:)-(ByteBuffer,_)``.
    public final func send(
        _ bytes: some Sequence<UInt8> & Sendable, timeout: Duration? = nil
    ) async throws(SecureSocketError) {
        try await self.connection.send(ByteBuffer(bytes: bytes), timeout: timeout)
    }

    /// Throws if nothing more can be sent. For callers that have nothing valid to send.
    package final func requireWritable() async throws(SecureSocketError) {
        try await self.connection.requireWritable()
    }

    /// Ends this side's stream: sends `close_notify` after everything that was accepted. Receiving is not affected.
    ///
    /// A TLS 1.2 peer may respond by closing the whole connection (RFC 5246 §7.2.1). Calling this function again has no effect. Cancelling
    /// ends only the wait: `close_notify` is sent nevertheless.
    ///
    /// - Throws: ``SecureSocketError``: `connectionReset` if the connection was reset, `closed`, `cancelled`.
    public final func closeWriting() async throws(SecureSocketError) {
        try await self.connection.closeWriting()
    }

    // MARK: Closing

    /// Closes the socket. Returns at once; in the background, the bytes that `send` accepted are delivered, followed by `close_notify`, for
    /// as long as there is progress (`lingerTimeout`).
    ///
    /// Bytes that have arrived but were not received are discarded. Waiting calls fail with `closed`, except that a partially written
    /// `send` completes and succeeds. Closing a socket again has no effect.
    ///
    /// When a program ends by returning from `main` or calling `exit`, it first delivers the accepted bytes of all its sockets. It waits
    /// until the peers' operating systems have acknowledged them, but no longer than 2 seconds without progress and 20 seconds in all.
    public final func close() {
        self.closing.store(true, ordering: .releasing)
        let connection = self.connection
        connection.onLoop { connection.close() }
    }

    /// Closes the connection immediately, without delivering the bytes that were accepted but not sent, and without `close_notify`: the
    /// peer detects that the stream is incomplete.
    ///
    /// Waiting calls fail with `closed`. After ``close()``, this function stops the delivery in the background.
    public final func abort() {
        self.closing.store(true, ordering: .releasing)
        let connection = self.connection
        connection.onLoop { connection.abort() }
    }

    /// Closes the socket as ``close()`` does, but without `close_notify`. For a handler that failed: the peer must not regard the stream as
    /// complete.
    final func closeWithoutNotify() {
        self.closing.store(true, ordering: .releasing)
        let connection = self.connection
        connection.onLoop { connection.close(sendsCloseNotify: false) }
    }

    /// Waits until the connection has ended: all accepted bytes have been delivered or discarded, and the descriptor is closed.
    ///
    /// Cancelling ends only the wait.
    public final func waitUntilClosed() async throws(SecureSocketError) {
        try await self.connection.waitUntilClosed()
    }

    /// Records that the connection belongs to another socket now.
    final func markClosed() { self.closing.store(true, ordering: .releasing) }

    // MARK: Properties of the connection

    /// The local address; nil for a connection in memory. Still available after the connection has ended.
    public final var localEndpoint: SocketEndpoint? { self.connection.localEndpoint }

    /// The peer's address; nil for a connection in memory. Still available after the connection has ended.
    public final var remoteEndpoint: SocketEndpoint? { self.connection.remoteEndpoint }

    /// The options with which the socket was created.
    public final var options: SocketOptions { self.connection.options }

    // Single options, read without copying all of them.
    package final var isFramed: Bool { self.connection.options.framing != .none }
    package final var tag: UInt8 { self.connection.options.tag }
}

extension StreamSocket {
    private static let lastID = Atomic<UInt64>(0)

    package static func nextID() -> UInt64 {
        self.lastID.wrappingAdd(1, ordering: .relaxed).newValue
    }
}

extension StreamSocket: Hashable {
    /// Returns whether two handles refer to the same connection.
    public static func == (left: StreamSocket, right: StreamSocket) -> Bool { left.connection === right.connection }

    public final func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(self.connection))
    }
}

extension StreamSocket {
    /// Sets whether small writes are sent immediately (`TCP_NODELAY`).
    ///
    /// - Parameter isOn: Whether small writes are sent immediately.
    /// - Throws: ``SecureSocketError``: `closed`, `cancelled`, or the operating system's error.
    public final func setNoDelay(_ isOn: Bool) async throws(SecureSocketError) {
        let connection = self.connection
        try await connection.wait(.configuring) { (waiter: Waiter<Void>) in
            if connection.machine.isClosedHere { return waiter.resume(.failure(.closed(.configuring))) }
            if connection.options.streamRules.contains(.optionsEndWithWriting), let refusal = connection.machine.sendRefusal {
                return waiter.resume(.failure(connection.error(for: refusal, .configuring)))
            }
            if connection.isTransportGone { return waiter.resume(.failure(connection.connectionLost(.configuring))) }
            connection.transport.setNoDelay(isOn) { waiter.resume($0) }
        } forget: { _ in
            .failure(.cancelled(.configuring))
        }
    }
}

// Never inlined: what composes these messages would be in the frames of the functions that throw them, which a waiting handler keeps.
extension SecureSocketError {
    @inline(never) fileprivate static func invalidCount(_ count: Int) -> SecureSocketError {
        SecureSocketError(
            .invalidArgument, blame: .caller, step: .receiving,
            "\(count) bytes cannot be received in one call; 0 to \(StreamSocket.largestExactCount) can")
    }

    @inline(never) fileprivate static func endOfStream(before count: Int, from peer: String) -> SecureSocketError {
        SecureSocketError(
            .endOfStream, blame: .peer, step: .receiving, "\(peer) finished before \(count) bytes had come",
            advice: "Receive without a count to get the rest")
    }

    @inline(never) fileprivate static func invalidMaximumLength(_ length: Int) -> SecureSocketError {
        SecureSocketError(
            .invalidArgument, blame: .caller, step: .receiving,
            "maximumLength is \(length); 0 to \(StreamSocket.largestExactCount) are possible")
    }
}
