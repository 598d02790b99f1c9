import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The sockets, files and folders that this process has open.
///
/// What event loops and timers of this process and of its libraries use is of other kinds, comes when it is first needed and stays.
package enum OpenDescriptors {
    /// How many there are. To be trusted only where nothing else runs in the process: in an exit test.
    package static var count: Int {
        // The limit may be enormous; nobody here gets this far.
        (0..<4096).count { descriptor in
            var status = stat()
            guard fstat(Int32(descriptor), &status) == 0 else { return false }
            return [S_IFSOCK, S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
        }
    }

    /// The number once it has come down to `expected`, or what it still is after twenty seconds.
    ///
    /// A connection that has failed goes in the background: its last words are sent and the peer's end is waited for. No event
    /// tells a caller of `connect` when that is done, and so this looks again and again.
    package static func count(comingDownTo expected: Int) async -> Int {
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            let count = Self.count
            if count <= expected || ContinuousClock.now > deadline { return count }
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}
