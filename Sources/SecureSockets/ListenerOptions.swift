/// Settings of a listener that are not about TLS. ``SocketOptions`` are those of the sockets it accepts.
public struct ListenerOptions: Sendable, Hashable {
    /// How many connections may wait in the operating system's queue to be accepted. Default: 1024; the operating system may have a lower
    /// limit.
    public var backlog: Int = 1024

    /// Whether several listeners, also of other processes of the same user, may listen on one port; new connections are spread over them
    /// (`SO_REUSEPORT`). Each of them has to ask for it. Default: false.
    public var reusePort: Bool = false

    /// How long an accepted connection may take for its handshake. Default: 10 seconds; nil: no limit.
    public var handshakeTimeout: Duration? = .seconds(10)

    /// How many connections of `serve` may be in their handshake. Default: 8192.
    ///
    /// At the limit, a client that waits takes the place of the one that has been connected longest without having sent anything (after 100
    /// milliseconds), or, if all have, of the one whose handshake has taken longest (after 2 seconds). A client that stays silent takes
    /// about 8 KiB of memory and a file descriptor.
    public var maximumHandshakes: Int = 8192

    /// How many connections of `serve` that are closed on this side may wait for their peers; beyond it the oldest is dropped. Default: 1024,
    /// or fewer where `maximumConnections` is lower, but at least 64.
    public var maximumLingering: Int = 1024

    public init() {}
}

extension ListenerOptions {
    /// Throws for an option whose value makes no sense.
    func validated() throws(SecureSocketError) -> ListenerOptions {
        try OptionError.check(self.maximumHandshakes > 0, "maximumHandshakes is \(self.maximumHandshakes); it must be positive")
        try OptionError.check(self.maximumLingering > 0, "maximumLingering is \(self.maximumLingering); it must be positive")
        try OptionError.check(self.backlog >= 0, "backlog is \(self.backlog); it must not be negative")
        if let handshakeTimeout {
            try OptionError.check(handshakeTimeout > .zero, "handshakeTimeout is \(handshakeTimeout); it must be positive")
        }
        return self
    }
}

/// The error for an option whose value makes no sense.
enum OptionError {
    static func check(_ holds: Bool, _ message: @autoclosure () -> String) throws(SecureSocketError) {
        guard !holds else { return }
        throw SecureSocketError(.invalidArgument, blame: .caller, step: .configuring, message())
    }
}
