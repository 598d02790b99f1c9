#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The descriptors of this process.
package enum OpenDescriptors {
    /// How many there are. To be trusted only where nothing else runs in the process: in an exit test.
    package static var count: Int {
        // The limit may be enormous; nobody here gets this far.
        (0..<4096).count { fcntl($0, F_GETFD) >= 0 }
    }

    /// The number once it has come down to `expected`, or what it still is after ten seconds.
    ///
    /// A connection that has failed goes in the background: its last words are sent and the peer's end is waited for. No event
    /// tells a caller of `connect` when that is done, and so this looks again and again.
    package static func count(comingDownTo expected: Int) async -> Int {
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            let count = Self.count
            if count <= expected || ContinuousClock.now > deadline { return count }
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}
