import Logging
import Synchronization
package import TLSEngine

/// Where certificates or a key in PEM come from. A string literal is a path, also one with interpolations (`"\(folder)/server.pem"`);
/// for a path in a variable write `.file(path)`.
public enum PEMSource: Sendable, Hashable, ExpressibleByStringInterpolation {
    /// A file, read when the identity or configuration is built, relative to the working directory of that moment.
    case file(String)
    /// The PEM text itself.
    case bytes([UInt8])

    public init(stringLiteral path: String) { self = .file(path) }

    /// PEM text in a string.
    public static func text(_ pem: String) -> PEMSource { .bytes(Array(pem.utf8)) }

    var source: PEMInput {
        switch self {
        case .file(let path): .file(path: path)
        case .bytes(let bytes): .bytes(bytes)
        }
    }
}

/// Who this side is: a certificate chain and the private key that goes with it.
///
/// Loaded and checked when it is made; nothing is read later. Share it freely.
public struct TLSIdentity: Sendable {
    package let identity: Identity

    /// Loads an identity.
    ///
    /// Certificates that peers would refuse are refused here: a key usage without `digitalSignature` (RFC 5280 §4.2.1.3), keys of
    /// unsupported kinds and, unless `legacy` allows them, RSA keys under 2048 bits and certificates signed with SHA-1. The signature
    /// of a self-signed certificate and certificates of the file outside the chain are not checked.
    ///
    /// - Parameters:
    ///   - certificateChain: PEM, this side's own certificate first, then the intermediates that lead to a root. The whole chain
    ///     is sent to the peer.
    ///   - privateKey: PEM: PKCS#8, PKCS#1 (RSA) or SEC 1 (elliptic curves), encrypted or not.
    ///   - password: For an encrypted key; ignored otherwise.
    ///   - legacy: The kinds of weak certificates to accept. For old peers only.
    /// - Throws: ``SecureSocketError`` with the code `certificateUnusable`, `privateKeyUnusable` (also for a wrong or missing
    ///   password) or `privateKeyMismatch`; `tooManyOpenFiles` if a file cannot be opened for that reason.
    public init(
        certificateChain: PEMSource,
        privateKey: PEMSource,
        password: String? = nil,
        allowing legacy: LegacyCertificates = []
    ) throws(SecureSocketError) {
        try self.init(chain: certificateChain.source, privateKey: privateKey.source, password: password, allowing: legacy)
    }

    /// Loads what there is; a part may be missing.
    package init(
        chain: PEMInput?, privateKey: PEMInput?, password: String?, allowing legacy: LegacyCertificates = []
    ) throws(SecureSocketError) {
        do {
            self.identity = try Identity(
                chain: chain, privateKey: privateKey, password: password, allowing: legacy.options)
        } catch {
            throw SecureSocketError(error)
        }
    }

    /// The chain as loaded, this side's own certificate first.
    public var certificates: [PeerCertificate] { self.identity.certificates.map(PeerCertificate.init) }
}

/// Which certificates the end of a peer's chain may be.
public struct TLSTrust: Sendable {
    enum Origin: Sendable {
        case system
        case store(TrustStore)
    }

    let origin: Origin
    private(set) var acceptsPartialChains = false
    private(set) var legacyCertificates: LegacyCertificates = []

    /// What the system trusts: the usual places on Linux, `/etc/ssl/cert.pem` on macOS. `SSL_CERT_FILE` and `SSL_CERT_DIR` are
    /// honoured. Loaded when a configuration is built.
    public static let system = TLSTrust(origin: .system)

    /// The certificates of a PEM file, and no others.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable` if the file cannot be read or has no certificate.
    public static func pem(_ path: String) throws(SecureSocketError) -> TLSTrust {
        try self.certificates(.file(path))
    }

    /// The certificates of a PEM text or file, and no others.
    ///
    /// - Throws: ``SecureSocketError`` with the code `trustUnusable`.
    public static func certificates(_ pem: PEMSource) throws(SecureSocketError) -> TLSTrust {
        do {
            return TLSTrust(origin: .store(try TrustStore(pem.source)))
        } catch {
            throw SecureSocketError(error)
        }
    }

    /// The same, where a chain may end in any of the certificates, and not only in a self-signed one: an intermediate, or a single server's.
    public var acceptingPartialChains: TLSTrust {
        var trust = self
        trust.acceptsPartialChains = true
        return trust
    }

