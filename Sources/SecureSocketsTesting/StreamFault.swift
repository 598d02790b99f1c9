import SecureSockets

/// A fault of the network, or of a peer, in one direction of a connection in memory.
///
/// A fault happens once so many bytes of application data have been sent in its direction after the handshake: at once, and not when the
/// next byte is sent. No timer is involved. A receiver gets TLS records only when they are complete: of the record in which a fault happens
/// it gets nothing. Each call of `send` makes records of its own, of up to 16 KiB each.
///
/// ```swift
/// func brokenPair(
///     _ client: TLSClientConfiguration, _ server: TLSServerConfiguration
/// ) async throws -> (client: SecureSocket, server: SecureSocket) {
///     // The server receives "hello\n" if the client sends that in one call, and then throws `truncated`.
///     try await SecureSocket.connectedPair(client: client, server: server, clientToServer: .truncation(afterBytes: 6))
/// }
/// ```
///
/// With TLS 1.3 the alert `close_notify` counts as two bytes. With the CBC suites of TLS 1.2, which are disabled by default, positions are
/// approximate.
public struct StreamFault: Sendable, Hashable {
    let fault: MemoryFault?

    /// Nothing goes wrong. The default.
    public static let none = StreamFault(fault: nil)

    /// The connection is reset, at both ends.
    ///
    /// The receiver gets what was sent before; then both ends throw `connectionReset`.
    ///
    /// - Parameter count: The bytes of application data that arrive before; a negative number counts as 0.
    public static func reset(afterBytes count: Int) -> StreamFault { StreamFault(fault: MemoryFault(.reset, after: count)) }

    /// The stream ends without `close_notify`, as if the sender's process had ended.
    ///
    /// The receiver gets what was sent before, and then throws `truncated`. What the sender sends
    /// afterwards is discarded without an error. The other direction is not affected.
    ///
    /// - Parameter count: The bytes of application data that arrive before; a negative number counts as 0.
    public static func truncation(afterBytes count: Int) -> StreamFault { StreamFault(fault: MemoryFault(.end, after: count)) }

    /// Nothing more arrives, not even the end of the stream, as if the network had lost its way to the receiver.
    ///
    /// The receiver waits until its own timeout. The sender's calls succeed until its buffers are full
    /// (`SocketOptions.sendHighWaterMark`), and then wait until theirs. After `close()` the
    /// sender lingers for `SocketOptions.lingerTimeout`. The other direction is not affected.
    ///
    /// - Parameter count: The bytes of application data that arrive before; a negative number counts as 0.
    public static func stall(afterBytes count: Int) -> StreamFault { StreamFault(fault: MemoryFault(.stall, after: count)) }

    /// One byte arrives changed.
    ///
    /// The receiver rejects the record of that byte and throws `protocolError`; the sender throws
    /// `alertReceived` with the alert `bad_record_mac`.
    ///
    /// - Parameter count: The bytes of application data that arrive before; a negative number counts as 0.
    public static func corruption(afterBytes count: Int) -> StreamFault {
        StreamFault(fault: MemoryFault(.corruption, after: count))
    }
}
