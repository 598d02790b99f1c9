import NIOCore
import SocketCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// Resolves names with `getaddrinfo(3)`.
enum SystemResolver {
    /// Returns all addresses of one family; none if the name has none of this family. Blocks.
    static func addresses(of name: String, _ family: IPFamily) -> HostResolver.Answer {
        let answer = self.ask(name, family, flags: 0)
        // Without descriptors it finds neither files nor name servers, and reports that in various ways.
        if case .failure = answer, let number = self.lackOfDescriptors { return .failure(.system(number)) }
        return answer
    }

    /// Returns the address of a literal with a zone, such as `fe80::1%eth0` (RFC 4007 §11.2); nil if it is not one, or there is no such
    /// network interface. Does not block.
    static func address(scoped literal: String, port: Int) -> SocketAddress? {
        guard !literal.utf8.contains(0), case .success(let addresses) = self.ask(literal, .v6, flags: AI_NUMERICHOST) else {
            return nil
        }
        var address = addresses.first
        address?.port = port
        return address
    }

    static func text(of error: Int32) -> String { String(cString: gai_strerror(error)) }

    private static func ask(_ name: String, _ family: IPFamily, flags: Int32) -> HostResolver.Answer {
        var hints = addrinfo()
        hints.ai_family = family == .v6 ? AF_INET6 : AF_INET
        hints.ai_flags = flags
        #if canImport(Glibc) && os(Linux)
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        errno = 0
        let result = getaddrinfo(name, nil, &hints, &list)
        guard result == 0 else { return .failure(result == EAI_SYSTEM ? .system(errno) : .resolver(result)) }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let raw = entry.ai_addr else { continue }
            switch entry.ai_family {
            case AF_INET:
                let address = raw.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee }
                addresses.append(SocketAddress(address, host: name))
            case AF_INET6:
                let address = raw.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee }
                addresses.append(SocketAddress(address, host: name))
            default: break
            }
        }
        return .success(addresses)
    }

    /// The error number if no file can be opened for lack of descriptors; otherwise nil.
    private static var lackOfDescriptors: Int32? {
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        if descriptor >= 0 {
            close(descriptor)
            return nil
        }
        return errno == EMFILE || errno == ENFILE ? errno : nil
    }
}
