internal import CNIOBoringSSL

/// Certificates in the order of their file, owned.
///
/// Sendable without a check because the certificates are never changed after loading, and BoringSSL's reference counts and
/// its lazily cached extensions are safe to use from several threads.
final class CertificateList: @unchecked Sendable {
    let pointers: [OpaquePointer]

    /// Takes over one reference of each certificate.
    init(taking pointers: [OpaquePointer]) {
        self.pointers = pointers
    }

    deinit {
        for certificate in self.pointers { X509_free(certificate) }
    }

    /// Loads every certificate of a PEM text; blocks of other kinds between them are passed over.
    static func load(_ source: PEMInput, as item: CredentialError.Item) throws(CredentialError) -> CertificateList {
        let text = PEMText(bytes: try source.load(item))
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: item, path: source.path, problem: problem)
        }
        var found: [OpaquePointer] = []
        var reasons: [LibraryReason] = []
        _ = text.withBIO { bio in
            ErrorQueue.clear()
            while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) { found.append(certificate) }
            reasons = ErrorQueue.drain()
        }
        let list = CertificateList(taking: found)
        let endOfText = reasons.contains { $0.library == Int32(ERR_LIB_PEM) && $0.code == PEM_R_NO_START_LINE }
        guard endOfText else {
            throw failure(.malformedCertificate(index: found.count, reasons.first))
        }
        guard !found.isEmpty else { throw failure(text.problem) }
        return list
    }

    var certificates: [Certificate] { self.pointers.map { Certificate(borrowing: $0) } }
}
