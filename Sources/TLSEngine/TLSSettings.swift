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

/// The version of the protocol.
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

/// Everything that the connections of one side share, before it is checked and built into a `TLSContext`.
package struct TLSSettings: Sendable {
    package enum Role: Sendable, Hashable { case client, server }

    /// What is asked of the peer's certificate.
    package enum PeerVerification: Sendable, Hashable {
        /// Nothing: any certificate, or none, is taken.
        case none
        /// A server asks for a certificate; one that is given must verify. A client verifies the chain.
        case ifGiven
        /// The peer must give a certificate and it must verify.
        case required
    }

    package enum Ciphers: Sendable, Hashable {
        /// TLS 1.2 suites with ephemeral keys and authenticated encryption only (RFC 9325 §4.2): ECDHE with AES-GCM or ChaCha20-Poly1305.
        case forwardSecretAEAD
        /// All TLS 1.2 suites of the library, older ones included.
        case library
        /// TLS 1.2 suites; a name that the library does not know is an error.
        case strict(String)
        /// TLS 1.2 suites; unknown names are passed over, and it is an error if none is left.
        case lenient(String)
    }

    package var role: Role
    package var identity: Identity?
    package var trust: TrustStore?
    package var verification: PeerVerification
    /// The greatest depth at which a trusted certificate may stand; the peer's own certificate is at 0.
    package var depth: Int
    /// Whether a chain may end in any trusted certificate, and not only in a self-signed one.
    package var acceptsPartialChains = false
    /// Weak certificates that are accepted all the same, below the trusted one.
    package var legacyCertificates: LegacyCertificateOptions = []
    package var versions: ClosedRange<TLSVersion>
    package var ciphers: Ciphers
    package var groups: [TLSGroup]
    /// Protocol names in order of preference (RFC 7301); empty: no such extension.
    package var applicationProtocols: [String]
    package var sessionLifetime = SessionLifetime.library
    /// How many tickets a server gives after a full handshake of TLS 1.3, 0 to 16. One is enough for a client that comes back, and each
    /// costs what it costs to seal it.
    package var ticketsGiven = 1
    /// Where a client's sessions are kept.
    package var sessionCache = SessionCache.shared
    /// Whether sessions expire by `ManualClock` instead of the system's clock; for tests.
    package var hasOwnClock = false

    /// Seconds since 1970.
    func now() -> UInt64 {
        self.hasOwnClock ? ManualClock.time.load(ordering: .relaxed) : UInt64(max(time(nil), 0))
    }

    package init(role: Role) {
        self.role = role
        self.identity = nil
        self.trust = nil
        self.verification = .none
        self.depth = 10
        self.versions = .v1_2 ... .v1_3
        self.ciphers = .forwardSecretAEAD
        self.groups = TLSGroup.usual
        self.applicationProtocols = []
    }
}

/// Which setting the library refused.
package enum TLSSettingsError: Error, Sendable, Equatable {
    case credential(CredentialError)
    /// No cipher of the list is known, or, for a strict list, one is not.
    case ciphers(String, LibraryReason?)
    case groups(LibraryReason?)
    /// A protocol name must be 1 to 255 bytes long (RFC 7301 §3.1) and must not contain a NUL character.
    case applicationProtocol(String)
    /// The library could not make a context.
    case library(LibraryReason?)
}
