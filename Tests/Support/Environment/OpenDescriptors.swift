import Foundation

/// The sockets, files and folders that this process has open.
///
/// What event loops and timers of this process and of its libraries use is of other kinds, comes when it is first needed and stays.
package enum OpenDescriptors {
    /// How many there are. To be trusted only where nothing else runs in the process: in an exit test.
    package static var count: Int {
        // The limit may be enormous; nobody here gets this far.
        (0..<Int32(4096)).count { Self.isSocket($0) || Self.isFile($0) }
    }

    private static func isSocket(_ descriptor: Int32) -> Bool {
        var kind: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &size) == 0
    }

    /// Whether it has a path.
    private static func isFile(_ descriptor: Int32) -> Bool {
        #if canImport(Darwin)
            var path = [CChar](repeating: 0, count: Int(PATH_MAX))
            return fcntl(descriptor, F_GETPATH, &path) == 0
        #else
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
            return target?.hasPrefix("/") ?? false
        #endif
    }

    /// The number once it has come down to `expected`, or what it still is after two minutes.
    ///
    /// A connection that has failed goes in the background: its last words are sent and the peer's end is waited for. No event
    /// tells a caller of `connect` when that is done, and so this looks again and again.
    package static func count(comingDownTo expected: Int) async -> Int {
        let deadline = ContinuousClock.now + .seconds(120)
        while true {
            let count = Self.count
            if count <= expected || ContinuousClock.now > deadline { return count }
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}
