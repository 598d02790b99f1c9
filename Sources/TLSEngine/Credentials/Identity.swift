internal import CNIOBoringSSL

/// The certificate chain and the private key of one side.
///
/// Either part may be absent.
package final class Identity: Sendable {
    let chain: CertificateList?
    let key: PrivateKey?
    /// The OCSP response that a server sends with its certificate; nil if there is none.
    package let stapledResponse: StapledResponse?

    /// Loads and checks both parts. No file is read later.
    ///
    /// Errors are reported in this order: certificate, key, mismatch. There is one exception: if the key
    /// belongs to another certificate of the chain, the mismatch takes precedence over faults of the first certificate, which is then
    /// not the intended one.
    package init(
        chain: PEMInput?,
        privateKey: PEMInput?,
        password: String?,
        allowing legacy: LegacyCertificateOptions = []
    ) throws(CredentialError) {
        let certificates: CertificateList? = if let chain { try CertificateList.load(chain, as: .certificateChain) } else { nil }
        let unfit = certificates?.problemAsIdentity(allowing: legacy).map {
            CredentialError(item: .certificateChain, path: chain?.path, problem: $0)
        }
        let keys: PrivateKeyFile?
        do {
            keys = if let privateKey { try PrivateKeyFile(privateKey, password: password) } else { nil }
        } catch {
            throw unfit ?? error
        }
        let mismatch: KeyMismatch? = if let certificates, let keys { KeyMismatch(of: keys, and: certificates) } else { nil }
        if let unfit {
            guard case .belongsTo = mismatch else { throw unfit }
        }
        if let mismatch { throw CredentialError(item: .privateKey, path: privateKey?.path, problem: .keyMismatch(mismatch)) }
        self.chain = certificates
        self.key = keys?.first
        self.stapledResponse = nil
    }

    /// Loads and checks a chain and a key in DER.
    package init(
        certificates: [[UInt8]], privateKey: [UInt8], allowing legacy: LegacyCertificateOptions = []
    ) throws(CredentialError) {
        let chain = try CertificateList(der: certificates, as: .certificateChain)
        if let problem = chain.problemAsIdentity(allowing: legacy) {
            throw CredentialError(item: .certificateChain, path: nil, problem: problem)
        }
        let key = try PrivateKey(der: privateKey)
        if let mismatch = KeyMismatch(of: key, and: chain) {
            throw CredentialError(item: .privateKey, path: nil, problem: .keyMismatch(mismatch))
        }
        self.chain = chain
        self.key = key
        self.stapledResponse = nil
    }

    /// Loads and checks a chain in DER and a key in PEM.
    package init(
        certificates: [[UInt8]], privateKeyPEM privateKey: PEMInput, allowing legacy: LegacyCertificateOptions = []
    ) throws(CredentialError) {
        let chain = try CertificateList(der: certificates, as: .certificateChain)
        if let problem = chain.problemAsIdentity(allowing: legacy) {
            throw CredentialError(item: .certificateChain, path: nil, problem: problem)
        }
        let keys = try PrivateKeyFile(privateKey, password: nil)
        if let mismatch = KeyMismatch(of: keys, and: chain) {
            throw CredentialError(item: .privateKey, path: privateKey.path, problem: .keyMismatch(mismatch))
        }
        self.chain = chain
        self.key = keys.first
        self.stapledResponse = nil
    }

    /// Loads and checks the content of a PKCS#12 archive.
    package init(
        pkcs12 archive: PEMInput, password: String, allowing legacy: LegacyCertificateOptions = []
    ) throws(CredentialError) {
        let content = try PKCS12Archive(archive, password: password)
        if let problem = content.chain.problemAsIdentity(allowing: legacy) {
            throw CredentialError(item: .archive, path: archive.path, problem: problem)
        }
        self.chain = content.chain
        self.key = content.key
        self.stapledResponse = nil
    }

    private init(_ other: Identity, stapling response: StapledResponse) {
        self.chain = other.chain
        self.key = other.key
        self.stapledResponse = response
    }

    func stapling(_ response: StapledResponse) -> Identity { Identity(self, stapling: response) }

    package var hasCertificate: Bool { self.chain != nil }

    /// The chain as loaded: own certificate first.
    package var certificates: [DecodedCertificate] { self.chain?.certificates ?? [] }
}

