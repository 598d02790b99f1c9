import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Parses the system's certificates once a process and place, as long as they do not change: there are some 150 of them.
final class SystemStoreCache: Sendable {
    struct Place: Hashable {
        let file: String?
        let folders: [String]?
        /// Which file it is and when it was last changed.
        let state: [Int]

        init(file: String?, folders: [String]?) {
            self.file = file
            self.folders = folders
            self.state = (folders ?? []).reduce(into: file.map(Self.state) ?? []) { $0 += Self.state(of: $1) }
        }

        private static func state(of path: String) -> [Int] {
            var status = stat()
            guard stat(path, &status) == 0 else { return [] }
            #if canImport(Darwin)
                let changed = status.st_mtimespec
            #else
                let changed = status.st_mtim
            #endif
            return [Int(status.st_dev), Int(status.st_ino), Int(status.st_size)]
                + withUnsafeBytes(of: changed) { $0.map(Int.init) }
        }
    }

    static let shared = SystemStoreCache()

    private let stores = Mutex<[Place: TrustStore]>([:])

    func store(
        for place: Place,
        orLoad load: () throws(CredentialError) -> TrustStore
    ) throws(CredentialError) -> TrustStore {
        if let store = self.stores.withLock({ $0[place] }) { return store }
        let store = try load()
        return self.stores.withLock { stores in
            if let earlier = stores[place] { return earlier }
            stores[place] = store
            return store
        }
    }
}
