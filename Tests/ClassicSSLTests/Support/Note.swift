import ClassicSSL
import NIOCore

/// A message, in a form that can be compared.
enum Note: Hashable, Sendable {
    case bytes([UInt8])
    case binary([UInt8])
    case closed
    case error(SSL.Reason)
    case exit(SSL.Pid, SSL.ExitReason)
    case user

    static func text(_ text: String) -> Note { .bytes(Array(text.utf8)) }

    init(_ message: SSL.Message) {
        switch message {
        case .ssl(_, .bytes(let bytes)): self = .bytes(bytes)
        case .ssl(_, .binary(let buffer)): self = .binary(Array(buffer.readableBytesView))
        case .sslClosed: self = .closed
        case .sslError(_, let reason): self = .error(reason)
        case .exit(let pid, let reason): self = .exit(pid, reason)
        case .user: self = .user
        }
    }

    /// The next message of a socket.
    static func next(of socket: SSL.Socket, _ timeout: SSL.Timeout = patience) async throws -> Note {
        Note(try await SSL.receive(timeout) { $0.socket == socket })
    }
}

extension SSL.Message {
    var socket: SSL.Socket? {
        switch self {
        case .ssl(let socket, _), .sslClosed(let socket), .sslError(let socket, _): socket
        case .exit, .user: nil
        }
    }
}
