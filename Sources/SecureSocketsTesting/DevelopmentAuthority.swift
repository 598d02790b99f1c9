import DevelopmentCertificates
import Foundation
public import SecureSockets

/// An in-memory certificate authority that issues certificates for servers and clients, including ones that a peer must refuse.
///
/// ```swift
/// let authority = try DevelopmentAuthority()
/// let server = try TLSServerConfiguration(
///     identity: authority.server().identity, clients: .required(trust: authority.trust))
/// let client = try TLSClientConfiguration(
///     trust: authority.trust, identity: authority.client(uris: ["spiffe://example.org/billing"]).identity)
/// let expired = try authority.server(validity: .expired)
/// ```
///
/// Certificates are not checked against their issuers, so that invalid chains can be created too.
public struct DevelopmentAuthority: Sendable {
    /// Trust in the root of this authority's chains, and no other: for the peers of the identities that it issues.
    public let trust: TLSTrust
    /// This authority's own certificate.
    public let certificate: TLSCertificate

    private let authority: CertificateAuthority
    /// The number of authorities above this one.
    private let depth: Int

    private init(_ authority: CertificateAuthority, depth: Int, trust: TLSTrust?) throws(SecureSocketError) {
        self.authority = authority
        self.depth = depth
        self.certificate = try TLSCertificate(authority.certificate)
        if let trust { self.trust = trust } else { self.trust = try .only([self.certificate]) }
    }

    /// Creates a root authority, with a new key and a self-signed certificate.
    ///
    /// - Parameters:
    ///   - commonName: The name of the authority, 1 to 64 characters.
    ///   - key: The kind of its key.
    ///   - validity: The validity period of its certificate. Default: ten years.
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if the name is too short or too long.
    public init(
        commonName: String = "Development authority",
        key: DevelopmentIdentity.Key = .p256,
        validity: DevelopmentIdentity.Validity = .valid
    ) throws(SecureSocketError) {
        let root = try SecureSocketError.converting { () throws(DevelopmentCertificateError) in
            try CertificateAuthority.root(commonName: commonName, key: key.kind, validity: validity.dates(valid: .authority))
        }
        try self.init(root, depth: 0, trust: nil)
    }

    /// This authority's own certificate in PEM. Other programs have to trust that of the root.
    public var certificatePEM: String { self.authority.certificatePEM }

    /// This authority's private key in PEM (PKCS#8, not encrypted), for other programs that issue certificates.
    public var privateKeyPEM: String { self.authority.privateKeyPEM }

    /// Creates an intermediate authority that this one certifies. The identities that it issues include the intermediates in their chains.
    ///
    /// - Parameters:
    ///   - commonName: The name of the authority, 1 to 64 characters. Default: `Development intermediate 1` below a root, and so on. The
    ///     names differ because an authority with its issuer's name does not count for path lengths (RFC 5280 §4.2.1.9).
    ///   - pathLength: The maximum number of authorities below it in a chain (RFC 5280 §4.2.1.9). Default: nil; no limit.
    ///   - key: The kind of its key.
    ///   - validity: The validity period of its certificate. Default: ten years.
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if the name is too short or too long.
    public func intermediate(
        commonName: String? = nil,
        pathLength: Int? = nil,
        key: DevelopmentIdentity.Key = .p256,
        validity: DevelopmentIdentity.Validity = .valid
    ) throws(SecureSocketError) -> DevelopmentAuthority {
        let commonName = commonName ?? "Development intermediate \(self.depth + 1)"
        let intermediate = try SecureSocketError.converting { () throws(DevelopmentCertificateError) in
            try self.authority.intermediate(
                commonName: commonName, pathLength: pathLength, key: key.kind, validity: validity.dates(valid: .authority))
        }
        return try DevelopmentAuthority(intermediate, depth: self.depth + 1, trust: self.trust)
    }

