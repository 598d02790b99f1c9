/// The contents of a development certificate before it is signed.
struct CertificateTemplate {
    enum Role {
        case authority(pathLength: Int?)
        case leaf(names: [SubjectName], Set<CertifiedKey.Purpose>)
    }

    var commonName: String
    var role: Role
    var validity: Validity

    /// Returns the certificate of `key`, signed by `issuer`, or self-signed if there is none.
    func signed(
        for key: CertificateKey, by issuer: IssuedCertificate?
    ) throws(DevelopmentCertificateError) -> IssuedCertificate {
        // RFC 5280 §A.1, ub-common-name.
        guard (1...64).contains(self.commonName.unicodeScalars.count) else {
            throw .invalidCommonName(self.commonName)
        }
        do {
            var draft = CertificateDraft(subject: .name(self.commonName), validity: try ValidityPeriod(self.validity))
            for value in self.extensions(for: key) { draft.set(value) }
            return try draft.signed(for: key, by: issuer)
        } catch {
            throw .cannotSign(commonName: self.commonName, reason: String(describing: error))
        }
    }

    /// Returns all extensions except the key identifiers, which the draft adds.
    private func extensions(for key: CertificateKey) -> [ExtensionValue] {
        switch self.role {
        case .authority(let pathLength):
            return [.basicConstraints(isAuthority: true, pathLength: pathLength), .keyUsage(.keyCertSign, .crlSign)]

        case .leaf(let names, let purposes):
            // Only an RSA key can decrypt a key exchange (TLS 1.2); RFC 8813 §3 forbids the bit for EC keys.
            let isRSA = if case .rsa = key.algorithm { true } else { false }
            var extensions: [ExtensionValue] = [
                .basicConstraints(isAuthority: false),
                .keyUsage(isRSA ? [.digitalSignature, .keyEncipherment] : [.digitalSignature]),
            ]
            let inOrder = CertifiedKey.Purpose.allCases.filter(purposes.contains)
            if !inOrder.isEmpty { extensions.append(.extendedKeyUsage(inOrder.map(\.usage))) }
            if !names.isEmpty { extensions.append(.alternativeNames(names.map(\.generalName))) }
            return extensions
        }
    }
}

extension CertifiedKey.Purpose {
    fileprivate var usage: ExtensionValue.Purpose {
        switch self {
        case .server: .server
        case .client: .client
        }
    }
}

extension [String] {
    /// Returns the names of the texts, without duplicates, in the given order.
    func subjectNames() throws(DevelopmentCertificateError) -> [SubjectName] {
        try self.names { text throws(DevelopmentCertificateError) in try SubjectName(text) }
    }

    func subjectURIs() throws(DevelopmentCertificateError) -> [SubjectName] {
        try self.names { text throws(DevelopmentCertificateError) in try SubjectName(uri: text) }
    }

    func subjectEmailAddresses() throws(DevelopmentCertificateError) -> [SubjectName] {
        try self.names { text throws(DevelopmentCertificateError) in try SubjectName(emailAddress: text) }
    }

    private func names(
        _ name: (String) throws(DevelopmentCertificateError) -> SubjectName
    ) throws(DevelopmentCertificateError) -> [SubjectName] {
        var names: [SubjectName] = []
        for text in self {
            let name = try name(text)
            if !names.contains(name) { names.append(name) }
        }
        return names
    }
}
