/// Settings of `connect` that are not about TLS. ``SocketOptions`` are those of the socket that it makes.
public struct ConnectOptions: Sendable, Hashable {
    /// The local address and port to connect from. Default: nil, chosen by the operating system.
    public var localEndpoint: SocketEndpoint?

    /// Which addresses of a host name are tried. Default: both kinds.
    public var addressFamily: AddressFamily = .any

    /// The kinds of internet addresses.
    public struct AddressFamily: Sendable, Hashable {
        let usesIPv4: Bool
        let usesIPv6: Bool

        /// IPv6 and IPv4.
        public static let any = AddressFamily(usesIPv4: true, usesIPv6: true)
        public static let v4 = AddressFamily(usesIPv4: true, usesIPv6: false)
        public static let v6 = AddressFamily(usesIPv4: false, usesIPv6: true)
    }

    public init() {}
}
