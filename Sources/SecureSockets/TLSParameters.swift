import TLSEngine

/// TLS protocol settings for clients and servers. The defaults suit most programs.
public struct TLSParameters: Sendable, Hashable {
    /// The protocol versions to offer or accept. Default: TLS 1.2 and 1.3.
    public var versions: ClosedRange<TLSProtocolVersion> = .tls12 ... .tls13

    /// The cipher suites of TLS 1.2, in order of preference. Default: nil; all suites with ECDHE and authenticated encryption (AES-GCM,
    /// ChaCha20-Poly1305).
    ///
    /// A server with a list applies its own order of preference. The suites of TLS 1.3 cannot be configured and must not be listed.
    public var tls12CipherSuites: [TLSCipherSuite]?

    /// The key exchange groups, in order of preference. Default: X25519MLKEM768, X25519, P-256, P-384.
    public var groups: [TLSNamedGroup] = [.x25519MLKEM768, .x25519, .secp256r1, .secp384r1]

    /// The application protocols (ALPN, RFC 7301), in order of preference, for example `["h2", "http/1.1"]`. Default: none, and no
    /// negotiation.
    ///
    /// A server that has no protocol in common with its client ends the handshake.
    public var applicationProtocols: [String] = []

    /// Whether the handshake fails, with the alert `no_application_protocol`, if no application protocol is negotiated. Default: false; a
    /// server accepts clients that offer none, and a client accepts a server that selects none.
    ///
    /// A protocol that is agreed on cannot be confused with another one that a server with the same certificate speaks, to which an attacker
    /// redirects the connection (the ALPACA attack; RFC 9325 §3.8). `applicationProtocols` must not be empty then.
    public var requiresApplicationProtocol = false

    /// The greatest permitted depth of the trusted root in a chain. The peer's own certificate has depth 0, its issuer depth 1, and so on.
    /// Default: 10.
    public var maximumChainDepth: Int = 10

    /// The time after a full handshake during which its session may be resumed; zero disables resumption. Default: nil; two hours with TLS
    /// 1.2 and two days with TLS 1.3.
    ///
    /// A resumed handshake transfers and verifies no certificates. A session is resumed only under settings that would accept the peer in a
    /// full handshake. A client resumes a session only with the same server and name (``TLSSessionCache``). A server applies the lifetime of
    /// its present settings also to tickets that it issued before ``SecureListener/update(tls:)``.
    public var sessionLifetime: Duration?

    /// The number of session tickets that a server issues after a handshake of TLS 1.3, 0 to 16. Default: 1. A client's settings have no
    /// effect.
    ///
    /// A client uses a ticket once (RFC 8446 §C.4). One is enough for a client that connects again; a client with a pool of connections can
    /// open as many at a time without a full handshake as it has tickets. (Clients of this library keep four of a connection, and sixteen of
    /// a server.) The server seals and sends each with its first bytes. With 0, sessions of TLS 1.3 are not resumed. In TLS 1.2 there is
    /// always one.
    public var sessionTickets: Int = 1

    /// Creates the default settings.
    public init() {}
}

extension TLSParameters {
    /// BoringSSL's limit.
    private static let mostTickets = 16

    /// Returns the engine's settings.
    func settings(_ role: TLSSettings.Role) throws(SecureSocketError) -> TLSSettings {
        guard self.maximumChainDepth >= 0 else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring,
                "maximumChainDepth is \(self.maximumChainDepth); it must not be negative")
        }
        var settings = TLSSettings(role: role)
        guard let oldest = self.versions.lowerBound.version, let newest = self.versions.upperBound.version else {
            throw SecureSocketError(
                .invalidConfiguration, blame: .configuration, step: .configuring,
                "\(self.versions.lowerBound) to \(self.versions.upperBound) are not supported",
                advice: "Set `TLSParameters.versions` to a range of TLS 1.2 and TLS 1.3")
        }
        settings.versions = oldest...newest
        settings.cipherSuites = try self.cipherList.map { .strict($0) } ?? .forwardSecretAEAD
        if let group = self.groups.first(where: { $0.group == nil }) {
            throw SecureSocketError(
                .invalidConfiguration, blame: .configuration, step: .configuring, "the group \(group) is not supported",
                advice: "Use groups of `TLSNamedGroup.allCases` in `TLSParameters.groups`")
        }
        settings.groups = self.groups.compactMap(\.group)
        settings.applicationProtocols = self.applicationProtocols
        if self.requiresApplicationProtocol, self.applicationProtocols.isEmpty {
            throw SecureSocketError(
                .invalidConfiguration, blame: .configuration, step: .configuring,
                "an application protocol is required, but none is given",
                advice: "List the protocols in `TLSParameters.applicationProtocols`")
        }
        settings.requiresApplicationProtocol = self.requiresApplicationProtocol
        settings.depth = self.maximumChainDepth
        try OptionError.check(
            (0...Self.mostTickets).contains(self.sessionTickets),
            "sessionTickets is \(self.sessionTickets); 0 to \(Self.mostTickets) are possible")
        settings.ticketsGiven = self.sessionTickets
        if let lifetime = self.sessionLifetime {
            let seconds = UInt32(clamping: max(lifetime.components.seconds, lifetime > .zero ? 1 : 0))
            settings.sessionLifetime = seconds == 0 ? .none : .seconds(seconds)
        }
        return settings
    }

    private var cipherList: String? {
        get throws(SecureSocketError) {
            guard let suites = self.tls12CipherSuites else { return nil }
            if let suite = suites.first(where: \.isOfTLS13) {
                throw SecureSocketError(
                    .cipherSuitesUnusable, blame: .configuration, step: .configuring,
                    "\(suite) is a cipher suite of TLS 1.3; those are always offered and cannot be listed",
                    advice: "List suites of TLS 1.2 only, or set `versions` to `.tls13 ... .tls13`")
            }
            guard !suites.isEmpty else {
                throw SecureSocketError(
                    .cipherSuitesUnusable, blame: .configuration, step: .configuring, "the list of cipher suites is empty",
                    advice: "Leave `tls12CipherSuites` nil for the default, or set `versions` to `.tls13 ... .tls13`")
            }
            return suites.compactMap { CipherSuites.openSSLName(of: $0.codePoint) }.joined(separator: ":")
        }
    }
}
