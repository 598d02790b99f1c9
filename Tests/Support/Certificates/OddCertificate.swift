package import DevelopmentCertificates
package import SecureSockets

/// Chains that no authority would make, and that a peer may send all the same.
package enum OddCertificate {
    /// A leaf below a certificate that is no authority's, though nothing but the missing flag says so.
    package static func belowALeaf(of authority: CertificateAuthority, purpose: CertifiedKey.Purpose) throws -> TLSIdentity {
        let issuer = try Self.leaf("no authority", purpose, by: authority.issued)
        let leaf = try Self.leaf("below a leaf", purpose, by: issuer)
        return try Self.identity(leaf, above: issuer.pem)
    }

    /// A leaf that names `authority` as its issuer and that another key has signed.
    package static func forged(of authority: CertificateAuthority, purpose: CertifiedKey.Purpose) throws -> TLSIdentity {
        try Self.identity(Self.leaf("forged", purpose, by: authority.issued) { $0.signingKey = try .p256() })
    }

    /// The self-signed certificate of a server, which is no authority's and does not say what its key is for; and a certificate for
    /// another server that was signed with this key.
    package static func issuedByAServer() throws -> (server: TLSIdentity, serverPEM: String, other: TLSIdentity) {
        let server = try Self.leaf("a server", .server, by: nil)
        let other = try Self.leaf("another server", .server, by: server)
        return (try Self.identity(server), server.pem, try Self.identity(other, above: server.pem))
    }

    /// A certificate with names of kinds that are no strings, between two that are.
    package static func namedInEveryWay() throws -> TLSIdentity {
        let name = DERValue.name("named in every way")
        return try Self.identity(
            Self.selfSigned(
                name,
                [
                    .dns("first.example"), .directory(name), .email("somebody@example.org"), .uri("https://example.org"),
                    .registeredID("1.2.3.4"), .address([10, 0, 0, 1]), .dns("last.example"),
                ]))
    }

    /// A self-signed certificate, as PEM too, whose subject and names have characters that a terminal acts on, and many names.
    package static func withControlCharacters() throws -> (identity: TLSIdentity, pem: String) {
        let names = [.dns("a\nb\u{1b}[2J.example")] + (1...149).map { GeneralNameValue.dns("\($0).example") }
        let certificate = try Self.selfSigned(.name("a\u{9b}2J\u{202e}z"), names)
        return (try Self.identity(certificate), certificate.pem)
    }

    /// A certificate that states nothing but its names.
    private static func selfSigned(_ subject: DERValue, _ names: [GeneralNameValue]) throws -> IssuedCertificate {
        var draft = CertificateDraft(subject: subject, validity: .current)
        draft.hasKeyIdentifiers = false
        draft.set(.alternativeNames(names))
        return try draft.signed(for: .p256(), by: nil)
    }

    private static func leaf(
        _ commonName: String, _ purpose: CertifiedKey.Purpose, by issuer: IssuedCertificate?,
        change: (inout CertificateDraft) throws -> Void = { _ in }
    ) throws -> IssuedCertificate {
        var draft = CertificateDraft(subject: .name(commonName), validity: .current)
        draft.hasKeyIdentifiers = false
        draft.set(.basicConstraints(isAuthority: false))
        draft.set(.extendedKeyUsage(purpose == .server ? .server : .client))
        draft.set(.alternativeNames([.address([127, 0, 0, 1])]))
        try change(&draft)
        return try draft.signed(for: .p256(), by: issuer)
    }

    private static func identity(_ leaf: IssuedCertificate, above chain: String = "") throws -> TLSIdentity {
        try TLSIdentity(certificateChain: .text(leaf.pem + chain), privateKey: .text(leaf.key.pem))
    }
}
