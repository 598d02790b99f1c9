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

/// A cache of the system's certificates, of which there are some 150. They are parsed again only when their files change.
package final class SystemStoreCache: Sendable {
    /// The location of the certificates according to the environment.
    struct Place: Hashable {
        let file: String?
        let folders: [String]?
    }

    private struct Entry {
        let place: Place
        let state: [FileState]
        let store: TrustStore
    }

    /// The identity of a file or folder and the time of its last change.
    private struct FileState: Equatable {
        private let device: Int
        private let inode: Int
        private let size: Int
        private let changed: [UInt8]

        /// Returns nil if there is no such file or folder.
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

    /// The store that was used last. A program's environment seldom changes.
    private let entry = Mutex<Entry?>(nil)

    package init() {}

    /// Returns the cached store, or loads it if the place or one of its files has changed.
    /// - Parameter paths: The files and folders that the store is made of.
    func store(
        for place: Place, from paths: [String],
        orLoad load: () throws(CredentialError) -> TrustStore
    ) throws(CredentialError) -> TrustStore {
        // Taken before the files are read, so that a change in between is noticed the next time.
        let state = paths.compactMap { FileState(of: $0) }
        let known = self.entry.withLock { $0 }
        if let known, known.place == place, known.state == state { return known.store }
        let store = try load()
        return self.entry.withLock { entry in
            // Another thread may have stored the same state in the meantime.
            if let entry, entry.place == place, entry.state == state { return entry.store }
            entry = Entry(place: place, state: state, store: store)
            return store
        }
    }
}
