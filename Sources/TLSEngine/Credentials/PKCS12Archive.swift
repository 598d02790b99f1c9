internal import CNIOBoringSSL

/// The content of a PKCS#12 archive (RFC 7292): a key, its certificate, and the other certificates.
struct PKCS12Archive {
    /// The key's certificate first, the others in the order of the archive.
    let chain: CertificateList
    let key: PrivateKey

    init(_ source: PEMInput, password: String) throws(CredentialError) {
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: .archive, path: source.path, problem: problem)
        }
        let bytes = try source.load(.archive)
        let form = FileForm.recognized(in: bytes)
        guard case .pkcs12? = form else {
            throw failure(.notAnArchive(form, isPEM: bytes.firstRange(of: "-----BEGIN ".utf8) != nil))
        }
        // BoringSSL stops at a NUL character.
        if password.utf8.contains(0) { throw failure(.passwordWrong) }
        guard let stack = sk_X509_new_null() else { throw failure(.refused(nil)) }
        defer { sk_X509_free(stack) }
        var key: OpaquePointer?
        ErrorQueue.clear()
        let isDecoded = bytes.withUnsafeBufferPointer { bytes in
            var content = CBS()
            CBS_init(&content, bytes.baseAddress, bytes.count)
            return PKCS12_get_key_and_certs(&key, stack, &content, password) == 1
        }
        let reasons = ErrorQueue.drain()
        let found = CertificateList(taking: (0..<sk_X509_num(stack)).compactMap { sk_X509_value(stack, $0) })
        let privateKey = key.map(PrivateKey.init(taking:))
        guard isDecoded else {
            let isWrong = reasons.contains { $0.library == Int32(ERR_LIB_PKCS8) && $0.code == PKCS8_R_INCORRECT_PASSWORD }
            throw failure(isWrong ? .passwordWrong : .malformedArchive(reasons.first))
        }
        guard let privateKey else { throw failure(.archiveWithout(.privateKey)) }
        if let kind = UnsupportedKey(privateKey.pointer) { throw failure(.unsupportedKey(kind)) }
        guard let leaf = found.pointers.firstIndex(where: privateKey.belongs) else {
            throw failure(.archiveWithout(.certificateChain))
        }
        var ordered = found.pointers
        ordered.insert(ordered.remove(at: leaf), at: 0)
        for certificate in ordered { X509_up_ref(certificate) }
        self.chain = CertificateList(taking: ordered)
        self.key = privateKey
    }
}
