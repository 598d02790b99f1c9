import DevelopmentCertificates
import Foundation
public import SecureSockets

/// A certificate authority in memory, which issues certificates for servers and clients: good ones, and ones that a peer must refuse.
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
/// Certificates are not checked against those above them, so that chains that are not valid can be made as well.
public struct DevelopmentAuthority: Sendable {
    /// The root in which this authority's chains end, and no other: for the peers of what it issues.
    public let trust: TLSTrust
    /// This authority's own certificate.
    public let certificate: Certificate

    private let authority: CertificateAuthority
    /// How many authorities are above it.
    private let depth: Int

    private init(_ authority: CertificateAuthority, depth: Int, trust: TLSTrust?) throws(SecureSocketError) {
        self.authority = authority
        self.depth = depth
        self.certificate = try Certificate(authority.certificate)
        if let trust { self.trust = trust } else { self.trust = try .only([self.certificate]) }
    }

    /// Makes a root: an authority with a new key and a self-signed certificate.
    ///
    /// - Parameters:
    ///   - commonName: The name of the authority, 1 to 64 characters.
    ///   - key: The kind of its key.
    ///   - validity: When its certificate is valid. Default: for ten years.
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if the name cannot be one.
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

    /// This authority's own certificate: of a root, what other programs have to trust.
    public var certificatePEM: String { self.authority.certificatePEM }

    /// This authority's private key, PKCS#8, not encrypted: for other programs that issue certificates.
    public var privateKeyPEM: String { self.authority.privateKeyPEM }

    /// Makes an authority that this one has certified. What it issues has the intermediate authorities in its chain.
    ///
    /// - Parameters:
    ///   - commonName: The name of the authority, 1 to 64 characters. Default: `Development intermediate 1` below a root, and so on: an
    ///     authority with the name of the one above it would not count for path lengths (RFC 5280 §4.2.1.9).
    ///   - pathLength: How many authorities may stand below it in a chain (RFC 5280 §4.2.1.9). Default: any number.
    ///   - key: The kind of its key.
    ///   - validity: When its certificate is valid. Default: for ten years.
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if the name cannot be one.
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
    ///   - names: Its host names, wildcards included, and IP addresses. Default: `localhost`, `127.0.0.1` and `::1`.
    ///   - uris: URIs beside them, for example a SPIFFE ID.
    ///   - purposes: What the certificate may be used for. `[.client]` makes one that clients must refuse; without any, the extension is
    ///     left out, and the certificate is for everything.
    ///   - key: The kind of its key.
    ///   - validity: When the certificate is valid. Default: for 397 days.
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if a name or URI is not one.
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
    ///   - names: Host names and IP addresses. Default: none.
    ///   - uris: URIs, for example a SPIFFE ID. Default: none.
    ///   - emailAddresses: E-mail addresses. Default: none.
    ///   - purposes: What the certificate may be used for. `[.server]` makes one that servers must refuse; without any, the extension is
    ///     left out, and the certificate is for everything.
    ///   - key: The kind of its key.
    ///   - validity: When the certificate is valid. Default: for 397 days.
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if a name, URI or address is not one.
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

    /// Makes a certificate revocation list of this authority, in PEM (`X509 CRL`).
    ///
    /// - Parameters:
    ///   - certificates: The certificates that are revoked, all of them issued by this authority.
    ///   - validity: When the list is valid. Default: for thirty days.
    ///   - number: The number of the list; a later list has a higher one (RFC 5280 §5.2.3).
    /// - Throws: `SecureSocketError` with the code `invalidArgument` if another authority has issued one of the certificates.
    public func revocationList(
        of certificates: [Certificate],
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
