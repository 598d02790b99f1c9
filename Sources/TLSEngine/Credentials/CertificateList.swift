internal import CNIOBoringSSL

/// An owned list of certificates in the order of their file.
///
/// Sendable without a check because the certificates are never changed after loading, and BoringSSL's reference counts and
/// its lazily cached extensions are safe to use from several threads.
final class CertificateList: @unchecked Sendable {
    let pointers: [OpaquePointer]

    /// Takes ownership of one reference to each certificate.
    init(taking pointers: [OpaquePointer]) {
        self.pointers = pointers
    }

    /// Keeps a reference to each of these certificates, which others own.
    convenience init(sharing pointers: [OpaquePointer]) {
        for certificate in pointers { X509_up_ref(certificate) }
        self.init(taking: pointers)
    }

    deinit {
        for certificate in self.pointers { X509_free(certificate) }
    }

    /// Loads every certificate of a PEM text. Blocks of other kinds are skipped, except those that contain certificates, which are errors.
    static func load(_ source: PEMInput, as item: CredentialError.Item) throws(CredentialError) -> CertificateList {
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: item, path: source.path, problem: problem)
        }
        let text = try PEMText.load(source, as: item)
        var found: [OpaquePointer] = []
        do throws(CredentialError) {
            for block in text.blocks {
                if block.isCertificate {
                    found.append(try Self.certificate(block, index: found.count, failure))
                } else if block.hidesCertificates {
                    throw failure(.blockNotRead(label: block.label, line: block.line))
                }
            }
        } catch {
            _ = CertificateList(taking: found)
            throw error
        }
        guard !found.isEmpty else { throw failure(.otherBlocks(labels: text.labels)) }
        return CertificateList(taking: found)
    }

    private static func certificate(
        _ block: PEMBlock, index: Int, _ failure: (CredentialError.Problem) -> CredentialError
    ) throws(CredentialError) -> OpaquePointer {
        let text: [UInt8]
        do { text = try block.text() } catch { throw failure(.malformed(error)) }
        ErrorQueue.clear()
        defer { ErrorQueue.clear() }
        if let certificate = text.withBIO({ PEM_read_bio_X509($0, nil, nil, nil) }) ?? nil { return certificate }
        let reasons = ErrorQueue.drain()
        let fault = BlockFault(of: block.content() ?? []) { $0 == .certificate }
        throw failure(.malformedCertificate(index: index, line: block.line, fault, reasons.first))
    }

    /// Decodes certificates in DER.
    convenience init(der certificates: [[UInt8]], as item: CredentialError.Item) throws(CredentialError) {
        var found: [OpaquePointer] = []
        for (index, bytes) in certificates.enumerated() {
            ErrorQueue.clear()
            let certificate = bytes.withUnsafeBufferPointer { bytes -> OpaquePointer? in
                var position = bytes.baseAddress
                guard let certificate = d2i_X509(nil, &position, bytes.count) else { return nil }
                guard position == bytes.baseAddress.map({ $0 + bytes.count }) else {
                    X509_free(certificate)
                    return nil
                }
                return certificate
            }
            guard let certificate else {
                _ = CertificateList(taking: found)
                let reason = ErrorQueue.drain().first
                let fault = BlockFault(of: bytes) { $0 == .certificate }
                throw CredentialError(
                    item: item, path: nil, problem: .malformedCertificate(index: index, line: nil, fault, reason))
            }
            found.append(certificate)
        }
        self.init(taking: found)
        if found.isEmpty { throw CredentialError(item: item, path: nil, problem: .nothingGiven) }
    }

    /// A digest of all encodings in order (SHA-256).
    var digest: [UInt8] {
        var context = SHA256_CTX()
        SHA256_Init(&context)
        for certificate in self.pointers {
            let bytes = withOutputBytes { i2d_X509(certificate, $0) }
            // Each encoding begins with its own length (X.690), so the concatenation is unambiguous.
            SHA256_Update(&context, bytes, bytes.count)
        }
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256_Final(&digest, &context)
        return digest
    }

    var certificates: [DecodedCertificate] { self.pointers.map { DecodedCertificate(borrowing: $0) } }
}

extension DecodedCertificate {
    /// Loads the certificates of a chain in PEM, in the order of the text.
    package static func chain(_ source: PEMInput) throws(CredentialError) -> [DecodedCertificate] {
        try CertificateList.load(source, as: .certificateChain).certificates
    }
}

extension PEMBlock {
    /// The label of RFC 7468 §5, or the older one of OpenSSL.
    fileprivate var isCertificate: Bool { ["CERTIFICATE", "X509 CERTIFICATE"].contains(self.label) }

    /// Whether the block contains certificates in a form that is not read: OpenSSL's trusted certificates, which may even state that a
    /// certificate is not trusted, and PKCS#7 and CMS (RFC 7468 §8 and §9).
    fileprivate var hidesCertificates: Bool {
        ["TRUSTED CERTIFICATE", "PKCS7", "PKCS #7 SIGNED DATA", "CMS"].contains(self.label)
    }
}
