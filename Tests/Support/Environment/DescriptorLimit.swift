#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// How many descriptors this process may have open.
package enum DescriptorLimit {
    /// Sees to it that there may be so many; false if the system does not allow it.
    package static func raise(to count: Int) -> Bool {
        var limit = rlimit()
        guard getrlimit(Self.resource, &limit) == 0 else { return false }
        let wanted = rlim_t(count)
        if limit.rlim_cur >= wanted { return true }
        guard limit.rlim_max >= wanted else { return false }
        limit.rlim_cur = wanted
        return setrlimit(Self.resource, &limit) == 0
    }

    /// Runs `body` with as many descriptors as there are, and none more. For a process of its own (an exit test).
    package static func withNoneLeft<Value>(_ body: () async throws -> Value) async throws -> Value {
        // Those that are open stay open.
        try await Self.with(0, body)
    }

    /// Runs `body` with one descriptor more than there are. For a process of its own (an exit test).
    package static func withOneLeft<Value>(_ body: () async throws -> Value) async throws -> Value {
        let lowest = open("/dev/null", O_RDONLY)
        guard lowest >= 0 else { throw RawSocket.Failure(call: "open", number: errno) }
        close(lowest)
        return try await Self.with(rlim_t(lowest) + 1, body)
    }

    private static func with<Value>(_ limit: rlim_t, _ body: () async throws -> Value) async throws -> Value {
        var before = rlimit()
        guard getrlimit(Self.resource, &before) == 0 else { throw RawSocket.Failure(call: "getrlimit", number: errno) }
        var lower = before
        lower.rlim_cur = limit
        guard setrlimit(Self.resource, &lower) == 0 else { throw RawSocket.Failure(call: "setrlimit", number: errno) }
        defer { _ = setrlimit(Self.resource, &before) }
        return try await body()
    }

    #if canImport(Glibc)
        private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let resource = RLIMIT_NOFILE
    #endif
}
