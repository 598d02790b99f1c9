public import NIOCore
import SocketCore
import Synchronization
import TLSEngine

/// A TLS connection.
///
/// ```swift
/// let socket = try await SecureSocket.connect(to: "example.org", port: 443)
/// try await socket.send("GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")
/// var response = ByteBuffer()
/// for try await bytes in socket.incoming { response.writeImmutableBuffer(bytes) }
/// print(String(buffer: response))
/// socket.close()
/// ```
///
/// A socket is a handle: it can be passed to other tasks, compared, and used as a key, also after it has been closed. Sending and
/// receiving do not know of each other; any number of tasks may do either, and are served in their order. When nobody refers to a
/// socket any more, it is closed.
///
/// **Cancelling** a task ends the call it waits in, with the code `cancelled`, and loses nothing: bytes that arrived stay for the
/// next call, and bytes that were not accepted are not sent. A `send` of which a part has gone already succeeds instead, since the
/// rest will follow.
public final class SecureSocket: Sendable {
    let connection: Connection
    /// Unlike any other's in this program, also of a listener or of what another interface numbers.
    package let id = SecureSocket.nextID()
    private let closing = Atomic<Bool>(false)

    /// Whether the socket was closed on this side.
    public var isClosed: Bool { self.closing.load(ordering: .acquiring) }

    /// What the handshake has settled: version, cipher, group, protocol, the peer's certificates.
    public let information: ConnectionInformation

    /// The handle of an established connection.
    init(_ connection: Connection, _ information: ConnectionInformation) {
        self.connection = connection
        self.information = information
    }

    deinit {
        let connection = self.connection
        connection.onLoop { connection.close(sendsCloseNotify: false) }
    }

    // MARK: Receiving

    /// Receives what there is: at least a byte of a plain stream, or one packet, which may be empty, of a framed one. Waits if there
    /// is nothing.
    ///
    /// - Parameter timeout: How long to wait; nil: for ever, zero: not at all.
    /// - Returns: The bytes; nil when the peer has finished sending, and from then on every time.
    /// - Throws: ``SecureSocketError``: `truncated` if the connection ended without the peer's word, `connectionReset` if it broke,
    ///   `timedOut`, `cancelled`, `closed`, `wrongMode` while a mailbox is delivered to. What had arrived before the end is
    ///   always returned first; nothing is lost by a timeout or by cancelling.
    public func receive(timeout: Duration? = nil) async throws(SecureSocketError) -> ByteBuffer? {
        try await self.connection.receive(.next, timeout: timeout)
    }

    func receive(untilShutdown: Bool) async throws(SecureSocketError) -> ByteBuffer? {
        try await self.connection.receive(.next, timeout: nil, untilShutdown: untilShutdown)
    }

