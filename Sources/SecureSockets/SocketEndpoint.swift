import NIOCore

/// An internet address and a port.
public struct SocketEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// The address as text, for example `127.0.0.1` or `::1`.
    public let host: String
    /// The port, 0 to 65535.
    public let port: Int

    /// Creates an endpoint from an address and a port.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// The endpoint as `host:port`, with brackets around an IPv6 address.
    public var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }

    init?(_ address: SocketAddress?) {
        guard let address, let host = address.ipAddress, let port = address.port else { return nil }
        // A dual-stack listener gets the addresses of IPv4 peers in IPv4-mapped form (RFC 4291 §2.5.5.2).
        let mapped = "::ffff:"
        self.init(host: host.hasPrefix(mapped) && host.contains(".") ? String(host.dropFirst(mapped.count)) : host, port: port)
    }
}
