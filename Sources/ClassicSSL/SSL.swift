/// The classic interface: Erlang's `ssl` module as its first manual has it, call by call.
///
/// ```swift
/// let listener = try await SSL.listen(8443, [.certfile("server.pem"), .keyfile("server-key.pem"), .packet(4)])
/// let socket = try await SSL.accept(listener)
/// while case .ssl(socket, let data) = try await SSL.receive() { try await SSL.send(socket, data) }
/// ```
///
/// `{ok, X}` is what a function returns and `{error, Reason}` is what it throws, always an ``SSL/Reason``. The rules are those of the
/// behavioural specification, section by section; the module adds words to `SecureSockets`, and no behaviour.
public enum SSL {}
