public import SecureSockets

extension SSL {
    /// A socket, returned by `listen`, `accept` and `connect`. Comparable and usable as a key, also after it was closed (§1.2).
    public struct Socket: Sendable {
        enum Kind: Sendable {
            case listener(SecureListener)
            case stream(SecureSocket)
        }

        let kind: Kind
        /// The identity of the socket process, for matching exit messages (§1.4).
        let pid: Pid

        init(_ listener: SecureListener) {
            self.kind = .listener(listener)
            self.pid = Pid(of: listener)
        }

        init(_ stream: SecureSocket) {
            self.kind = .stream(stream)
            self.pid = Pid(of: stream)
        }

        /// The same connection through the Swift interface, which also provides the peer's certificates, the version and the cipher suite,
        /// delivery with a credit, and everything else that the classic interface lacks. nil for a listener.
        public var secureSocket: SecureSocket? {
            if case .stream(let stream) = self.kind { stream } else { nil }
        }

        var isClosed: Bool {
            switch self.kind {
            case .listener(let listener): listener.isClosed
            case .stream(let stream): stream.isClosed
            }
        }

        /// Returns the connection. Throws `enotconn` for a listener (§7), `closed` for a socket that was closed on this side.
        func openStream() throws(Reason) -> SecureSocket {
            guard case .stream(let stream) = self.kind else { throw self.isClosed ? .closed : .enotconn }
            if stream.isClosed { throw .closed }
            return stream
        }
    }

    /// The identity of a process: a task's, or a socket's (`pid/1`).
    public struct Pid: Sendable, Hashable, CustomStringConvertible {
        private let number: UInt64

        init(number: UInt64) { self.number = number }

        init(of listener: SecureListener) { self.number = listener.id }
        init(of socket: SecureSocket) { self.number = socket.id }

        /// The identity as Erlang writes it: `<0.5.0>`.
        public var description: String { "<0.\(self.number).0>" }
    }
}

extension SSL.Socket: Hashable {
    public static func == (left: SSL.Socket, right: SSL.Socket) -> Bool { left.pid == right.pid }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.pid) }
}

extension SSL.Socket: CustomStringConvertible {
    public var description: String { "{sslsocket,\(self.pid)}" }
}
