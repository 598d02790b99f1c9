public import SecureSockets

extension RedisConfiguration {
    /// Creates the settings of a URL: `redis://[[user]:password@]host[:port][/database]`, with `rediss:` for TLS, or `redis+unix:///path`
    /// (also `unix:///path`).
    ///
    /// User and password may contain any characters in percent-encoding. An IPv6 address is in brackets. `redis://secret@host` has a user
    /// name, and is refused for want of a password; write `redis://:secret@host`.
    ///
    /// - Parameters:
    ///   - url: The URL.
    ///   - tls: The TLS settings for a URL that begins with `rediss:`. Default: nil; chain and host name are verified, with the system's
    ///     trust.
    /// - Throws: ``RedisError`` with the code `invalidConfiguration`, which names the part at fault. It does not contain the part's text,
    ///   which may be a misplaced password.
    public init(url: String, tls: TLSClientConfiguration? = nil) throws(RedisError) {
        guard let (scheme, rest) = Self.scheme(of: url) else {
            throw Self.error("has no scheme", "Begin it with redis://, rediss:// for TLS, or redis+unix://")
        }
        switch scheme {
        case "unix", "redis+unix":
            guard tls == nil else { throw Self.error("is for a Unix domain socket, and TLS settings are given", "Omit them") }
            try self.init(unixPart: rest)
        case "redis":
            guard tls == nil else {
                throw Self.error("is for a connection without TLS, and TLS settings are given", "Use rediss://")
            }
            try self.init(internetPart: rest)
        case "rediss":
            try self.init(internetPart: rest)
            self.tls = try Self.settings(tls)
        default:
            throw Self.error("has an unknown scheme", "redis, rediss, redis+unix and unix are possible")
        }
        _ = try self.validated()
    }

    /// Splits the text at `://`.
    private static func scheme(of url: String) -> (scheme: String, rest: Substring)? {
        guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else { return nil }
        return (url[..<colon].lowercased(), url[colon...].dropFirst(3))
    }

    private static func settings(_ tls: TLSClientConfiguration?) throws(RedisError) -> TLSClientConfiguration {
        if let tls { return tls }
        do {
            return try TLSClientConfiguration()
        } catch {
            throw RedisError(
                .invalidConfiguration, "the system's trust cannot be used for Redis: \(error.message)", advice: error.advice,
                cause: error)
        }
    }

    private init(unixPart rest: Substring) throws(RedisError) {
        guard rest.hasPrefix("/") else { throw Self.error("has no absolute path", "Write redis+unix:///path/of/the/socket") }
        guard !rest.contains("?"), !rest.contains("#") else { throw Self.unexpectedQuery }
        self.init(unixSocket: try Self.decoded(rest, "path"))
    }

    private init(internetPart rest: Substring) throws(RedisError) {
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        let (authority, path) = (rest[..<end], rest[end...])
        guard !path.contains("@") else {
            throw Self.error(
                "has an @ after the host", "Encode / as %2F, ? as %3F and # as %23 in the user name and the password")
        }
        guard !path.contains("?"), !path.contains("#") else { throw Self.unexpectedQuery }

        var (host, credentials): (Substring, Substring?) = (authority, nil)
        if let at = authority.lastIndex(of: "@") {
            (host, credentials) = (authority[authority.index(after: at)...], authority[..<at])
        }
        var port = Self.defaultPort
        let hostEnd =
            host.hasPrefix("[")
            ? host.firstIndex(of: "]").map { host.index(after: $0) } : host.firstIndex(of: ":") ?? host.endIndex
        guard let hostEnd else { throw Self.error("has an IPv6 address without a closing bracket", "Write [address]:port") }
        if hostEnd < host.endIndex {
            guard host[hostEnd] == ":", let number = Self.number(host[hostEnd...].dropFirst()), (1...65_535).contains(number)
            else {
                throw Self.error(
                    "has an invalid port",
                    "1 to 65535 are possible. An IPv6 address needs brackets, and a password an @ behind it")
            }
            port = number
        }
        var name = host[..<hostEnd]
        if name.hasPrefix("[") { name = name.dropFirst().dropLast() }
        guard !name.isEmpty else { throw Self.error("has no host", "Write a host name or an address behind ://") }
        self.init(host: try Self.decoded(name, "host"), port: port)

        if let credentials {
            let parts = credentials.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw Self.error("has a user name without a password", "Write user:password@, or :password@ for the default user")
            }
            if !parts[0].isEmpty { self.username = try Self.decoded(parts[0], "user name") }
            self.password = try Self.decoded(parts[1], "password")
        }
        let database = path.dropFirst()
        if !database.isEmpty {
            guard let number = Self.number(database) else {
                throw Self.error("has an invalid path", "It may be the number of a database")
            }
            self.database = number
        }
    }

    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (48...57).contains($0) } ? Int(text) : nil
    }

    /// Decodes percent-encoded UTF-8 (RFC 3986 §2.1).
    private static func decoded(_ text: Substring, _ part: String) throws(RedisError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(Self.digit), let low = rest.popFirst().flatMap(Self.digit) else {
                throw Self.error("has a % in its \(part) without two hexadecimal digits", "Encode % itself as %25")
            }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self), !decoded.utf8.contains(0) else {
            throw Self.error("has a \(part) that is not UTF-8, or contains a zero byte", "Encode the bytes of its UTF-8 form")
        }
        return decoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
    }

    private static let unexpectedQuery = Self.error("has a query or a fragment", "Set the fields of the configuration instead")

    private static func error(_ problem: String, _ advice: String) -> RedisError {
        RedisError(.invalidConfiguration, "the URL of Redis \(problem)", advice: advice)
    }
}