    /// Issues a certificate for a server. Its common name is the first of its names.
    ///
    /// - Parameters:
    ///   - names: The server's host names, which may be wildcards, and IP addresses. Default: `localhost`, `127.0.0.1` and `::1`.
    ///   - uris: Additional URIs, for example a SPIFFE ID. Default: none.
    ///   - purposes: The permitted uses of the certificate. With `[.client]`, clients must refuse it. With an empty set, the extension is
    ///     omitted, and the certificate is valid for all uses.
    ///   - key: The kind of the key.
    ///   - validity: The validity period of the certificate. Default: 397 days.
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if a name or URI is invalid.
    public func server(
        names: [String] = ["localhost", "127.0.0.1", "::1"],
        uris: [String] = [],
        purposes: Set<DevelopmentIdentity.Purpose> = [.server],
        key: DevelopmentIdentity.Key = .p256,
        validity: DevelopmentIdentity.Validity = .valid
    ) throws(SecureSocketError) -> DevelopmentIdentity {
        try self.issue(
            names.commonName, names: names, uris: uris, emailAddresses: [], purposes: purposes, key: key, validity: validity)
    }

    /// Issues a certificate for a client.
    ///
    /// - Parameters:
    ///   - commonName: The common name, 1 to 64 characters.
    ///   - names: The client's host names and IP addresses. Default: none.
    ///   - uris: The client's URIs, for example a SPIFFE ID. Default: none.
    ///   - emailAddresses: The client's e-mail addresses. Default: none.
    ///   - purposes: The permitted uses of the certificate. With `[.server]`, servers must refuse it. With an empty set, the extension is
    ///     omitted, and the certificate is valid for all uses.
    ///   - key: The kind of the key.
    ///   - validity: The validity period of the certificate. Default: 397 days.
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if a name, URI or address is invalid.
    public func client(
        commonName: String = "Development client",
        names: [String] = [],
        uris: [String] = [],
        emailAddresses: [String] = [],
        purposes: Set<DevelopmentIdentity.Purpose> = [.client],
        key: DevelopmentIdentity.Key = .p256,
        validity: DevelopmentIdentity.Validity = .valid
    ) throws(SecureSocketError) -> DevelopmentIdentity {
        try self.issue(
            commonName, names: names, uris: uris, emailAddresses: emailAddresses, purposes: purposes, key: key,
            validity: validity)
    }

    private func issue(
        _ commonName: String, names: [String], uris: [String], emailAddresses: [String],
        purposes: Set<DevelopmentIdentity.Purpose>, key: DevelopmentIdentity.Key, validity: DevelopmentIdentity.Validity
    ) throws(SecureSocketError) -> DevelopmentIdentity {
        let issued = try SecureSocketError.converting { () throws(DevelopmentCertificateError) in
            try self.authority.issue(
                commonName: commonName, names: names, uris: uris, emailAddresses: emailAddresses,
                purposes: Set(purposes.map(\.purpose)), key: key.kind, validity: validity.dates(valid: .leaf))
        }
        return try DevelopmentIdentity(issued)
    }

    /// Issues a certificate revocation list of this authority, in PEM (`X509 CRL`).
    ///
    /// - Parameters:
    ///   - certificates: The revoked certificates, all of which this authority has issued.
    ///   - validity: The validity period of the list. Default: thirty days.
    ///   - number: The number of the list. A later list has a higher one (RFC 5280 §5.2.3).
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if another authority has issued one of the certificates.
    public func revocationList(
        of certificates: [TLSCertificate],
        validity: DevelopmentIdentity.Validity = .valid,
        number: Int = 1
    ) throws(SecureSocketError) -> String {
        if let other = certificates.first(where: { $0.issuer != self.certificate.subject }) {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring,
                "the certificate of \(other.subject) was issued by \(other.issuer), and \(self.certificate.subject) cannot revoke it",
                advice: "Have the authority revoke it that has issued it")
        }
        let dates = validity.dates(valid: .days(30))
        let list = try SecureSocketError.converting { () throws(DevelopmentCertificateError) in
            try self.authority.revocationList(
                revoking: certificates.map { RevocationListDraft.Entry(serialNumber: $0.serialNumber, date: dates.notBefore) },
                thisUpdate: dates.notBefore, nextUpdate: dates.notAfter, number: number)
        }
        return list.pem
    }
}
