package import TLSEngine

/// The roots in which a peer's chain may end.
///
/// Revocation is checked with ``checkingRevocation(with:of:outdated:missing:)``, and by the OCSP response that a server staples, if it does
/// (``TLSClientConfiguration``).
///
/// ```swift
/// let trust = try TLSTrust.system.adding("company-ca.pem")
/// ```
public struct TLSTrust: Sendable {
    private let includesSystem: Bool
    private var stores: [TrustStore] = []
    package private(set) var acceptsPartialChains = false
    package private(set) var legacyCertificates: LegacyCertificates = []
    package private(set) var revocation: RevocationCheck?

    private init(includesSystem: Bool) { self.includesSystem = includesSystem }

    /// The system's trusted certificates, from the usual locations on Linux and from `/etc/ssl/cert.pem` on macOS.
    ///
    /// The environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` override the location. The certificates are loaded when a configuration
    /// is created.
    public static let system = TLSTrust(includesSystem: true)

    /// Trusts the certificates of a PEM file or text, and no others.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if the file cannot be read or has no certificate.
    public static func only(_ certificates: CredentialSource) throws(SecureSocketError) -> TLSTrust {
        try TLSTrust(includesSystem: false).adding(certificates)
    }

    /// Trusts these certificates, and no others; for example those of a ``TLSIdentity``.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if there is none.
    public static func only(_ certificates: [TLSCertificate]) throws(SecureSocketError) -> TLSTrust {
        try TLSTrust(includesSystem: false).adding(certificates)
    }

    /// Returns this trust with the certificates of a PEM file or text added.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if the file cannot be read or has no certificate.
    public func adding(_ certificates: CredentialSource) throws(SecureSocketError) -> TLSTrust {
        try self.adding { () throws(CredentialError) in try TrustStore(certificates.input) }
    }

    /// Returns this trust with these certificates added.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if there is none.
    public func adding(_ certificates: [TLSCertificate]) throws(SecureSocketError) -> TLSTrust {
        try self.adding { () throws(CredentialError) in try TrustStore(der: certificates.map(\.derBytes)) }
    }

    private func adding(_ load: () throws(CredentialError) -> TrustStore) throws(SecureSocketError) -> TLSTrust {
        var trust = self
        do {
            trust.stores.append(try load())
        } catch {
            throw SecureSocketError(error)
        }
        return trust
    }

    /// The same trust, with which a chain may end in any trusted certificate, such as an intermediate or a single server's certificate, and
    /// not only in a self-signed one.
    public var acceptingPartialChains: TLSTrust {
        var trust = self
        trust.acceptsPartialChains = true
        return trust
    }

    /// Returns this trust with weak certificates allowed below the trusted one. **For old peers only.**
    public func allowing(_ legacy: LegacyCertificates) -> TLSTrust {
        var trust = self
        trust.legacyCertificates.formUnion(legacy)
        return trust
    }

    /// Returns this trust with this check of revocation.
    package func checkingRevocation(_ check: RevocationCheck) -> TLSTrust {
        var trust = self
        trust.revocation = check
        return trust
    }

    package func load() throws(SecureSocketError) -> TrustStore {
        do {
            let system: [TrustStore] = self.includesSystem ? [try TrustStore.system()] : []
            return try TrustStore.joining(system + self.stores)
        } catch {
            throw SecureSocketError(error)
        }
    }
}
