/// Options of `connect` that do not concern TLS. ``SocketOptions`` configures the resulting socket.
public struct ConnectOptions: Sendable, Hashable {
    /// The local address and port to connect from. Default: nil; the operating system chooses them.
    public var localEndpoint: SocketEndpoint?

    /// The address family to which connections are attempted. Default: both IPv6 and IPv4.
    public var addressFamily: AddressFamily = .any

    /// The address families to which a client connects.
    public struct AddressFamily: Sendable, Hashable {
        let usesIPv4: Bool
        let usesIPv6: Bool

        /// IPv6 and IPv4.
        public static let any = AddressFamily(usesIPv4: true, usesIPv6: true)
        /// IPv4 only.
        public static let v4 = AddressFamily(usesIPv4: true, usesIPv6: false)
        /// IPv6 only.
        public static let v6 = AddressFamily(usesIPv4: false, usesIPv6: true)
    }

    /// Creates the default options.
    public init() {}
}
