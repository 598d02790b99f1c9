/// The classic interface: Erlang's `ssl` module as described in its first manual, function by function.
///
/// ```swift
/// let listener = try await SSL.listen(8443, [.certfile("server.pem"), .keyfile("server-key.pem"), .packet(4)])
/// let socket = try await SSL.accept(listener)
/// while case .ssl(socket, let data) = try await SSL.receive() { try await SSL.send(socket, data) }
/// ```
///
/// `{ok, X}` is returned and `{error, Reason}` is thrown, always as an ``SSL/Reason``. The rules are those of <doc:Specification>, section
/// by section. The module adds vocabulary to `SecureSockets`, and no behaviour.
public enum SSL {
    /// The amount of one active socket's data that may wait in its owner's mailbox: 64 MiB. Above it, reading pauses until half has been
    /// taken.
    ///
    /// It includes the memory that the data takes, and some 128 bytes for each message. Two active ends that both send more than this
    /// before they receive wait for each other. In the Swift interface this is the option `SocketOptions.mailboxHighWaterMark`. Erlang
    /// never pauses (specification §4.5).
    public static let mailboxHighWaterMark = 64 << 20

    /// The size of the largest packet that is received: 64 MiB. A header that announces more ends the stream with `emsgsize` (specification
    /// §4.3).
    public static let maximumPacketSize = 64 << 20
}
