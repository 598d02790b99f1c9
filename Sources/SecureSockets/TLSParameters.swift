import TLSEngine

/// Settings of the protocol that clients and servers share. The defaults suit most programs.
public struct TLSParameters: Sendable, Hashable {
    /// The versions offered. Default: TLS 1.2 and 1.3.
    public var versions: ClosedRange<TLSProtocolVersion> = .tls12 ... .tls13

    /// The cipher suites of TLS 1.2, in order of preference; a server with a list follows its own order. The suites of TLS 1.3 cannot be
    /// configured, and must not be listed. Default: nil, all suites with ECDHE and authenticated encryption (AES-GCM, ChaCha20-Poly1305).
    public var cipherSuites: [TLSCipherSuite]?

    /// The key exchange groups, in order of preference. Default: X25519MLKEM768, X25519, P-256, P-384.
    public var groups: [TLSNamedGroup] = [.x25519MLKEM768, .x25519, .secp256r1, .secp384r1]

    /// The application protocols, in order of preference (ALPN, RFC 7301), for example `["h2", "http/1.1"]`. A server that has
    /// none in common with its client ends the handshake. Default: none, and no negotiation.
    public var applicationProtocols: [String] = []

    /// The greatest depth in a chain at which a trusted root may stand: the peer's own certificate is at depth 0, its issuer at
    /// 1, and so on. Default: 10.
    public var maximumChainDepth: Int = 10

    /// How long after a full handshake its session may be resumed, which saves the certificates and half of the computation;
    /// zero: sessions are not resumed. Default: nil, two hours with TLS 1.2 and two days with TLS 1.3.
    ///
    /// A session is resumed only under settings that would accept the peer in a full handshake, and by a client only with the same
    /// server and name.
    public var sessionLifetime: Duration?

    public init() {}
}

extension TLSParameters {
    /// The same for the engine.
    func settings(_ role: TLSSettings.Role) throws(SecureSocketError) -> TLSSettings {
        guard self.maximumChainDepth >= 0 else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring,
                "maximumChainDepth is \(self.maximumChainDepth); it must not be negative")
        }
        var settings = TLSSettings(role: role)
        settings.versions = self.versions.lowerBound.version...self.versions.upperBound.version
        settings.cipherSuites = try self.cipherList.map { .strict($0) } ?? .forwardSecretAEAD
        settings.groups = self.groups.map(\.group)
        settings.applicationProtocols = self.applicationProtocols
        settings.depth = self.maximumChainDepth
        if let lifetime = self.sessionLifetime {
            let seconds = UInt32(clamping: max(lifetime.components.seconds, lifetime > .zero ? 1 : 0))
            settings.sessionLifetime = seconds == 0 ? .none : .seconds(seconds)
        }
        return settings
    }

    private var cipherList: String? {
        get throws(SecureSocketError) {
            guard let suites = self.cipherSuites else { return nil }
            if let suite = suites.first(where: \.isOfTLS13) {
                throw SecureSocketError(
                    .cipherSuitesUnusable, blame: .configuration, step: .configuring,
                    "\(suite) is a cipher suite of TLS 1.3; those are always offered and cannot be listed",
                    advice: "List suites of TLS 1.2 only, or set `versions` to `.tls13 ... .tls13`")
            }
            guard !suites.isEmpty else {
                throw SecureSocketError(
                    .cipherSuitesUnusable, blame: .configuration, step: .configuring, "the list of cipher suites is empty",
                    advice: "Leave `cipherSuites` nil for the default, or set `versions` to `.tls13 ... .tls13`")
            }
            return suites.compactMap { CipherSuites.openSSLName(of: $0.codePoint) }.joined(separator: ":")
        }
    }
}
