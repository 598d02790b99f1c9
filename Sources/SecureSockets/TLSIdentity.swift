package import TLSEngine

/// The certificate chain and private key with which one side authenticates itself.
///
/// An identity is loaded and checked when it is created; its files are not read again. Any number of configurations can share it.
public struct TLSIdentity: Sendable {
    package let identity: Identity

    /// Loads an identity from PEM.
    ///
    /// Certificates that peers would refuse are refused here: a key usage without `digitalSignature` (RFC 5280 §4.2.1.3), keys of
    /// unsupported kinds and, unless `legacy` allows them, RSA keys under 2048 bits and certificates signed with SHA-1. The signature
    /// of a self-signed certificate and certificates of the file outside the chain are not checked.
    ///
    /// - Parameters:
    ///   - certificateChain: The certificates in PEM: this side's own first, then the intermediates that lead to a root. The whole chain
    ///     is sent to the peer.
    ///   - privateKey: The private key in PEM: PKCS#8, PKCS#1 (RSA) or SEC 1 (elliptic curves), encrypted or not.
    ///   - password: The password of an encrypted key; ignored otherwise.
    ///   - legacy: The kinds of weak certificates to accept. For old peers only.
    /// - Throws: ``SecureSocketError`` with the code `certificateUnusable`, `privateKeyUnusable` (also for a wrong or missing
    ///   password) or `privateKeyMismatch`; `tooManyOpenFiles` if a file cannot be opened for that reason.
    public init(
        certificateChain: CredentialSource,
        privateKey: CredentialSource,
        password: String? = nil,
        allowing legacy: LegacyCertificates = []
    ) throws(SecureSocketError) {
        try self.init { () throws(CredentialError) in
            try Identity(
                chain: certificateChain.input, privateKey: privateKey.input, password: password, allowing: legacy.options)
        }
    }

    /// Loads an identity from DER.
    ///
    /// The checks are those of ``init(certificateChain:privateKey:password:allowing:)``.
    ///
    /// - Parameters:
    ///   - certificates: The chain, one certificate per element: this side's own first, then the intermediates.
    ///   - privateKey: The private key in DER: PKCS#8, PKCS#1 (RSA) or SEC 1 (elliptic curves), not encrypted.
    ///   - legacy: The kinds of weak certificates to accept. For old peers only.
    /// - Throws: ``SecureSocketError`` with the code `certificateUnusable`, `privateKeyUnusable` or `privateKeyMismatch`.
    public init(
        certificatesDER certificates: [[UInt8]],
        privateKeyDER privateKey: [UInt8],
        allowing legacy: LegacyCertificates = []
    ) throws(SecureSocketError) {
        try self.init { () throws(CredentialError) in
            try Identity(certificates: certificates, privateKey: privateKey, allowing: legacy.options)
        }
    }

    /// Loads an identity from a PKCS#12 archive (`.p12`, `.pfx`; RFC 7292).
    ///
    /// The archive must hold one private key, the certificate that belongs to it, and usually the intermediates, in any order. The checks
    /// are those of ``init(certificateChain:privateKey:password:allowing:)``.
    ///
    /// - Parameters:
    ///   - archive: The archive. Encryption with RC2 or Triple DES, as used by older versions of Java and Windows, is supported.
    ///   - password: The archive's password, which may be empty.
    ///   - legacy: The kinds of weak certificates to accept. For old peers only.
    /// - Throws: ``SecureSocketError`` with the code `certificateUnusable`, or `privateKeyUnusable`, also for a wrong password.
    public init(
        pkcs12 archive: CredentialSource,
        password: String,
        allowing legacy: LegacyCertificates = []
    ) throws(SecureSocketError) {
        try self.init { () throws(CredentialError) in
            try Identity(pkcs12: archive.input, password: password, allowing: legacy.options)
        }
    }

    /// Returns this identity with an OCSP response (RFC 6960), which a server sends with its certificate to clients that request one
    /// ("stapling", RFC 6066 §8).
    ///
    /// The response is read and checked once: it must be a successful basic response of at most 64 KiB that says that the identity's own
    /// certificate is good, and its next update must not be due yet. If the certificate's issuer is in the chain, the signature is verified
    /// as well. The library does not request responses; to send a newer one, call this again and update the listener
    /// (``SecureListener/update(tls:)``), or use ``TLSFiles``. A response is not sent after its next update was due.
    ///
    /// A client's identity does not use the response.
    ///
    /// - Parameters:
    ///   - source: The response in DER, or its file.
    ///   - legacy: With ``LegacyCertificates/sha1Signatures``, a response may be signed with SHA-1. For old responders only.
    /// - Throws: ``SecureSocketError`` with the code `certificateUnusable` that says what is wrong; `tooManyOpenFiles` if the file cannot be
    ///   opened for that reason.
    public func stapling(
        ocspResponse source: CredentialSource, allowing legacy: LegacyCertificates = []
    ) throws(SecureSocketError) -> TLSIdentity {
        try TLSIdentity { () throws(CredentialError) in
            try self.identity.stapling(source.input, allowing: legacy.options)
        }
    }

    /// The time by which the stapled OCSP response has to be replaced, in seconds since 1970-01-01 UTC; nil if there is none.
    public var nextUpdateOfOCSPResponse: Int64? { self.identity.stapledResponse?.nextUpdate }

    /// Creates the public value of a loaded identity.
    package init(_ identity: Identity) { self.identity = identity }

    private init(_ load: () throws(CredentialError) -> Identity) throws(SecureSocketError) {
        do {
            self.identity = try load()
        } catch {
            throw SecureSocketError(error)
        }
    }

    /// The chain as loaded, this side's own certificate first.
    public var certificates: [TLSCertificate] { self.identity.certificates.map(TLSCertificate.init) }
}
