internal import CNIOBoringSSL

extension TLSContext {
    /// Returns a digest of everything that decides as whom this side appears, and to whom. It is the same in all processes, because sessions
    /// are passed between them. It therefore contains no descriptions of values that the compiler generates.
    static func digest(of settings: TLSSettings, boundTo verification: [UInt8]) -> [UInt8] {
        var text = FieldList()
        text.add(
            "\(settings.role.rawValue) \(settings.verification.rawValue) \(settings.versions.lowerBound.rawValue) "
                + "\(settings.versions.upperBound.rawValue) \(settings.cipherSuites.textForDigest)")
        text.add(settings.applicationProtocols.joined(separator: ","))
        text.add(verification)
        switch settings.role {
        case .client: text.add(settings.identity?.chain?.digest ?? [])
        case .server:
            // A renewed certificate for the same names is the same identity.
            for identity in settings.identities {
                let certificate = identity.certificates.first
                text.add(certificate?.subject ?? "")
                for name in certificate?.alternativeNames ?? [] { text.add("\(name.kind.rawValue) \(name.value)") }
                text.add("")
            }
        }
        return sha256(text.bytes)
    }

    /// Returns a digest of everything that decides whether a peer's certificates are accepted.
    static func digest(ofVerificationBy settings: TLSSettings) -> [UInt8] {
        guard settings.verification != .none else { return sha256([]) }
        var text = FieldList()
        text.add("\(settings.depth) \(settings.acceptsPartialChains) \(settings.legacyCertificates.rawValue)")
        text.add("\(settings.acceptsServerCertificatesOfClients)")
        text.add(settings.trust?.digest ?? [])
        text.add(settings.revocation?.digestInput ?? [])
        return sha256(text.bytes)
    }
}

/// Fields of a digest. Their lengths keep the end of one from being taken for the beginning of another.
private struct FieldList {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ field: [UInt8]) {
        withUnsafeBytes(of: UInt64(field.count).bigEndian) { self.bytes.append(contentsOf: $0) }
        self.bytes.append(contentsOf: field)
    }

    mutating func add(_ field: String) { self.add(Array(field.utf8)) }
}

private func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    SHA256(bytes, bytes.count, &digest)
    return digest
}
