/// Options of `connect` that do not concern TLS. ``SocketOptions`` configures the resulting socket.
public struct ConnectOptions: Sendable, Hashable {
    /// The local address and port to connect from. Default: nil; the operating system chooses them.
    public var localEndpoint: SocketEndpoint?

    /// The address family to which connections are attempted. Default: both IPv6 and IPv4.
    public var addressFamily: AddressFamily = .any

    /// Whether `connect` tries once more without ML-KEM groups if its first ClientHello is not answered. Default: false.
    ///
    /// A ClientHello with X25519MLKEM768 has 1.4 KB or more and seldom fits into one TCP segment. Some devices on the path drop it or reset its
    /// connection. The second attempt begins if, before the first byte of the server has arrived,
    /// - the connection is reset or ended in the handshake, or
    /// - the handshake has lasted a quarter of the timeout of `connect`, at most 5 seconds (5 seconds without a timeout).
    ///
    /// It uses the same addresses without another look-up, the same configuration and sessions, and what is left of the timeout. There is
    /// no second attempt once a byte has arrived, so not after an alert or a refused certificate, and none if the configuration offers
    /// ML-KEM alone or not at all. If the second attempt cannot connect, the error is that of the first.
    /// ``ConnectionInformation/wasRetriedWithoutMLKEM`` tells of it.
    ///
    /// - Important: An attacker on the path who drops the first hello can force the second attempt. Its key exchange, such as X25519, is
    ///   secure against present attackers, but an attacker who records the connection can decrypt it if a quantum computer can once break that
    ///   exchange.
    public var retriesWithoutMLKEM = false

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
