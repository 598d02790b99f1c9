/// Options of a listener that do not concern TLS. ``SocketOptions`` configures the sockets it accepts.
public struct ListenerOptions: Sendable, Hashable {
    /// The maximum number of connections in the operating system's accept queue. Default: 1024. The operating system may impose a lower
    /// limit.
    public var backlog: Int = 1024

    /// Whether several listeners may share one port (`SO_REUSEPORT`). Default: false.
    ///
    /// The listeners may belong to several processes of one user, and each must set this option. The operating system distributes new
    /// connections over them.
    public var reusePort: Bool = false

    /// The permissions of the file of a Unix domain socket, for example `0o660`. Clients need the permission to write. Default: nil; those that
    /// the process's umask leaves, usually for this user alone.
    public var unixPermissions: UInt16?

    /// The time limit for the handshake of an accepted connection; nil means no limit. Default: 10 seconds.
    public var handshakeTimeout: Duration? = .seconds(10)

    /// The maximum number of connections of `serve` that are in their handshake. Default: 8192.
    ///
    /// At the limit, a new client replaces the one that has been connected longest without sending anything (after 100 milliseconds). If
    /// all have sent something, it replaces the one whose handshake has taken longest (after 2 seconds). A silent client occupies about 8
    /// KiB of memory and a file descriptor.
    public var maximumHandshakes: Int = 8192

    /// The maximum number of connections of `serve` that are closed on this side and wait for the peer's end of stream. Beyond it, the
    /// oldest is dropped. Default: 1024. A lower `maximumConnections` lowers the limit too, but not below 64.
    public var maximumLingering: Int = 1024

    /// The maximum number of decisions that are under way at the same time: as many calls of `selectIdentity`, and as many of a
    /// ``PeerRule``. Further handshakes wait, those about hellos apart from those about peers. Default: 256.
    ///
    /// A call that is cancelled, because its handshake has ended, counts until it returns.
    public var maximumDecisions: Int = standardMaximumDecisions

    package static let standardMaximumDecisions = 256

    /// What happens to an open connection whose client would no longer be accepted. Default: it stays open.
    public var openConnections = OpenConnections.stayOpen

    /// What happens to an open connection when its client's certificate has expired, or when ``SecureListener/update(tls:)`` has revoked it or
    /// withdrawn the trust in its authority.
    public struct OpenConnections: Sendable, Hashable {
        let grace: Duration?

        /// The connection stays open. A certificate is verified during the handshake only.
        public static let stayOpen = OpenConnections(grace: nil)

        /// The connection ends. At first its handler is told as by ``SecureListener/shutDown(deadline:)``: sequences obtained from
        /// ``StreamSocket/Incoming/untilShutdown`` end. After the grace period, the peer receives the alert for the reason, and calls of the
        /// socket fail with `certificateVerificationFailed`.
        /// Revocation lists that are missing or outdated refuse new connections only.
        ///
        /// If an update within that period accepts the client again, the connection stays open: a sequence that has ended remains ended,
        /// and later ones do not end.
        ///
        /// Each update that changes how certificates are verified does so for those of all open connections on their event loops, four in
        /// each round of a loop. With this option, the listener keeps a reference to each open connection with a client certificate, and a
        /// timer for it.
        ///
        /// - Parameter grace: The time that the handler may take. Default: 20 seconds.
        public static func endIfRefused(grace: Duration = .seconds(20)) -> OpenConnections { OpenConnections(grace: grace) }
    }

    /// The keys that protect session tickets. Listeners with the same keys resume each other's sessions, as far as their configurations
    /// accept the same clients. Default: nil; the listener has keys of its own.
    public var ticketKeys: TicketKeys?

    /// Creates the default options.
    public init() {}
}

extension ListenerOptions {
    /// Returns the options, or throws if a value is out of range.
    func validated() throws(SecureSocketError) -> ListenerOptions {
        try OptionError.check(self.maximumHandshakes > 0, "maximumHandshakes is \(self.maximumHandshakes); it must be positive")
        try OptionError.check(self.maximumLingering > 0, "maximumLingering is \(self.maximumLingering); it must be positive")
        if let grace = self.openConnections.grace {
            try OptionError.check(grace >= .zero, "the grace period of openConnections is \(grace); it must not be negative")
        }
        try OptionError.check(self.maximumDecisions > 0, "maximumDecisions is \(self.maximumDecisions); it must be positive")
        if let unixPermissions {
            try OptionError.check(
                unixPermissions <= 0o777, "unixPermissions is 0o\(String(unixPermissions, radix: 8)); at most 0o777 are possible")
        }
        try OptionError.check(self.backlog >= 0, "backlog is \(self.backlog); it must not be negative")
        if let handshakeTimeout {
            try OptionError.check(handshakeTimeout > .zero, "handshakeTimeout is \(handshakeTimeout); it must be positive")
        }
        return self
    }
}

/// The check of an option's value.
enum OptionError {
    static func check(_ holds: Bool, _ message: @autoclosure () -> String) throws(SecureSocketError) {
        guard !holds else { return }
        throw SecureSocketError(.invalidArgument, blame: .caller, step: .configuring, message())
    }
}
