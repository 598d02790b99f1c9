import Logging
package import TLSEngine

/// The TLS settings with which a listener accepts: loaded and checked once, immutable, shared by any number of listeners.
///
/// ```swift
/// let identity = try TLSIdentity(certificateChain: "server.pem", privateKey: "server-key.pem")
/// let tls = try TLSServerConfiguration(identity: identity, clients: .required(trust: .only("clients-ca.pem")))
/// ```
public struct TLSServerConfiguration: Sendable {
    /// Whether a server asks its clients for certificates, and which it accepts.
    public struct ClientAuthentication: Sendable {
        package let verification: TLSSettings.PeerVerification
        package let trust: TLSTrust?

        /// Clients are not asked for a certificate. The default.
        public static let none = ClientAuthentication(verification: .none, trust: nil)

        /// Clients are asked for a certificate; one that is given must verify.
        ///
        /// - Parameter trust: The roots in which a client's chain may end. They are named to clients.
        public static func optional(trust: TLSTrust) -> ClientAuthentication {
            ClientAuthentication(verification: .ifGiven, trust: trust)
        }

        /// A client must give a certificate, which must verify.
        ///
        /// - Parameter trust: The roots in which a client's chain may end. They are named to clients.
        public static func required(trust: TLSTrust) -> ClientAuthentication {
            ClientAuthentication(verification: .required, trust: trust)
        }
    }

    package let context: TLSContext

    package init(settings: TLSSettings) throws(SecureSocketError) {
        self.context = try TLSContext(checking: settings)
    }

    /// Makes the settings of a server.
    ///
    /// - Parameters:
    ///   - identity: The server's certificate chain and key.
    ///   - clients: Whether clients are asked for certificates. Default: they are not.
    ///   - parameters: Versions, cipher suites, groups, application protocols, chain depth and sessions.
    /// - Throws: ``SecureSocketError`` that names the file or setting at fault.
    public init(
        identity: TLSIdentity,
        clients: ClientAuthentication = .none,
        parameters: TLSParameters = TLSParameters()
    ) throws(SecureSocketError) {
        var settings = try parameters.settings(.server)
        settings.identity = identity.identity
        settings.verification = clients.verification
        if let trust = clients.trust { try settings.set(trust) }
        try self.init(settings: settings)
        if let trust = settings.trust, trust.canBeNamed, !self.context.namesAuthorities {
            Logger(label: "SecureSockets").warning(
                "there are too many client authorities to name them to clients, which choose a certificate without that help",
                metadata: ["authorities": "\(trust.count)"])
        }
    }
}
