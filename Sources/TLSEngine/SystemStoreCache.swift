import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The system's certificates, parsed once as long as their files do not change: there are some 150 of them.
package final class SystemStoreCache: Sendable {
    /// What the environment says of the place.
    struct Place: Hashable {
        let file: String?
        let folders: [String]?
    }

    private struct Entry {
        let place: Place
        let state: [FileState]
        let store: TrustStore
    }

    /// Which file or folder it is and when it was last changed.
    private struct FileState: Equatable {
        private let device: Int
        private let inode: Int
        private let size: Int
        private let changed: [UInt8]

        /// nil if there is none.
        init?(of path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            #if canImport(Darwin)
                let changed = status.st_mtimespec
            #else
                let changed = status.st_mtim
            #endif
            self.device = Int(truncatingIfNeeded: status.st_dev)
            self.inode = Int(truncatingIfNeeded: status.st_ino)
            self.size = Int(status.st_size)
            self.changed = withUnsafeBytes(of: changed) { Array($0) }
        }
    }

    package static let shared = SystemStoreCache()

    /// The store that was used last: the environment of a program seldom changes.
    private let entry = Mutex<Entry?>(nil)

    package init() {}

    /// - Parameter paths: The files and folders that the store is made of.
    func store(
        for place: Place, from paths: [String],
        orLoad load: () throws(CredentialError) -> TrustStore
    ) throws(CredentialError) -> TrustStore {
        // Before they are read: a change meanwhile is noticed the next time.
        let state = paths.compactMap { FileState(of: $0) }
        let known = self.entry.withLock { $0 }
        if let known, known.place == place, known.state == state { return known.store }
        let store = try load()
        return self.entry.withLock { entry in
            // Another thread may have been faster.
            if let entry, entry.place == place, entry.state == state { return entry.store }
            entry = Entry(place: place, state: state, store: store)
            return store
        }
    }
}
