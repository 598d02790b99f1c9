import Synchronization

/// Parses the system's certificates once a process and place: there are some 150 of them.
final class SystemStoreCache: Sendable {
    struct Place: Hashable {
        let file: String?
        let folders: [String]?
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
