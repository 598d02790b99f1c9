#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// An open TCP socket of this process, over IPv4, as the operating system knows it.
package struct NetworkSocket {
    private let descriptor: Int32

    /// Those with this local port, and this port of their peer; nil: those without a peer.
    package static func all(from local: Int, to remote: Int?) -> [NetworkSocket] {
        (0..<Int32(4096)).filter { Self.port(of: $0, getsockname) == local && Self.port(of: $0, getpeername) == remote }
            .map(NetworkSocket.init)
    }

    /// Those with this local port and any peer.
    package static func connections(of local: Int) -> [NetworkSocket] {
        (0..<Int32(4096)).filter { Self.port(of: $0, getsockname) == local && Self.port(of: $0, getpeername) != nil }
            .map(NetworkSocket.init)
    }

    /// An option whose value is a number; nil if there is none.
    package func option(_ level: Int32, _ name: Int32) -> Int32? {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(self.descriptor, level, name, &value, &size) == 0 ? value : nil
    }

    #if os(Linux)
        /// How many connections may wait to be accepted.
        package var backlog: Int32? {
            // `struct tcp_info` tells it of a listening socket as `tcpi_sacked`: after eight bytes, the sixth number.
            var information = [Int32](repeating: 0, count: 26)
            var size = socklen_t(information.count * MemoryLayout<Int32>.size)
            return getsockopt(self.descriptor, Int32(IPPROTO_TCP), TCP_INFO, &information, &size) == 0 ? information[7] : nil
        }
    #endif

    private static func port(
        of descriptor: Int32, _ name: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> Int? {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { name(descriptor, $0, &size) }
        }
        guard result == 0, address.sin_family == sa_family_t(AF_INET) else { return nil }
        return Int(in_port_t(bigEndian: address.sin_port))
    }
}