    /// Receives exactly that many bytes of a plain stream; waits for all of them.
    ///
    /// - Parameters:
    ///   - count: The number of bytes, from 0 to 16 MiB.
    ///   - timeout: How long to wait; nil: for ever, zero: not at all.
    /// - Throws: As ``receive(timeout:)``, and `endOfStream` if the peer finished before; the bytes that did come are still there
    ///   for ``receive(timeout:)``. `invalidArgument` for a count out of range, `wrongMode` on a framed socket.
    public func receive(
        exactly count: Int, timeout: Duration? = nil
    ) async throws(SecureSocketError) -> ByteBuffer {
        guard count >= 0, count <= Self.largestExactCount else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .receiving,
                "\(count) bytes cannot be received in one call; 0 to \(Self.largestExactCount) can")
        }
        if count == 0 { return ByteBuffer() }
        if let bytes = try await self.connection.receive(.exactly(count), timeout: timeout) { return bytes }
        throw SecureSocketError(
            .endOfStream, blame: .peer, step: .receiving,
            "\(self.connection.peerText) finished before \(count) bytes had come",
            advice: "Receive without a count to get the rest")
    }

    /// The most bytes that ``receive(exactly:timeout:)`` takes.
    package static let largestExactCount = 16 << 20

    /// Receives a line of a plain stream, without the LF or CRLF at its end; waits for all of it.
    ///
    /// Bytes behind the last line end are a line if the peer has finished (`close_notify`).
    ///
    /// - Parameters:
    ///   - maximumLength: The most bytes that the line may have, without its end. Default: 64 KiB.
    ///   - timeout: How long to wait; nil: no limit, zero: not at all.
    /// - Returns: The line; nil when the peer has finished.
    /// - Throws: As ``receive(timeout:)``, and `packetTooLarge` for a longer line, whose bytes can still be received. `wrongMode` on a
    ///   framed socket.
    public func receiveLine(
        maximumLength: Int = 64 << 10, timeout: Duration? = nil
    ) async throws(SecureSocketError) -> ByteBuffer? {
        try await self.receiveLine(maximumLength: maximumLength, timeout: timeout, untilShutdown: false)
    }

    func receiveLine(
        maximumLength: Int, timeout: Duration?, untilShutdown: Bool
    ) async throws(SecureSocketError) -> ByteBuffer? {
        guard (0...Self.largestExactCount).contains(maximumLength) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .receiving,
                "maximumLength is \(maximumLength); 0 to \(Self.largestExactCount) are possible")
        }
        return try await self.connection.receive(
            .line(maximumLength: maximumLength), timeout: timeout, untilShutdown: untilShutdown)
    }

    /// The lines of a plain stream, until the peer has finished, as text; bytes that are not UTF-8 are replaced (U+FFFD).
    ///
    /// Iterating is the same as calling ``receiveLine(maximumLength:timeout:)`` repeatedly; nothing is held back between the lines, so
    /// that other calls may receive what follows.
    ///
    /// - Parameter maximumLength: The most bytes that a line may have, without its end. Default: 64 KiB.
    public func lines(maximumLength: Int = 64 << 10) -> IncomingLines {
        IncomingLines(socket: self, maximumLength: maximumLength)
    }

    /// What arrives, until the peer has finished: chunks of a plain stream, packets of a framed one. A chunk may end inside a character.
    ///
    /// Iterating is the same as calling ``receive(timeout:)`` again and again; two iterations share what arrives.
    public var incoming: Incoming { Incoming(socket: self) }

    // MARK: Sending

    /// Sends bytes; in a framed stream they are one packet, also if there are none.
    ///
    /// Returns when the bytes have been accepted for sending, not when they have been received. Waits while more than
    /// `sendHighWaterMark` bytes are on their way. The bytes of one call are never mixed with another's.
    ///
    /// - Parameters:
    ///   - bytes: What to send.
    ///   - timeout: How long to wait; nil: for ever. When it passes before anything of this call has gone, nothing is sent.
    /// - Throws: ``SecureSocketError``: `connectionReset` or `writingEnded` if nothing can be sent any more, `packetTooLarge` if the
    ///   header cannot say the length, `timedOut`, `cancelled`, `closed`.
    public func send(_ bytes: ByteBuffer, timeout: Duration? = nil) async throws(SecureSocketError) {
        try await self.connection.send(bytes, timeout: timeout)
    }

    /// Sends a string's UTF-8 bytes; see ``send(_:timeout:)-(ByteBuffer,_)``.
    public func send(_ text: String, timeout: Duration? = nil) async throws(SecureSocketError) {
        try await self.connection.send(ByteBuffer(string: text), timeout: timeout)
    }

    /// Sends bytes of any collection; see ``send(_:timeout:)-(ByteBuffer,_)``.
    public func send(
        _ bytes: some Sequence<UInt8> & Sendable, timeout: Duration? = nil
    ) async throws(SecureSocketError) {
        try await self.connection.send(ByteBuffer(bytes: bytes), timeout: timeout)
    }

    /// Says why nothing can be sent any more; for a caller that has nothing sound to send.
    package func requireWritable() async throws(SecureSocketError) {
        try await self.connection.requireWritable()
    }

    /// Tells the peer that nothing more will be sent, after everything that was accepted; receiving goes on.
    ///
    /// A peer with TLS 1.2 may answer by closing the whole connection (RFC 5246 §7.2.1). Calling it again does nothing.
    ///
    /// - Throws: ``SecureSocketError``: `connectionReset` if the connection broke, `closed`. Cancelling ends the wait only: the end
    ///   will be sent.
    public func closeWriting() async throws(SecureSocketError) {
        try await self.connection.closeWriting()
    }

    // MARK: Messages

    /// Delivers what arrives to a mailbox, from now on, and makes it the socket's owner.
    ///
    /// What has arrived already is delivered first. If the socket delivers to another mailbox, its messages there are moved to
    /// this one; none is lost, doubled, or out of order. Calls of ``receive(timeout:)`` that wait end with `wrongMode`. A mailbox
    /// that has been closed closes the socket.
    ///
    /// - Parameters:
    ///   - mailbox: Where messages go.
    ///   - count: How many messages to deliver before the socket is received from again; nil: no end. (Known elsewhere as
    ///     `{active, once}` and `{active, N}`.)
    /// - Throws: ``SecureSocketError``: `closed`, `invalidArgument` for a count below 1.
    public func deliver(to mailbox: Mailbox, count: Int? = nil) async throws(SecureSocketError) {
        if let count, count < 1 {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .receiving, "\(count) messages cannot be delivered")
        }
        let connection = self.connection
        let storage = mailbox.storage
        try await connection.wait(.receiving) { (waiter: Waiter<Void>) in
            let outcome = connection.setOwner(storage, of: self, from: nil)
            if case .success = outcome { connection.deliver(credit: count) }
            waiter.resume(outcome)
        } forget: { _ in
            .failure(.cancelled(.receiving))
        }
    }

    /// Makes a mailbox the socket's owner, without a change of how bytes are delivered: a passive socket stays passive.
    ///
    /// The owner keeps the socket alive, and the socket is closed when the owner is. Messages of this socket that wait with the
    /// former owner are moved to the new one, first; those that arrive meanwhile follow; none is lost, doubled, or out of order. A
    /// mailbox that has been closed closes the socket.
    ///
    /// - Parameters:
    ///   - mailbox: The new owner.
    ///   - former: Who must be the owner at present for this to be done; nil: whoever is.
    /// - Throws: ``SecureSocketError``: `notOwner`, `closed`.
    public func setOwner(
        _ mailbox: Mailbox, from former: Mailbox? = nil
    ) async throws(SecureSocketError) {
        let connection = self.connection
        let (owner, formerOwner) = (mailbox.storage, former?.storage)
        try await connection.wait(.receiving) { (waiter: Waiter<Void>) in
            waiter.resume(connection.setOwner(owner, of: self, from: formerOwner))
        } forget: { _ in
            .failure(.cancelled(.receiving))
        }
    }

    // MARK: Closing

    /// Closes the socket. Returns at once; what was accepted by `send` is still delivered, in the background and for as long as
    /// there is progress (`lingerTimeout`), followed by `close_notify`.
    ///
    /// A program that ends, by returning from `main` or calling `exit`, first delivers what was accepted on all its sockets: it waits until the
    /// peers' operating systems have acknowledged it, but no longer than 2 seconds without progress and 20 seconds altogether.
    ///
    /// What had arrived and was not received is discarded, and calls that wait end with `closed`; but a `send` of which a part
    /// has gone already succeeds, since the rest will follow. Closing again does nothing.
    public func close() {
        self.closing.store(true, ordering: .releasing)
        let connection = self.connection
        connection.onLoop { connection.close() }
    }

    /// Closes the connection at once: what was accepted and has not been sent is discarded, and the peer sees that the stream was cut off
    /// (no `close_notify`), not that it is complete. Calls that wait end with `closed`. After ``close()`` it ends what is still being
    /// delivered.
    public func abort() {
        self.closing.store(true, ordering: .releasing)
        let connection = self.connection
        connection.onLoop { connection.abort() }
    }

    /// Closes as ``close()`` does, but without `close_notify`: for a handler that failed, whose peer must not take what it got for all.
    func closeWithoutNotify() {
        self.closing.store(true, ordering: .releasing)
        let connection = self.connection
        connection.onLoop { connection.close(sendsCloseNotify: false) }
    }

    /// Waits until the connection has gone: everything was delivered or given up, and its descriptor is free.
    ///
    /// A program that ends right after ``close()`` calls this first. Cancelling ends the wait only.
    public func waitUntilClosed() async throws(SecureSocketError) {
        try await self.connection.waitUntilClosed()
    }

    // MARK: About the connection

    /// This end's address; nil for a connection in memory. Stays known after the connection has gone.
    public var localEndpoint: SocketEndpoint? { self.connection.localEndpoint }

    /// The peer's address; nil for a connection in memory. Stays known after the connection has gone.
    public var remoteEndpoint: SocketEndpoint? { self.connection.remoteEndpoint }

    /// The options that the socket was made with.
    public var options: SocketOptions { self.connection.options }

    // Of the options, without a copy of all of them.
    package var isFramed: Bool { self.connection.options.framing != .none }
    package var tag: UInt8 { self.connection.options.tag }
}