    /// The same, with chains that have weak certificates below the trusted one. **For old peers only.**
    public func allowing(_ legacy: LegacyCertificates) -> TLSTrust {
        var trust = self
        trust.legacyCertificates.formUnion(legacy)
        return trust
    }

    package func load() throws(SecureSocketError) -> TrustStore {
        switch self.origin {
        case .store(let store): return store
        case .system:
            do {
                return try TrustStore.system()
            } catch {
                throw SecureSocketError(error)
            }
        }
    }
}

/// The TLS settings of a client or of a server: checked and loaded once, immutable, shared by all of its sockets.
///
/// ```swift
/// let client = try TLSConfiguration.client()                         // the system's trust, chain and name verified
/// let server = try TLSConfiguration.server(identity)
/// ```
public struct TLSConfiguration: Sendable {
    /// What a client checks of a server's certificate.
    public enum Verification: Sendable, Hashable {
        /// The chain, and that the certificate is for the host that was asked for. The default.
        case full
        /// The chain only: any server with any certificate of a trusted authority is taken for the one that was asked for.
        case chainOnly
        /// **Dangerous.** Nothing: anybody on the way can read and change everything.
        case dangerouslyNone
    }

    /// What a server asks of its clients.
    public enum ClientAuthentication: Sendable, Hashable {
        /// No certificate is asked for. The default.
        case none
        /// A certificate is asked for; one that is given must verify.
        case optional
        /// A certificate must be given and must verify.
        case required
    }

    /// A version of the protocol. Older versions are not offered: they are broken (RFC 8996).
    public enum Version: Sendable, Hashable, Comparable, CaseIterable {
        case tls12, tls13

        var version: TLSVersion {
            switch self {
            case .tls12: .v1_2
            case .tls13: .v1_3
            }
        }
    }

    /// A key exchange group.
    public enum Group: Sendable, Hashable, CaseIterable {
        /// X25519 together with ML-KEM-768: secure also against a quantum computer that comes later.
        case x25519MLKEM768
        case x25519, secp256r1, secp384r1, secp521r1

        var group: TLSGroup {
            switch self {
            case .x25519MLKEM768: .x25519MLKEM768
            case .x25519: .x25519
            case .secp256r1: .secp256r1
            case .secp384r1: .secp384r1
            case .secp521r1: .secp521r1
            }
        }
    }

    /// Settings that clients and servers share and that seldom need a change.
    public struct Parameters: Sendable, Hashable {
        /// The versions offered. Default: TLS 1.2 and 1.3.
        public var versions: ClosedRange<Version> = .tls12 ... .tls13
        /// TLS 1.2 suites in order of preference, OpenSSL's notation, for example `ECDHE-RSA-AES128-GCM-SHA256`, separated by colons. A
        /// name that is not known is an error; a server with a list follows its own order. TLS 1.3 suites are not affected. Default: nil,
        /// the suites with ECDHE and authenticated encryption (AES-GCM, ChaCha20-Poly1305).
        public var cipherList: String?
        /// Key exchange groups in order of preference. Default: X25519MLKEM768, X25519, P-256, P-384.
        public var groups: [Group] = [.x25519MLKEM768, .x25519, .secp256r1, .secp384r1]
        /// Application protocols in order of preference (ALPN, RFC 7301), for example `["h2", "http/1.1"]`. A server that has
        /// none in common with its client ends the handshake. Default: none, and no negotiation.
        public var applicationProtocols: [String] = []
        /// The greatest depth in a chain at which a trusted root may stand: the peer's own certificate is at 0, its issuer at
        /// 1, and so on. Default: 10.
        public var depth: Int = 10
        /// How long a session may be resumed after the handshake that made it, which saves the certificates and half of the work;
        /// zero: not at all. Default: nil, two hours with TLS 1.2 and two days with TLS 1.3.
        ///
        /// A session is resumed only under settings that would accept its peer in a full handshake, and by a client only with the same
        /// server and name.
        public var sessionLifetime: Duration?

        public init() {}
    }

    package let context: TLSContext
    let verification: Verification
    let serverName: String?

    package init(
        settings: TLSSettings, verification: Verification, serverName: String? = nil
    ) throws(SecureSocketError) {
        do {
            self.context = try TLSContext(settings)
        } catch {
            throw SecureSocketError(error)
        }
        self.verification = verification
        self.serverName = serverName
    }

