package import DevelopmentCertificates

// The certificates that most cases are made of. `change` makes an odd one of a good one.

/// An authority: self-signed, or issued by another.
package func authority(
    _ name: String, key: CertificateKey? = nil, by issuer: IssuedCertificate? = nil, pathLength: Int? = nil,
    change: (inout CertificateDraft) throws -> Void = { _ in }
) throws -> IssuedCertificate {
    var draft = CertificateDraft(subject: .name(name), validity: .current)
    draft.set(.basicConstraints(isAuthority: true, pathLength: pathLength))
    draft.set(.keyUsage(.keyCertSign, .crlSign))
    try change(&draft)
    return try draft.signed(for: key ?? .p256(), by: issuer)
}

/// A certificate for a server: self-signed, or issued by an authority.
package func server(
    by issuer: IssuedCertificate?, names: [GeneralNameValue] = [.dns("www.example.org")], key: CertificateKey? = nil,
    change: (inout CertificateDraft) throws -> Void = { _ in }
) throws -> IssuedCertificate {
    try leaf("Server", .server, key: key, by: issuer) { draft in
        draft.set(.alternativeNames(names))
        try change(&draft)
    }
}

/// A certificate for a client.
package func client(
    by issuer: IssuedCertificate?, key: CertificateKey? = nil, change: (inout CertificateDraft) throws -> Void = { _ in }
) throws -> IssuedCertificate {
    try leaf("Client", .client, key: key, by: issuer, change: change)
}

private func leaf(
    _ name: String, _ purpose: ExtensionValue.Purpose, key: CertificateKey?, by issuer: IssuedCertificate?,
    change: (inout CertificateDraft) throws -> Void
) throws -> IssuedCertificate {
    var draft = CertificateDraft(subject: .name(name), validity: .current)
    draft.set(.basicConstraints(isAuthority: false))
    draft.set(.keyUsage(.digitalSignature))
    draft.set(.extendedKeyUsage(purpose))
    try change(&draft)
    return try draft.signed(for: key ?? .p256(), by: issuer)
}

/// A chain of a root and a server, whose certificate `change` makes an odd one.
package func chainOfServer(
    names: [GeneralNameValue] = [.dns("www.example.org")], change: (inout CertificateDraft) throws -> Void = { _ in }
) throws -> Chain {
    let root = try authority("Root")
    return try Chain(sent: [server(by: root, names: names, change: change)], trusted: [root])
}

/// A chain of a root, an intermediate and a server; `change` makes the intermediate an odd one.
package func chainWithIntermediate(change: (inout CertificateDraft) throws -> Void) throws -> Chain {
    let root = try authority("Root")
    let intermediate = try authority("Intermediate", by: root, change: change)
    return try Chain(sent: [server(by: intermediate), intermediate], trusted: [root])
}

/// A chain of a root and a server; `change` makes the root an odd one.
package func chainWithRoot(change: (inout CertificateDraft) throws -> Void) throws -> Chain {
    let root = try authority("Root", change: change)
    return try Chain(sent: [server(by: root)], trusted: [root])
}
