internal import CNIOBoringSSL

/// Revocation lists, found by the names of their issuers. Immutable.
package final class RevocationListStore: Sendable {
    /// The greatest number of lists in one store.
    package static let most = 4096

    let lists: [RevocationList]
    private static let inUse = SharedValues<[UInt8], RevocationList>()
    /// The positions of lists by the hashes of their issuers' names.
    private let positions: [UInt32: [Int]]
    /// A digest of all lists, to which sessions are bound.
    let digest: [UInt8]

    /// - Parameter path: The path to name if there are too many.
    init(_ lists: [RevocationList], path: String?) throws(CredentialError) {
        if lists.isEmpty { throw CredentialError(item: .revocationLists, path: path, problem: .noRevocationList) }
        if lists.count > Self.most {
            throw CredentialError(item: .revocationLists, path: path, problem: .tooManyRevocationLists(limit: Self.most))
        }
        self.lists = lists.map { Self.inUse.shared($0, for: $0.digest) }
        self.positions = Dictionary(grouping: lists.indices) { lists[$0].issuerHash }
        let digests = lists.flatMap(\.digest)
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256(digests, digests.count, &digest)
        self.digest = digest
    }

    /// Returns a store with the lists of all of these stores.
    package static func joining(_ stores: [RevocationListStore]) throws(CredentialError) -> RevocationListStore {
        try RevocationListStore(stores.flatMap(\.lists), path: nil)
    }

    package var descriptions: [RevocationListDescription] { self.lists.map(\.description) }

    /// Returns the lists of the issuer with this name.
    func lists(ofIssuer name: OpaquePointer?) -> [RevocationList] {
        guard let name, let positions = self.positions[X509_NAME_hash(name)] else { return [] }
        return positions.map { self.lists[$0] }.filter { $0.isIssued(by: name) }
    }

    /// Verifies the signatures of lists whose issuers are among these certificates, so that no handshake has to.
    func verifySignatures(with authorities: [OpaquePointer]) {
        for authority in authorities {
            for list in self.lists(ofIssuer: X509_get_subject_name(authority)) { _ = list.isSigned(by: authority) }
        }
    }
}
