internal import CNIOBoringSSL

/// What an end of a connection shows and proves: its certificate, the certificates of its issuers, and its private key.
///
/// Either part may be absent: the classic interface allows a key without a certificate (specification §3, rule 3.5).
package final class Identity: Sendable {
    let chain: CertificateList?
    let key: PrivateKey?

    /// Loads and checks both parts; nothing is read later.
    ///
    /// The first thing that is wrong is reported, in the order of the specification (§3.4): the certificate, the key, whether they
    /// belong together. There is one exception: a key that belongs to another certificate of the chain is reported before anything
    /// that is wrong with the first, which is then not the one that is meant.
    package init(
        chain: PEMInput?,
        privateKey: PEMInput?,
        password: String?
    ) throws(CredentialError) {
        self.chain = if let chain { try CertificateList.load(chain, as: .certificateChain) } else { nil }
        let unfit = self.chain?.problemAsIdentity().map {
            CredentialError(item: .certificateChain, path: chain?.path, problem: $0)
        }
        let keys: PrivateKeyFile?
        do {
            keys = if let privateKey { try PrivateKeyFile(privateKey, password: password) } else { nil }
        } catch {
            throw unfit ?? error
        }
        self.key = keys?.first
        let mismatch: KeyMismatch? = if let list = self.chain, let keys { KeyMismatch(of: keys, and: list) } else { nil }
        if let unfit {
            guard case .belongsTo = mismatch else { throw unfit }
        }
        if let mismatch { throw CredentialError(item: .privateKey, path: privateKey?.path, problem: .keyMismatch(mismatch)) }
    }

    package var hasCertificate: Bool { self.chain != nil }

    /// The chain as loaded: own certificate first.
    package var certificates: [Certificate] { self.chain?.certificates ?? [] }
}

/// What a private key belongs to, if it is not the first certificate.
package enum KeyMismatch: Sendable, Hashable {
    /// It belongs to the certificate at this index of the file, from 0.
    case belongsTo(index: Int, subject: String)
    /// The first certificate's key is the one at this index of the key's file, from 0.
    case otherKey(index: Int)
    /// It belongs to none of so many certificates, of which the first has this subject.
    case belongsToNone(count: Int, subject: String)

    /// nil if the first key belongs to the first certificate.
    fileprivate init?(of keys: PrivateKeyFile, and chain: CertificateList) {
        defer { ErrorQueue.clear() }
        guard let leaf = chain.pointers.first, !keys.first.belongs(to: leaf) else { return nil }
        if let index = chain.pointers.firstIndex(where: keys.first.belongs) {
            self = .belongsTo(index: index, subject: Certificate(borrowing: chain.pointers[index]).subject)
        } else if let index = keys.indexOfKey(of: leaf) {
            self = .otherKey(index: index)
        } else {
            self = .belongsToNone(count: chain.pointers.count, subject: Certificate(borrowing: leaf).subject)
        }
    }
}

// MARK: What a chain must be for peers to accept it

extension CertificateList {
    /// Why a peer would refuse this chain whoever shows it; nil if nothing is known.
    fileprivate func problemAsIdentity() -> CredentialError.Problem? {
        guard let leaf = self.pointers.first else { return nil }
        defer { ErrorQueue.clear() }
        if let kind = UnsupportedKey(ofCertificate: leaf) { return .unsupportedKey(kind) }
        return nil
    }
}
