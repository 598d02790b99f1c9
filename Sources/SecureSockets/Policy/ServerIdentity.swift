/// The identities with which a server appears under some names.
///
/// ```swift
/// let ecdsa = try TLSIdentity(certificateChain: "ecdsa.pem", privateKey: "ecdsa-key.pem")
/// let rsa = try TLSIdentity(certificateChain: "rsa.pem", privateKey: "rsa-key.pem")
/// let wildcard = try TLSIdentity(certificateChain: "wildcard.pem", privateKey: "wildcard-key.pem")
/// let tls = try TLSServerConfiguration(identities: [
///     ServerIdentity(ecdsa, rsa),                              // The names of the certificate, and the default.
///     ServerIdentity(for: ["*.example.net"], wildcard),
/// ])
/// ```
public struct ServerIdentity: Sendable {
    /// The server names (RFC 6066 §3) under which the identities are used, such as `www.example.org` or `*.example.org`. A wildcard stands
    /// for exactly one label. Names are compared without regard to case.
    public let names: [String]
    /// The identities in order of preference. The first one whose key the client can verify is used, so that one with ECDSA and one with RSA
    /// can serve side by side.
    public let identities: [TLSIdentity]

    /// - Parameters:
    ///   - names: The server names. Default: nil; the DNS names of the first identity's certificate.
    ///   - identities: The identities in order of preference, each with a key of another kind.
    public init(for names: [String]? = nil, _ identities: TLSIdentity...) {
        self.init(for: names, identities)
    }

    /// - Parameters:
    ///   - names: The server names. Default: nil; the DNS names of the first identity's certificate.
    ///   - identities: The identities in order of preference, each with a key of another kind.
    public init(for names: [String]? = nil, _ identities: [TLSIdentity]) {
        self.names = names ?? identities.first?.certificates.first?.dnsNames ?? []
        self.identities = identities
    }
}
