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
        password: String?,
        allowing legacy: LegacyCertificateOptions = []
    ) throws(CredentialError) {
        self.chain = if let chain { try CertificateList.load(chain, as: .certificateChain) } else { nil }
        let unfit = self.chain?.problemAsIdentity(allowing: legacy).map {
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
    fileprivate func problemAsIdentity(allowing legacy: LegacyCertificateOptions) -> CredentialError.Problem? {
        guard let leaf = self.pointers.first else { return nil }
        defer { ErrorQueue.clear() }
        if let kind = UnsupportedKey(ofCertificate: leaf) { return .unsupportedKey(kind) }
        if let usage = KeyUsage(withoutSigning: leaf) {
            return .keyUsage(usage, subject: Certificate(borrowing: leaf).subject)
        }
        return self.weakness(from: leaf, allowing: legacy)
    }

    /// Follows the issuers from the leaf as far as the file has them. Other certificates in the file count for nothing.
    private func weakness(from leaf: OpaquePointer, allowing legacy: LegacyCertificateOptions) -> CredentialError.Problem? {
        func weakness(of certificate: OpaquePointer) -> CertificateWeakness? {
            let isRoot = certificate.isSelfSigned
            // A root's key and signature are the peer's affair, which trusts it or not; but one's own key counts in any case.
            return (isRoot && certificate != leaf ? nil : CertificateWeakness(keyOf: certificate, allowing: legacy))
                ?? (isRoot ? nil : CertificateWeakness(signatureOf: certificate, allowing: legacy))
        }
        func problem(of certificate: OpaquePointer) -> CredentialError.Problem? {
            weakness(of: certificate).map { weakness in
                .weak(
                    weakness, index: self.pointers.firstIndex(of: certificate) ?? 0,
                    subject: Certificate(borrowing: certificate).subject)
            }
        }
        if let problem = problem(of: leaf) { return problem }
        var current = leaf
        // An authority that is certified in a circle ends nowhere.
        for _ in self.pointers where !current.isSelfSigned {
            let issuers = self.pointers.filter { $0 != current && X509_check_issued($0, current) == X509_V_OK }
            // Of an issuer's certificates one that is good is enough, as peers may choose.
            guard let issuer = issuers.first(where: { weakness(of: $0) == nil }) ?? issuers.first else { return nil }
            if let problem = problem(of: issuer) { return problem }
            current = issuer
        }
        return nil
    }
}

extension OpaquePointer {
    /// Whether this certificate names itself as its issuer, and its key identifiers do not contradict that. A server's own certificate
    /// need not be allowed to sign others.
    fileprivate var isSelfSigned: Bool {
        [X509_V_OK, X509_V_ERR_KEYUSAGE_NO_CERTSIGN].contains(X509_check_issued(self, self))
    }
}

/// What a certificate says its key may be used for (RFC 5280 §4.2.1.3).
package struct KeyUsage: Sendable, Hashable {
    /// The names of the bits that are set, in the order of the RFC.
    package let names: [String]
    /// Whether the certificate is an authority's, by its key usage.
    package let isAuthority: Bool

    /// nil if the key may sign handshakes. Every key has to, except with the key exchanges of TLS 1.2 that this library does not
    /// offer by default (RFC 8446 §4.4.2.2, RFC 5246 §7.4.2).
    fileprivate init?(withoutSigning certificate: OpaquePointer) {
        // All bits are set where the certificate has no such extension, and none where its extensions cannot be read.
        let bits = X509_get_key_usage(certificate)
        guard bits & UInt32(X509v3_KU_DIGITAL_SIGNATURE) == 0,
            X509_get_extension_flags(certificate) & UInt32(EXFLAG_INVALID) == 0
        else { return nil }
        let names: [(Int32, String)] = [
            (X509v3_KU_NON_REPUDIATION, "nonRepudiation"), (X509v3_KU_KEY_ENCIPHERMENT, "keyEncipherment"),
            (X509v3_KU_DATA_ENCIPHERMENT, "dataEncipherment"), (X509v3_KU_KEY_AGREEMENT, "keyAgreement"),
            (X509v3_KU_KEY_CERT_SIGN, "keyCertSign"), (X509v3_KU_CRL_SIGN, "cRLSign"),
            (X509v3_KU_ENCIPHER_ONLY, "encipherOnly"), (X509v3_KU_DECIPHER_ONLY, "decipherOnly"),
        ]
        self.names = names.filter { bits & UInt32($0.0) != 0 }.map(\.1)
        self.isAuthority = bits & UInt32(X509v3_KU_KEY_CERT_SIGN) != 0
    }
}
