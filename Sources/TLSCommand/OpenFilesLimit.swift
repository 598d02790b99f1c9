#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The limit on the open files of this process.
enum OpenFilesLimit {
    /// Raises the soft limit to the hard limit. The usual soft limit, 1024, is low for a server, and exists only for programs that use
    /// `select(2)`.
    static func raise() {
        var limit = rlimit()
        guard getrlimit(Self.resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        #if canImport(Darwin)
            // Greater values are rejected (setrlimit(2)).
            limit.rlim_cur = min(limit.rlim_cur, rlim_t(OPEN_MAX))
        #endif
        _ = setrlimit(Self.resource, &limit)
    }

    #if canImport(Glibc) && os(Linux)
        private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let resource = RLIMIT_NOFILE
    #endif
}
