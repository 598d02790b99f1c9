import Synchronization
package import TLSEngine

/// The TLS settings with which a client connects: loaded and checked once, immutable, shared by any number of sockets.
///
/// ```swift
/// let tls = try TLSClientConfiguration(trust: .only("company-ca.pem"))
/// let socket = try await SecureSocket.connect(to: "intranet.example", port: 443, tls: tls)
/// ```
public struct TLSClientConfiguration: Sendable {
    /// What a client verifies of a server's certificate.
    public struct Verification: Sendable, Hashable {
        private enum Level { case full, chainOnly, none }

        private let level: Level

        /// The chain, and that the certificate is for the host that was asked for. The default.
        public static let full = Verification(level: .full)
        /// The chain only: any server with a certificate of a trusted authority is accepted as the one that was asked for.
        public static let chainOnly = Verification(level: .chainOnly)
        /// **Dangerous.** Nothing: an attacker on the path can read and change everything.
        public static let dangerouslyNone = Verification(level: .none)
    }

    package let context: TLSContext
    let verification: Verification
    let serverName: String?

    package init(
        settings: TLSSettings, verification: Verification, serverName: String? = nil
    ) throws(SecureSocketError) {
        self.context = try TLSContext(checking: settings)
        self.verification = verification
        self.serverName = serverName
    }

    /// Makes the settings of a client.
    ///
    /// - Parameters:
    ///   - trust: The roots in which a server's chain may end. Default: the system's.
    ///   - verification: What is verified. Default: chain and host name.
    ///   - identity: The certificate and key for servers that ask for a client certificate. Default: none.
    ///   - serverName: The name to ask for and to verify, in place of the host that is connected to. Default: that host. It is in ASCII: an
    ///     internationalized name is given by its A-labels (`xn--…`).
    ///   - parameters: Versions, cipher suites, groups, application protocols, chain depth and sessions.
    /// - Throws: ``SecureSocketError`` that names the file or setting at fault.
    public init(
        trust: TLSTrust = .system,
        verification: Verification = .full,
        identity: TLSIdentity? = nil,
        serverName: String? = nil,
        parameters: TLSParameters = TLSParameters()
    ) throws(SecureSocketError) {
        if let serverName { try SecureSocketError.check(serverName: serverName) }
        var settings = try parameters.settings(.client)
        settings.identity = identity?.identity
        if verification == .dangerouslyNone {
            settings.verification = .none
        } else {
            settings.verification = .required
            try settings.set(trust)
        }
        try self.init(settings: settings, verification: verification, serverName: serverName)
    }
}

extension TLSClientConfiguration {
    private struct Shared {
        let trust: TrustStore
        let configuration: TLSClientConfiguration
    }

    private static let shared = Mutex<Shared?>(nil)

    /// The configuration of a client that was given none: one for the process, made anew when the system's trust changes on disk.
    static func standard() throws(SecureSocketError) -> TLSClientConfiguration {
        let trust = try TLSTrust.system.load()
        if let known = Self.shared.withLock({ $0 }), known.trust === trust { return known.configuration }
        let configuration = try TLSClientConfiguration()
        Self.shared.withLock { $0 = Shared(trust: trust, configuration: configuration) }
        return configuration
    }
}

extension TLSSettings {
    mutating func set(_ trust: TLSTrust) throws(SecureSocketError) {
        self.trust = try trust.load()
        self.acceptsPartialChains = trust.acceptsPartialChains
        self.legacyCertificates = trust.legacyCertificates.options
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