    /// Settings for connecting.
    ///
    /// - Parameters:
    ///   - trust: The authorities that are believed. Default: the system's.
    ///   - verification: What is checked. Default: chain and host name.
    ///   - identity: Who this side is, for servers that ask. Default: nobody.
    ///   - serverName: The name to ask for and to check, in place of the host that is connected to. Default: that host. In ASCII: of an
    ///     internationalized name the A-labels (`xn--…`).
    ///   - parameters: Versions, ciphers, groups, depth, application protocols and sessions.
    /// - Throws: ``SecureSocketError`` that names the file or setting at fault.
    public static func client(
        trust: TLSTrust = .system,
        verification: Verification = .full,
        identity: TLSIdentity? = nil,
        serverName: String? = nil,
        parameters: Parameters = Parameters()
    ) throws(SecureSocketError) -> TLSConfiguration {
        if let serverName { try SecureSocketError.check(serverName: serverName) }
        var settings = try Self.settings(.client, parameters)
        settings.identity = identity?.identity
        if verification == .dangerouslyNone {
            settings.verification = .none
        } else {
            settings.verification = .required
            try settings.set(trust)
        }
        return try TLSConfiguration(settings: settings, verification: verification, serverName: serverName)
    }

    /// Settings for listening.
    ///
    /// - Parameters:
    ///   - identity: Who this side is.
    ///   - clients: What is asked of clients. Default: nothing.
    ///   - trust: The authorities that clients' certificates must come from. Needed if certificates are asked for, and then named
    ///     to the clients.
    ///   - parameters: Versions, ciphers, groups, depth, application protocols and sessions.
    /// - Throws: ``SecureSocketError`` that names the file or setting at fault.
    public static func server(
        _ identity: TLSIdentity,
        clients: ClientAuthentication = .none,
        trust: TLSTrust? = nil,
        parameters: Parameters = Parameters()
    ) throws(SecureSocketError) -> TLSConfiguration {
        var settings = try Self.settings(.server, parameters)
        settings.identity = identity.identity
        switch clients {
        case .none: settings.verification = .none
        case .optional: settings.verification = .ifGiven
        case .required: settings.verification = .required
        }
        if let trust {
            try settings.set(trust)
        } else if clients != .none {
            throw SecureSocketError(
                .invalidConfiguration, blame: .configuration, step: .configuring,
                "clients are asked for certificates, but no authority is trusted to issue them",
                advice: "Give `trust`, for example `.pem(\"clients-ca.pem\")`")
        }
        let configuration = try TLSConfiguration(settings: settings, verification: .chainOnly)
        if case .store? = trust?.origin, clients != .none, !configuration.context.namesAuthorities {
            Logger(label: "SecureSockets").warning(
                "there are too many client authorities to name them to clients, which choose a certificate without that help",
                metadata: ["authorities": "\(settings.trust?.count ?? 0)"])
        }
        return configuration
    }

    private static func settings(
        _ role: TLSSettings.Role, _ parameters: Parameters
    ) throws(SecureSocketError) -> TLSSettings {
        guard parameters.depth >= 0 else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring,
                "depth is \(parameters.depth); it must not be negative")
        }
        var settings = TLSSettings(role: role)
        settings.versions = parameters.versions.lowerBound.version...parameters.versions.upperBound.version
        settings.ciphers = parameters.cipherList.map { .strict($0) } ?? .forwardSecretAEAD
        settings.groups = parameters.groups.map(\.group)
        settings.applicationProtocols = parameters.applicationProtocols
        settings.depth = parameters.depth
        if let lifetime = parameters.sessionLifetime {
            let seconds = UInt32(clamping: max(lifetime.components.seconds, lifetime > .zero ? 1 : 0))
            settings.sessionLifetime = seconds == 0 ? .none : .seconds(seconds)
        }
        return settings
    }
}

extension TLSSettings {
    fileprivate mutating func set(_ trust: TLSTrust) throws(SecureSocketError) {
        self.trust = try trust.load()
        self.acceptsPartialChains = trust.acceptsPartialChains
        self.legacyCertificates = trust.legacyCertificates.options
    }
}

extension TLSConfiguration {
    private struct Default {
        let trust: TrustStore
        let configuration: TLSConfiguration
    }

    private static let lastDefault = Mutex<Default?>(nil)

    /// The configuration of a client that was given none: one for the process, made anew when the system's trust changes on disk.
    static func defaultClient() throws(SecureSocketError) -> TLSConfiguration {
        let trust = try TLSTrust.system.load()
        if let known = Self.lastDefault.withLock({ $0 }), known.trust === trust { return known.configuration }
        let configuration = try TLSConfiguration.client()
        Self.lastDefault.withLock { $0 = Default(trust: trust, configuration: configuration) }
        return configuration
    }
}
