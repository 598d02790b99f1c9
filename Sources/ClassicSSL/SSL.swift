/// The classic interface: Erlang's `ssl` module as its first manual has it, call by call.
///
/// ```swift
/// let listener = try await SSL.listen(8443, [.certfile("server.pem"), .keyfile("server-key.pem"), .packet(4)])
/// let socket = try await SSL.accept(listener)
/// while case .ssl(socket, let data) = try await SSL.receive() { try await SSL.send(socket, data) }
/// ```
///
/// `{ok, X}` is what a function returns and `{error, Reason}` is what it throws, always an ``SSL/Reason``. The rules are those of
/// <doc:Specification>, section by section; the module adds words to `SecureSockets`, and no behaviour.
public enum SSL {
    /// How much of one active socket's data may wait in its owner's mailbox: 64 MiB. Above it, reading pauses until half has been taken.
    ///
    /// The memory that the data takes counts, and some 128 bytes for each message. Two active ends that both send more than this before they
    /// receive wait for each other. (`SocketOptions.mailboxHighWaterMark` in the Swift interface, where it is an option. Erlang never
    /// pauses; specification §4.5.)
    public static let mailboxHighWaterMark = 64 << 20

    /// The largest packet that is received: 64 MiB. A header that announces more ends the stream with `emsgsize` (specification §4.3).
    public static let maximumPacketSize = 64 << 20
}
