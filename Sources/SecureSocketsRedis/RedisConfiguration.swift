public import SecureSockets
internal import TLSEngine

/// The settings of a ``RedisClient``: the server, the credentials, and limits.
///
/// ```swift
/// var configuration = try RedisConfiguration(url: "rediss://user:secret@redis.example:6380/2")
/// configuration.commandTimeout = .milliseconds(200)
/// ```
///
/// A description of the configuration does not contain the password.
public struct RedisConfiguration: Sendable {
    /// The server's host name or address and port, or the path of its Unix domain socket.
    public var endpoint: SocketEndpoint

    /// The TLS settings; nil connects without TLS. Default: nil, and with a URL that begins with `rediss:`, settings that verify chain and
    /// host name with the system's trust.
    public var tls: TLSClientConfiguration?

    /// The name of the user (ACL). It is used with a password only. Default: nil; the user `default`.
    public var username: String?

    /// The password. It does not appear in descriptions, mirrors and errors. Default: nil; the client does not authenticate.
    public var password: String? {
        get { self.secret?.value }
        set { self.secret = newValue.map { Secret(value: $0) } }
    }

    /// The number of the database. Default: 0.
    public var database = 0

    /// The name of the connection in the server's list of clients (CLIENT SETNAME): printable ASCII characters except spaces. Default: nil.
    public var clientName: String?

    /// The time limit for connecting, with the handshakes of TLS and of Redis. Default: 2 seconds.
    public var connectTimeout = Duration.seconds(2)

    /// The time within which the reply to a command must arrive, unless the call has another limit. A connection whose oldest command has
    /// had no reply for this time after its deadline is given up. Default: 1 second.
    public var commandTimeout = Duration.seconds(1)

    /// The number of commands that may be unsent or without a reply. Default: 1,024.
    public var maximumQueuedCommands = 1_024

    /// The largest size of a reply in bytes, to which each element counts at least 32 and each string another 32. A larger one ends the
    /// connection. Default: 16 MiB.
    public var maximumReplySize = 16 << 20

    /// The ceiling of the random delay after the first failure to connect. It doubles with each failure. Default: 100 ms.
    public var minimumBackoff = Duration.milliseconds(100)

    /// The ceiling that the delays between attempts to connect do not exceed. Default: 5 seconds.
    public var maximumBackoff = Duration.seconds(5)

    /// The time between two PINGs of a subscription.
    package var pingInterval = Duration.seconds(10)

    private var secret: Secret?

    /// The port of Redis servers unless another is configured.
    public static let defaultPort = 6_379

    /// Creates the settings for a server at a host and port.
    ///
    /// - Parameters:
    ///   - host: The host name or address.
    ///   - port: The port, 1 to 65535. Default: 6379.
    ///   - tls: The TLS settings. Default: nil; the connection is plain, and anyone on the path can read and change what it carries.
    public init(host: String, port: Int = Self.defaultPort, tls: TLSClientConfiguration? = nil) {
        self.endpoint = SocketEndpoint(host: host, port: port)
        self.tls = tls
    }

    /// Creates the settings for a server on a Unix domain socket of this machine.
    public init(unixSocket path: String) {
        self.endpoint = SocketEndpoint(unixPath: path)
    }

    /// The password, hidden from descriptions and mirrors.
    private struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
        let value: String

        var description: String { "(hidden)" }
        var debugDescription: String { "(hidden)" }
        var customMirror: Mirror { Mirror(self, children: []) }
    }
}

extension RedisConfiguration: CustomStringConvertible {
    /// The settings as a URL without the password, for example `rediss://user@redis.example:6380/2`.
    public var description: String {
        if let path = self.endpoint.unixPath { return "redis+unix://\(path.escapedForDisplay)" }
        let user = self.username.map { $0.escapedForDisplay + "@" } ?? ""
        return "\(self.tls == nil ? "redis" : "rediss")://\(user)\(self.server)/\(self.database)"
    }

    /// The server, for messages.
    var server: String {
        self.endpoint.unixPath == nil
            ? SocketEndpoint(host: self.endpoint.host.abbreviatedForDisplay, port: self.endpoint.port).description
            : self.endpoint.description
    }
}

extension RedisConfiguration {
    /// The longest time limit that is accepted, so that no sum of times overflows.
    static let longestTime = Duration.seconds(86_400)

    /// Returns the settings, or throws if a value is out of range.
    func validated() throws(RedisError) -> RedisConfiguration {
        if self.endpoint.unixPath == nil {
            try Self.check(!self.endpoint.host.isEmpty, "the host is empty", "Give a host name or an address")
            try Self.check(
                (1...65_535).contains(self.endpoint.port), "the port is \(self.endpoint.port)", "1 to 65535 are possible")
        } else {
            try Self.check(
                self.tls == nil, "tls is set for a Unix domain socket", "Such a connection does not leave the machine; omit tls")
        }
        try Self.check(
            self.username == nil || self.password != nil, "there is a username without a password",
            "Set both, or the password alone")
        try Self.check((0...0x7fff_ffff).contains(self.database), "database is \(self.database)", "It must not be negative")
        if let name = self.clientName {
            try Self.check(
                !name.isEmpty && name.utf8.allSatisfy { (33...126).contains($0) }, "clientName is not valid",
                "Use printable ASCII characters except spaces")
        }
        for (name, time) in [
            ("connectTimeout", self.connectTimeout), ("commandTimeout", self.commandTimeout),
            ("minimumBackoff", self.minimumBackoff), ("maximumBackoff", self.maximumBackoff),
        ] {
            try Self.check(
                time > .zero && time <= Self.longestTime, "\(name) is \(time.roundedText)",
                "It must be positive, and at most a day")
        }
        try Self.check(
            self.minimumBackoff <= self.maximumBackoff, "minimumBackoff is greater than maximumBackoff", "It must not be greater")
        try Self.check(
            (1...1_000_000).contains(self.maximumQueuedCommands), "maximumQueuedCommands is \(self.maximumQueuedCommands)",
            "1 to 1000000 are possible")
        try Self.check(
            (1_024...(1 << 30)).contains(self.maximumReplySize), "maximumReplySize is \(self.maximumReplySize)",
            "1024 to \(1 << 30) are possible")
        return self
    }

    private static func check(_ isValid: Bool, _ problem: String, _ advice: String) throws(RedisError) {
        guard isValid else {
            throw RedisError(.invalidConfiguration, "the configuration of Redis cannot be used: \(problem)", advice: advice)
        }
    }
}
