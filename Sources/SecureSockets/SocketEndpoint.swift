import NIOCore
import TLSEngine

/// One end of a connection: an internet address and a port, or the path of a Unix domain socket.
public struct SocketEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// The address as text, for example `127.0.0.1` or `::1`; empty for a Unix domain socket.
    public let host: String
    /// The port, 0 to 65535; 0 for a Unix domain socket.
    public let port: Int
    /// The path of a Unix domain socket; nil for an internet address. It is empty if the socket has no name, which is usual for clients.
    public let unixPath: String?

    /// Creates an endpoint from an address and a port.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
        self.unixPath = nil
    }

    /// Creates an endpoint from the path of a Unix domain socket.
    public init(unixPath: String) {
        self.host = ""
        self.port = 0
        self.unixPath = unixPath
    }

    /// The endpoint as `host:port`, with brackets around an IPv6 address, or as `unix:path`.
    public var description: String {
        if let unixPath { return unixPath.isEmpty ? "unix:(unnamed)" : "unix:\(unixPath.escapedForDisplay)" }
        return self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }

    init?(_ address: SocketAddress?) {
        guard let address else { return nil }
        if let path = address.pathname {
            self.init(unixPath: path)
            return
        }
        guard let host = address.ipAddress, let port = address.port else { return nil }
        // A dual-stack listener gets the addresses of IPv4 peers in IPv4-mapped form (RFC 4291 §2.5.5.2).
        let mapped = "::ffff:"
        self.init(host: host.hasPrefix(mapped) && host.contains(".") ? String(host.dropFirst(mapped.count)) : host, port: port)
    }
}

extension SocketAddress {
    var isUnix: Bool { self.protocol == .unix }
}