extension SecureSocket {
    private static let lastID = Atomic<UInt64>(0)

    package static func nextID() -> UInt64 {
        self.lastID.wrappingAdd(1, ordering: .relaxed).newValue
    }
}

extension SecureSocket: Hashable {
    /// Two handles are equal if they are the same connection's.
    public static func == (left: SecureSocket, right: SecureSocket) -> Bool { left.connection === right.connection }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(self.connection))
    }
}

extension SecureSocket {
    /// Keying material that both ends derive from this connection and nobody else can, for protocols that bind themselves to it
    /// (RFC 5705, RFC 8446 §7.5).
    ///
    /// - Parameters:
    ///   - label: The protocol's own label, for example `EXPORTER-Channel-Binding`.
    ///   - context: The protocol's own context; nil is not the same as empty with TLS 1.2.
    ///   - length: The number of bytes.
    /// - Throws: ``SecureSocketError``: `closed`, `invalidArgument` if the library refuses the length, `invalidConfiguration` if the material
    ///   would not be this connection's alone: with a peer that speaks TLS 1.2 without the extended master secret (RFC 7627 §7).
    public func exportKeyingMaterial(
        label: String, context: [UInt8]? = nil, length: Int
    ) async throws(SecureSocketError) -> [UInt8] {
        let connection = self.connection
        return try await connection.wait(.handshake) { (waiter: Waiter<[UInt8]>) in
            waiter.resume(connection.exportKeyingMaterial(label: label, context: context, length: length))
        } forget: { _ in
            .failure(.cancelled(.handshake))
        }
    }

    /// Changes whether small writes go out at once (`TCP_NODELAY`).
    ///
    /// - Throws: ``SecureSocketError``: `closed`, or what the operating system says.
    public func setNoDelay(_ isOn: Bool) async throws(SecureSocketError) {
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
