import SecureSockets

/// A fault of the network or of a peer, in one direction of an in-memory connection.
///
/// A fault occurs as soon as the given number of bytes of application data has been sent in its direction after the handshake, and not only
/// when the next byte is sent. No timer is involved. TLS records are received only when they are complete: the receiver gets nothing of the
/// record in which a fault occurs. Each call of `send` creates its own records, of up to 16 KiB each.
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

    /// No fault. The default.
    public static let none = StreamFault(fault: nil)

    /// Resets the connection at both ends.
    ///
    /// The receiver gets the data that was sent before; then both ends throw `connectionReset`.
    ///
    /// - Parameter count: The bytes of application data that arrive before; a negative number counts as 0.
    public static func reset(afterBytes count: Int) -> StreamFault { StreamFault(fault: MemoryFault(.reset, after: count)) }

    /// Ends the stream without `close_notify`, as if the sender's process had ended.
    ///
    /// The receiver gets the data that was sent before, and then throws `truncated`. Data that is sent afterwards is discarded without an
    /// error. The other direction is not affected.
    ///
    /// - Parameter count: The bytes of application data that arrive before; a negative number counts as 0.
    public static func truncation(afterBytes count: Int) -> StreamFault { StreamFault(fault: MemoryFault(.end, after: count)) }

    /// Stops all delivery, including the end of the stream, as if the network dropped every packet.
    ///
    /// The receiver waits until its timeout expires. The sender's calls succeed until its buffers are full
    /// (`SocketOptions.sendHighWaterMark`), and then wait until their timeout expires. After `close()`, the sender lingers for
    /// `SocketOptions.lingerTimeout`. The other direction is not affected.
    ///
    /// - Parameter count: The bytes of application data that arrive before; a negative number counts as 0.
    public static func stall(afterBytes count: Int) -> StreamFault { StreamFault(fault: MemoryFault(.stall, after: count)) }

    /// Changes one byte.
    ///
    /// The receiver rejects the record that contains the byte and throws `protocolError`. The sender throws `alertReceived` with the alert
    /// `bad_record_mac`.
    ///
    /// - Parameter count: The bytes of application data that arrive before; a negative number counts as 0.
    public static func corruption(afterBytes count: Int) -> StreamFault {
        StreamFault(fault: MemoryFault(.corruption, after: count))
    }
}
