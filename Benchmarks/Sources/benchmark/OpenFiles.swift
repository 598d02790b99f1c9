import Foundation

/// How many files, and so connections, a process may have open.
enum OpenFiles {
    /// What a process needs besides the connections that are counted: handshakes under way, event loops, pipes.
    private static let reserve = 200

    /// How many connections each of both processes can hold at a time, with the limit raised.
    static var connections: Int { max(self.limit.map { Int(clamping: $0.rlim_cur) - self.reserve } ?? 0, 0) }

    /// Raises the limit of this process as far as it may without privileges.
    static func raiseLimit() {
        guard var limit = self.limit else { return }
        #if canImport(Darwin)
            // The hard limit is infinite there, and more than this is refused.
            limit.rlim_cur = min(limit.rlim_max, rlim_t(OPEN_MAX))
        #else
            limit.rlim_cur = limit.rlim_max
        #endif
        setrlimit(self.resource, &limit)
    }

    private static var limit: rlimit? {
        var limit = rlimit()
        return getrlimit(self.resource, &limit) == 0 ? limit : nil
    }

    #if canImport(Glibc)
        private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
    #else
        private static var resource: Int32 { RLIMIT_NOFILE }
    #endif
}
