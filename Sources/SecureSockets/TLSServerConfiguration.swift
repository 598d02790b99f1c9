import Logging
package import TLSEngine

/// The TLS settings of a server.
///
/// A configuration is loaded and checked when it is created, and immutable. Any number of listeners can share it.
///
/// ```swift
/// let identity = try TLSIdentity(certificateChain: "server.pem", privateKey: "server-key.pem")
/// let tls = try TLSServerConfiguration(identity: identity, clients: .required(trust: .only("clients-ca.pem")))
/// ```
public struct TLSServerConfiguration: Sendable {
    /// Whether a server requests certificates from its clients, and the roots that it trusts for them.
    public struct ClientAuthentication: Sendable {
        package let verification: TLSSettings.PeerVerification
        package let trust: TLSTrust?

        /// The server does not request client certificates. The default.
        public static let none = ClientAuthentication(verification: .none, trust: nil)

        /// Requests a client certificate. If the client sends one, it must verify.
        ///
        /// - Parameter trust: The roots in which a client's chain may end. Their names are sent to clients.
        public static func optional(trust: TLSTrust) -> ClientAuthentication {
            ClientAuthentication(verification: .ifGiven, trust: trust)
        }

        /// Requires a client certificate, which must verify.
        ///
        /// - Parameter trust: The roots in which a client's chain may end. Their names are sent to clients.
        public static func required(trust: TLSTrust) -> ClientAuthentication {
            ClientAuthentication(verification: .required, trust: trust)
        }
    }

    package let context: TLSContext

    package init(settings: TLSSettings) throws(SecureSocketError) {
        self.context = try TLSContext(checking: settings)
    }

    /// Creates the settings of a server.
    ///
    /// - Parameters:
    ///   - identity: The server's certificate chain and key.
    ///   - clients: The authentication of clients. Default: none.
    ///   - parameters: The versions, cipher suites, groups, application protocols, chain depth and session lifetime.
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
