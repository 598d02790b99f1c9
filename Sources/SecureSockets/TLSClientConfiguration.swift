import Synchronization
package import TLSEngine

/// The TLS settings of a client.
///
/// A configuration is loaded and checked when it is created, and immutable. Any number of sockets can share it.
///
/// ```swift
/// let tls = try TLSClientConfiguration(trust: .only("company-ca.pem"))
/// let socket = try await SecureSocket.connect(to: "intranet.example", port: 443, tls: tls)
/// ```
///
/// If the server staples an OCSP response for its certificate (RFC 6066 §8), the client checks it: it must be signed by the certificate's
/// issuer or a responder that the issuer has certified, be current (with five minutes for differing clocks), and say that the certificate is
/// good. A server without a response is accepted, unless its certificate requires one (RFC 7633). The problem's kind is
/// ``CertificateProblem/Kind/revoked``, ``CertificateProblem/Kind/badStatusResponse`` or
/// ``CertificateProblem/Kind/statusResponseMissing``. Responders are not asked. Responses signed with SHA-1 are accepted only with
/// ``LegacyCertificates/sha1Signatures``.
public struct TLSClientConfiguration: Sendable {
    /// The extent to which a client verifies a server's certificate.
    public struct Verification: Sendable, Hashable {
        private enum Level { case full, chainOnly, none }

        private let level: Level

        /// The chain is verified, and the certificate must be for the requested host. The default.
        public static let full = Verification(level: .full)
        /// **Dangerous** except with a private authority. Only the chain is verified: any server with a certificate from a trusted
        /// authority is accepted as the requested host. With ``TLSTrust/system``, that is anyone who has any public certificate.
        public static let dangerouslyWithoutHostName = Verification(level: .chainOnly)
        /// **Dangerous.** Nothing is verified: an attacker on the path can read and modify all data.
        public static let dangerouslyNone = Verification(level: .none)
    }

    struct Settings: Sendable {
        let context: TLSContext
        let verification: Verification
        let serverName: String?
        /// The group of servers with which sessions are shared; nil if they are kept by endpoint.
        let sessionGroup: String?
    }

    private enum Source {
        case fixed(Settings)
        case live(LiveClientConfiguration)
    }

    private let source: Source

    /// The present settings.
    var settings: Settings {
        switch self.source {
        case .fixed(let settings): settings
        case .live(let configuration): configuration.present
        }
    }

    package var context: TLSContext { self.settings.context }

    /// Watches the server of an established connection, if the settings are live and open connections are to end when it is refused. On the
    /// connection's loop.
    func watch(_ connection: Connection, _ socket: StreamSocket) {
        guard case .live(let live) = self.source, let watched = live.watched,
            let information = (socket as? SecureSocket)?.information
        else { return }
        connection.whenGone { watched.gone($0) }
        watched.watch(connection, information, refused: { _ in })
    }

    init(_ live: LiveClientConfiguration) { self.source = .live(live) }

    package init(
        settings: TLSSettings, verification: Verification, serverName: String? = nil, sessionGroup: String? = nil
    ) throws(SecureSocketError) {
        self.source = .fixed(
            Settings(
                context: try TLSContext(checking: settings), verification: verification, serverName: serverName,
                sessionGroup: sessionGroup))
    }

    /// Creates the settings of a client.
    ///
    /// - Parameters:
    ///   - trust: The roots in which a server's chain may end. Default: the system's.
    ///   - verification: The extent of verification. Default: chain and host name.
    ///   - rule: The rule that admits servers whose certificate verifies. Sessions are not resumed with a rule. Default: nil; all are
    ///     admitted.
    ///   - identity: The certificate chain and key for servers that request a client certificate. Default: none.
    ///   - serverName: The name to request and to verify, in place of the host that is connected to. Default: that host. The name is in
    ///     ASCII; an internationalized name is written with A-labels (`xn--…`).
    ///   - sessions: The cache in which sessions are kept. Default: that of the process.
    ///   - sessionGroup: A text of 1 to 255 bytes under which sessions are kept in place of the endpoint, so that servers at several
    ///     addresses or ports resume each other's. Set it only for servers that share the keys of their tickets, or others would decline the
    ///     sessions. A session is still resumed only for the same name and settings. Default: nil; a session is resumed only at the same
    ///     host and port.
    ///   - parameters: The versions, cipher suites, groups, application protocols, chain depth and session lifetime.
    /// - Throws: ``SecureSocketError`` that names the file or setting at fault.
    public init(
        trust: TLSTrust = .system,
        verification: Verification = .full,
        allow rule: PeerRule? = nil,
        identity: TLSIdentity? = nil,
        serverName: String? = nil,
        sessions: TLSSessionCache = .shared,
        sessionGroup: String? = nil,
        parameters: TLSParameters = TLSParameters()
    ) throws(SecureSocketError) {
        if let serverName { try SecureSocketError.check(serverName: serverName) }
        if let sessionGroup {
            try OptionError.check(
                (1...255).contains(sessionGroup.utf8.count),
                "sessionGroup has \(sessionGroup.utf8.count) bytes; 1 to 255 are possible")
        }
        var settings = try parameters.settings(.client)
        settings.sessionCache = sessions.cache
        settings.identity = identity?.identity
        settings.peerDecision = rule?.decision
        if verification == .dangerouslyNone {
            settings.verification = .none
        } else {
            settings.verification = .required
            try settings.set(trust)
        }
        try self.init(settings: settings, verification: verification, serverName: serverName, sessionGroup: sessionGroup)
    }
}

extension TLSClientConfiguration {
    private struct Shared {
        let trust: TrustStore
        let configuration: TLSClientConfiguration
    }

    private static let shared = Mutex<Shared?>(nil)

    /// Returns the configuration of a client that was given none: one per process, created again when the system's trust changes on disk.
    static func standard() throws(SecureSocketError) -> TLSClientConfiguration {
        let trust = try TLSTrust.system.load()
        if let known = Self.shared.withLock({ $0 }), known.trust === trust { return known.configuration }
        let configuration = try TLSClientConfiguration()
        Self.shared.withLock { $0 = Shared(trust: trust, configuration: configuration) }
        return configuration
    }
}

extension TLSClientConfiguration {
    /// Creates the engine of a client over a transport of the caller.
    ///
    /// - Parameters:
    ///   - host: The host name or address to request and to verify, unless the configuration has another.
    ///   - endpoint: A text that identifies the server, whose sessions are kept and resumed; nil neither keeps nor resumes one, unless the
    ///     configuration has a group.
    /// - Throws: `invalidArgument` if the server's name is to be verified and there is none.
    package func makeEngine(for host: String?, at endpoint: String?) throws(SecureSocketError) -> TLSEngine {
        let settings = self.settings
        guard host != nil || settings.serverName != nil || settings.verification != .full else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring,
                "there is no name for which the server's certificate must be valid",
                advice: "Give the server's host name; a channel's remote address is used only if it is an internet address")
        }
        do {
            return try TLSEngine(client: settings, for: host, at: endpoint)
        } catch {
            throw SecureSocketError(error, role: .client, step: .handshake, peer: host ?? "the server")
        }
    }
}

extension TLSSettings {
    mutating func set(_ trust: TLSTrust) throws(SecureSocketError) {
        self.trust = try trust.load()
        self.acceptsPartialChains = trust.acceptsPartialChains
        self.legacyCertificates = trust.legacyCertificates.options
        self.revocation = trust.revocation
    }
}

extension TLSContext {
    convenience init(checking settings: TLSSettings) throws(SecureSocketError) {
        do {
            try self.init(settings)
        } catch {
            throw SecureSocketError(error)
        }
    }
}
