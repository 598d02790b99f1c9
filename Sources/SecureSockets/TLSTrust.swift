package import TLSEngine

/// The roots in which a peer's chain may end.
///
/// ```swift
/// let trust = try TLSTrust.system.adding("company-ca.pem")
/// ```
public struct TLSTrust: Sendable {
    private let includesSystem: Bool
    private var stores: [TrustStore] = []
    package private(set) var acceptsPartialChains = false
    package private(set) var legacyCertificates: LegacyCertificates = []

    private init(includesSystem: Bool) { self.includesSystem = includesSystem }

    /// The system's certificates: from the usual places on Linux, from `/etc/ssl/cert.pem` on macOS. `SSL_CERT_FILE` and `SSL_CERT_DIR` are
    /// honoured. They are loaded when a configuration is made.
    public static let system = TLSTrust(includesSystem: true)

    /// The certificates of a PEM file or text, and no others.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if the file cannot be read or has no certificate.
    public static func only(_ certificates: CredentialSource) throws(SecureSocketError) -> TLSTrust {
        try TLSTrust(includesSystem: false).adding(certificates)
    }

    /// These certificates, and no others; for example those of a ``TLSIdentity``.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if there is none.
    public static func only(_ certificates: [Certificate]) throws(SecureSocketError) -> TLSTrust {
        try TLSTrust(includesSystem: false).adding(certificates)
    }

    /// The same trust, and the certificates of a PEM file or text.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if the file cannot be read or has no certificate.
    public func adding(_ certificates: CredentialSource) throws(SecureSocketError) -> TLSTrust {
        try self.adding { () throws(CredentialError) in try TrustStore(certificates.input) }
    }

    /// The same trust, and these certificates.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if there is none.
    public func adding(_ certificates: [Certificate]) throws(SecureSocketError) -> TLSTrust {
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

    /// The same trust, where a chain may end in any of the certificates, and not only in a self-signed one: an intermediate, or a single
    /// server's certificate.
    public var acceptingPartialChains: TLSTrust {
        var trust = self
        trust.acceptsPartialChains = true
        return trust
    }

    /// The same trust, with chains that have weak certificates below the trusted one. **For old peers only.**
    public func allowing(_ legacy: LegacyCertificates) -> TLSTrust {
        var trust = self
        trust.legacyCertificates.formUnion(legacy)
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
