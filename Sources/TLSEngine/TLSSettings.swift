import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// A version of TLS.
package enum TLSVersion: UInt16, Sendable, Hashable, Comparable, CaseIterable {
    case v1_2 = 0x0303
    case v1_3 = 0x0304

    package static func < (left: TLSVersion, right: TLSVersion) -> Bool { left.rawValue < right.rawValue }
}

/// A key exchange group (RFC 8446 §4.2.7).
package enum TLSGroup: UInt16, Sendable, Hashable, CaseIterable {
    case x25519MLKEM768 = 0x11ec
    case x25519 = 29
    case secp256r1 = 23
    case secp384r1 = 24
    case secp521r1 = 25

    package static let usual: [TLSGroup] = [.x25519MLKEM768, .x25519, .secp256r1, .secp384r1]
}

/// The settings that all connections of one side share, before they are checked and built into a `TLSContext`.
package struct TLSSettings: Sendable {
    package enum Role: String, Sendable, Hashable { case client, server }

    /// The requirement on the peer's certificate.
    package enum PeerVerification: String, Sendable, Hashable {
        /// None: any certificate, or no certificate, is accepted.
        case none
        /// A server requests a certificate; if the client sends one, it must verify. A client verifies the chain.
        case ifGiven
        /// The peer must send a certificate, and it must verify.
        case required
    }

    /// The cipher suites that a context offers and accepts. Those of TLS 1.3 cannot be configured.
    package enum CipherSuiteSelection: Sendable, Hashable {
        /// TLS 1.2 suites with ephemeral keys and authenticated encryption only (RFC 9325 §4.2): ECDHE with AES-GCM or ChaCha20-Poly1305.
        case forwardSecretAEAD
        /// All TLS 1.2 suites that BoringSSL supports, older ones included.
        case library
        /// A list of TLS 1.2 suites. An unknown name is an error.
        case strict(String)
        /// A list of TLS 1.2 suites. Unknown names are skipped; it is an error if none is left.
        case lenient(String)

        /// A text that is the same in all processes.
        var textForDigest: String {
            switch self {
            case .forwardSecretAEAD: "forwardSecretAEAD"
            case .library: "library"
            case .strict(let list): "strict \(list)"
            case .lenient(let list): "lenient \(list)"
            }
        }
    }

    package var role: Role
    package var identity: Identity?
    /// Further identities for the same names, with keys of other kinds, in order of preference after `identity`. Of a server only.
    package var furtherIdentities: [Identity] = []
    /// Selects the identity for a ClientHello whose server name has none. Of a server only.
    package var identitySelector: IdentitySelector?
    /// Judges peers that have sent certificates, after their chain was verified.
    package var peerDecision: PeerDecision?
    package var trust: TrustStore?
    package var verification: PeerVerification
    /// The greatest permitted depth of the trusted certificate. The peer's own certificate has depth 0.
    package var depth: Int
    /// Whether a chain may end in any trusted certificate, not only in a self-signed one.
    package var acceptsPartialChains = false
    /// The kinds of weak certificates that are accepted below the trusted one.
    package var legacyCertificates: LegacyCertificateOptions = []
    /// The check against revocation lists; nil if revocation is not checked.
    package var revocation: RevocationCheck?
    /// Whether a server accepts certificates of clients that are for server authentication only.
    package var acceptsServerCertificatesOfClients = false
    package var versions: ClosedRange<TLSVersion>
    package var cipherSuites: CipherSuiteSelection
    package var groups: [TLSGroup]
    /// Protocol names in order of preference (RFC 7301). If empty, the extension is not used.
    package var applicationProtocols: [String]
    /// Whether a handshake fails in which no application protocol is negotiated.
    package var requiresApplicationProtocol = false
    package var sessionLifetime = SessionLifetime.library
    /// The number of tickets that a server issues after a handshake of TLS 1.3, 0 to 16. One is enough for a client that reconnects,
    /// and sealing each has a cost.
    package var ticketsGiven = 1
    /// The cache for a client's sessions.
    package var sessionCache = SessionCache.shared
    /// Whether sessions expire by `ManualClock` instead of the system's clock. For tests.
    package var hasOwnClock = false

    /// The current time in seconds since 1970.
    func now() -> UInt64 {
        self.hasOwnClock ? ManualClock.time.load(ordering: .relaxed) : UInt64(max(time(nil), 0))
    }

    /// The current time in seconds since 1970.
    package var currentTime: Int64 { Int64(clamping: self.now()) }

    package init(role: Role) {
        self.role = role
        self.identity = nil
        self.trust = nil
        self.verification = .none
        self.depth = 10
        self.versions = .v1_2 ... .v1_3
        self.cipherSuites = .forwardSecretAEAD
        self.groups = TLSGroup.usual
        self.applicationProtocols = []
    }
}

/// The setting that BoringSSL rejected.
package enum TLSSettingsError: Error, Sendable, Equatable {
    case credential(CredentialError)
    /// No cipher suite of the list is known or, for a strict list, at least one is not.
    case ciphers(String, LibraryReason?)
    case groups(LibraryReason?)
    /// A protocol name must be 1 to 255 bytes long (RFC 7301 §3.1) and must not contain a NUL character.
    case applicationProtocol(String)
    /// BoringSSL could not create a context.
    case library(LibraryReason?)
}