/// A private key that does not belong to the first certificate of the chain.
package enum KeyMismatch: Sendable, Hashable {
    /// The key belongs to the certificate at this index of the file.
    case belongsTo(index: Int, subject: String)
    /// Another key of the key file, at this index, belongs to the first certificate.
    case otherKey(index: Int)
    /// The key belongs to none of the certificates.
    case belongsToNone(count: Int, subject: String)

    /// nil if the first key of the file belongs to the first certificate.
    fileprivate init?(of keys: PrivateKeyFile, and chain: CertificateList) {
        self.init(of: keys.first, and: chain)
        if case .belongsToNone = self, let leaf = chain.pointers.first, let index = keys.indexOfKey(of: leaf) {
            self = .otherKey(index: index)
        }
    }

    /// nil if the key belongs to the first certificate.
    fileprivate init?(of key: PrivateKey, and chain: CertificateList) {
        defer { ErrorQueue.clear() }
        guard let leaf = chain.pointers.first, !key.belongs(to: leaf) else { return nil }
        if let index = chain.pointers.firstIndex(where: key.belongs) {
            self = .belongsTo(index: index, subject: DecodedCertificate(borrowing: chain.pointers[index]).subject)
        } else {
            self = .belongsToNone(count: chain.pointers.count, subject: DecodedCertificate(borrowing: leaf).subject)
        }
    }
}

// MARK: Checks of the chain

extension CertificateList {
    /// The reason for which peers would refuse this chain, whatever they trust; nil if there is none.
    fileprivate func problemAsIdentity(allowing legacy: LegacyCertificateOptions) -> CredentialError.Problem? {
        guard let leaf = self.pointers.first else { return nil }
        defer { ErrorQueue.clear() }
        if let kind = UnsupportedKey(ofCertificate: leaf) { return .unsupportedKey(kind) }
        let subject = DecodedCertificate(borrowing: leaf).subject
        if X509_get_extension_flags(leaf) & UInt32(EXFLAG_INVALID) != 0 { return .malformedExtension(subject: subject) }
        if let usage = KeyUsage(withoutSigning: leaf) { return .keyUsage(usage, subject: subject) }
        return self.weakness(from: leaf, allowing: legacy)
    }

    /// Checks the leaf and its issuers as far as the file contains them. Other certificates of the file are ignored.
    private func weakness(from leaf: OpaquePointer, allowing legacy: LegacyCertificateOptions) -> CredentialError.Problem? {
        func weakness(of certificate: OpaquePointer) -> CertificateWeakness? {
            let isRoot = certificate.isSelfSigned
            // Peers judge a root by their trust, not by its key and signature. The identity's own key is always checked.
            return (isRoot && certificate != leaf ? nil : CertificateWeakness(keyOf: certificate, allowing: legacy))
                ?? (isRoot ? nil : CertificateWeakness(signatureOf: certificate, allowing: legacy))
        }
        func problem(of certificate: OpaquePointer) -> CredentialError.Problem? {
            weakness(of: certificate).map { weakness in
                .weak(
                    weakness, index: self.pointers.firstIndex(of: certificate) ?? 0,
                    subject: DecodedCertificate(borrowing: certificate).subject)
            }
        }
        if let problem = problem(of: leaf) { return problem }
        var current = leaf
        // Bounded, because authorities may certify each other in a cycle.
        for _ in self.pointers where !current.isSelfSigned {
            let issuers = self.pointers.filter { $0 != current && X509_check_issued($0, current) == X509_V_OK }
            // If an issuer has several certificates, one without weaknesses suffices, because peers can choose it.
            guard let issuer = issuers.first(where: { weakness(of: $0) == nil }) ?? issuers.first else { return nil }
            if let problem = problem(of: issuer) { return problem }
            current = issuer
        }
        return nil
    }
}

extension OpaquePointer {
    /// Whether subject and issuer, and the key identifiers, match. The key usage may lack `keyCertSign`, as that of a self-signed server
    /// certificate does.
    fileprivate var isSelfSigned: Bool {
        [X509_V_OK, X509_V_ERR_KEYUSAGE_NO_CERTSIGN].contains(X509_check_issued(self, self))
    }
}

/// The key usage of a certificate that does not allow signing handshakes (RFC 5280 §4.2.1.3).
package struct KeyUsage: Sendable, Hashable {
    /// The names of the bits that are set, in the order of RFC 5280.
    package let names: [String]
    /// Whether `keyCertSign` is set, as for authorities.
    package let isAuthority: Bool

    /// nil if the key may sign handshakes, as all of TLS 1.3 and ECDHE in TLS 1.2 require (RFC 8446 §4.4.2.2, RFC 5246 §7.4.2).
    fileprivate init?(withoutSigning certificate: OpaquePointer) {
        // All bits are set if there is no such extension.
        let bits = X509_get_key_usage(certificate)
        guard bits & UInt32(X509v3_KU_DIGITAL_SIGNATURE) == 0 else { return nil }
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
