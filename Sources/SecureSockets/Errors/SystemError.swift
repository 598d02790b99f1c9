import NIOCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The operating system's texts for its errors.
enum SystemError {
    static func text(of number: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        _ = strerror_r(number, &buffer, buffer.count)
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Returns the most informative of the errors of a name's addresses: a lack of descriptors on this machine; on a machine without IPv6,
    /// the error of the IPv4 address.
    static func mostTelling(of numbers: [Int32]) -> Int32? {
        if let lack = numbers.first(where: { $0 == EMFILE || $0 == ENFILE }) { return lack }
        let sayLittle: Set<Int32> = [EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENETUNREACH, EHOSTUNREACH]
        return numbers.first { !sayLittle.contains($0) } ?? numbers.first
    }

    /// The number of files that this process may have open; nil if it is unknown or unlimited.
    static var openFilesLimit: UInt64? {
        var limit = rlimit()
        #if canImport(Glibc) && os(Linux)
            let result = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #else
            let result = getrlimit(RLIMIT_NOFILE, &limit)
        #endif
        return result == 0 && limit.rlim_cur != rlim_t.max ? UInt64(limit.rlim_cur) : nil
    }
}

extension SecureSocketError {
    /// Creates the error for an operation that the operating system refused.
    ///
    /// - Parameter what: The operation that failed, with the address, for example `cannot listen on 127.0.0.1:443`.
    static func system(_ number: Int32, step: Step, _ what: String) -> SecureSocketError {
        let (code, blame, advice): (Code, Blame, String?) =
            switch number {
            case EADDRINUSE: (.addressInUse, .configuration, "Choose another port, or end the program that has this one")
            case EADDRNOTAVAIL: (.addressNotAvailable, .configuration, "Bind to an address of this machine")
            case EACCES, EPERM:
                (.accessDenied, .configuration, "Ports below 1024 need a privilege; choose a higher one or grant it")
            case EMFILE:
                (
                    .tooManyOpenFiles, .system,
                    "Raise the limit of open files (ulimit -n)" + (SystemError.openFilesLimit.map { ", which is \($0)" } ?? "")
                )
            case ENFILE: (.tooManyOpenFiles, .system, "The whole system has no more; raise its limit (sysctl fs.file-max)")
            case ECONNREFUSED: (.connectionRefused, .peer, "Check that the server is running and listens on this port")
            case ECONNRESET, EPIPE, ECONNABORTED: (.connectionReset, .network, nil)
            case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN: (.unreachable, .network, "Check the address and the route to it")
            case ETIMEDOUT: (.unreachable, .network, "The host did not answer; check the address and any firewall between")
            default: (.system, .system, nil)
            }
        return SecureSocketError(
            code, blame: blame, step: step, "\(what): \(SystemError.text(of: number))", advice: advice, errorNumber: number)
    }

    var isAddressFamilyUnsupported: Bool { self.errorNumber == EAFNOSUPPORT }

    /// Creates the error for a failure that a transport reports.
    package static func transport(_ error: any Error, step: Step, _ what: String) -> SecureSocketError {
        switch error {
        case let error as SecureSocketError: return error
        case let error as IOError: return .system(error.errnoCode, step: step, what)
        case let failure as ConnectFailure:
            return .system(SystemError.mostTelling(of: failure.attempts) ?? ECANCELED, step: step, what)
        case is ChannelError:
            return SecureSocketError(
                .connectionReset, blame: .network, step: step, "\(what): \(error)")
        default:
            return SecureSocketError(.system, blame: .system, step: step, "\(what): \(error)")
        }
    }
}
