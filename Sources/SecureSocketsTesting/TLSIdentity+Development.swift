import DevelopmentCertificates
public import SecureSockets

extension TLSIdentity {
    /// Creates an identity with a new key and a self-signed certificate, for a server or a client in a test.
    ///
    /// The other side trusts this certificate only:
    ///
    /// ```swift
    /// let identity = try TLSIdentity.development()
    /// let server = try TLSServerConfiguration(identity: identity)
    /// let client = try TLSClientConfiguration(trust: .only(identity.certificates))
    /// ```
    ///
    /// - Parameters:
    ///   - names: The certificate's host names, which may be wildcards, and IP addresses. Default: `localhost`, `127.0.0.1` and `::1`.
    ///   - key: The kind of the key.
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if a name is neither a host name nor an address.
    public static func development(
        names: [String] = ["localhost", "127.0.0.1", "::1"],
        key: DevelopmentIdentity.Key = .p256
    ) throws(SecureSocketError) -> TLSIdentity {
        let certified = try SecureSocketError.converting { () throws(DevelopmentCertificateError) in
            try CertifiedKey.selfSigned(commonName: names.commonName, names: names, key: key.kind)
        }
        return try DevelopmentIdentity(certified).identity
    }
}

extension [String] {
    /// The common name of a certificate with these names: the first that is 1 to 64 characters long (RFC 5280 §A.1, ub-common-name).
    var commonName: String {
        self.first { (1...64).contains($0.unicodeScalars.count) } ?? "Development certificate"
    }
}
