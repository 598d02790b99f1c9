import NIOCore
import NIOPosix
import SocketCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Looks host names up with the system's resolver, for the kinds of addresses that are wanted.
///
/// `getaddrinfo` blocks, and so it runs on NIO's thread pool. Giving up does not stop it; its answer is then dropped.
struct HostResolver: Resolver {
    let loop: any EventLoop
    let family: SocketOptions.AddressFamily

    typealias AddressFamily = AddressRace<SocketAddress>.Family

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        self.family == .v6 ? self.loop.makeSucceededFuture([]) : self.query(host, port, .v4)
    }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        self.family == .v4 ? self.loop.makeSucceededFuture([]) : self.query(host, port, .v6)
    }

    func cancelQueries() {}

    private func query(_ host: String, _ port: Int, _ family: AddressFamily) -> EventLoopFuture<[SocketAddress]> {
        NIOThreadPool.singleton.runIfActive(eventLoop: self.loop) { try Self.lookUp(host, port, family) }
    }

    struct Failure: Error {
        let code: Int32
        var text: String { String(cString: gai_strerror(self.code)) }
        /// Whether asking again would bring the same answer.
        var isAboutTheName: Bool { self.code != EAI_AGAIN && self.code != EAI_SYSTEM && self.code != EAI_MEMORY }
    }

    /// All addresses of one kind; an empty list if the name has none of this kind.
    static func lookUp(_ host: String, _ port: Int, _ family: AddressFamily) throws -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = family == .v6 ? AF_INET6 : AF_INET
        #if canImport(Glibc)
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        // An IPv6 address may stand in brackets.
        let name = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        let result = getaddrinfo(name, nil, &hints, &list)
        guard result == 0 else { throw Failure(code: result) }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let raw = entry.ai_addr else { continue }
            switch entry.ai_family {
            case AF_INET:
                let address = raw.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee }
                addresses.append(SocketAddress(address, host: host))
            case AF_INET6:
                let address = raw.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee }
                addresses.append(SocketAddress(address, host: host))
            default: break
            }
        }
        for index in addresses.indices { addresses[index].port = port }
        return addresses
    }
}
