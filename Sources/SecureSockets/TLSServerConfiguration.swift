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
        let rule: PeerRule?
        package private(set) var acceptsServerCertificates = false

        /// The server does not request client certificates. The default.
        public static let none = ClientAuthentication(verification: .none, trust: nil, rule: nil)

        /// Requests a client certificate. If the client sends one, it must verify.
        ///
        /// - Parameters:
        ///   - trust: The roots in which a client's chain may end. Their names are sent to clients.
        ///   - rule: The rule that admits clients whose certificate verifies. It does not apply to clients without a certificate. Default:
        ///     nil; all are admitted.
        public static func optional(trust: TLSTrust, allow rule: PeerRule? = nil) -> ClientAuthentication {
            ClientAuthentication(verification: .ifGiven, trust: trust, rule: rule)
        }

        /// Requires a client certificate, which must verify.
        ///
        /// - Parameters:
        ///   - trust: The roots in which a client's chain may end. Their names are sent to clients.
        ///   - rule: The rule that admits clients whose certificate verifies. Default: nil; all are admitted.
        public static func required(trust: TLSTrust, allow rule: PeerRule? = nil) -> ClientAuthentication {
            ClientAuthentication(verification: .required, trust: trust, rule: rule)
        }

        private init(verification: TLSSettings.PeerVerification, trust: TLSTrust?, rule: PeerRule?) {
            self.verification = verification
            self.trust = trust
            self.rule = rule
        }

        /// The same authentication, which also accepts certificates for server authentication only.
        ///
        /// For servers that authenticate each other, such as mail servers, with certificates of public authorities, which no longer issue
        /// certificates for client authentication. All certificates below the root must be for client authentication, or all for server
        /// authentication.
        ///
        /// **Risk:** any server with a certificate from a trusted authority can act as a client. A certificate that was meant for a server
        /// only, with its key on a machine that accepts connections from anyone, then opens this server too. Decide by the names in the
        /// certificate whom to admit, and do not use it with a private authority that issues certificates for both uses.
        public var acceptingServerCertificates: ClientAuthentication {
            var authentication = self
            authentication.acceptsServerCertificates = true
            return authentication
        }
    }

    package let context: TLSContext
    /// The bounds on decisions under way at handlers of channels that use this configuration directly.
    package let decisions = DecisionLimits(ListenerOptions.standardMaximumDecisions)

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
        try self.init(identities: [ServerIdentity(for: [], identity)], clients: clients, parameters: parameters)
    }

    /// The treatment of clients that request a server name for which a server has no identity.
    public struct UnknownServerNames: Sendable, Hashable {
        let areRefused: Bool

        /// The server appears with its default identity, which the client then refuses or not. The default.
        public static let useDefault = UnknownServerNames(areRefused: false)
        /// The handshake fails with the alert `unrecognized_name` (RFC 6066 §3). A client that requests no name gets the default identity.
        public static let refused = UnknownServerNames(areRefused: true)
    }

    /// Creates the settings of a server with several identities.
    ///
    /// Sessions are not resumed across identities: a client that has a session with one of them makes a full handshake with another.
    ///
    /// - Parameters:
    ///   - identities: The identities by server name. An exact name takes precedence over a wildcard. The first element is the default,
    ///     which clients get that request no name.
    ///   - unknownServerNames: The treatment of clients that request another name. Default: the default identity.
    ///   - selectIdentity: A function that selects the identity for a client whose name is none of `identities`, or that requests none. If
    ///     it returns nil, `unknownServerNames` applies. If it throws, the handshake fails with the alert of a ``TLSRejection``, or with
    ///     `internal_error`. The handshake waits for it, for at most its own time limit. Return the same ``TLSIdentity`` for the same
    ///     certificate, so that it is prepared once.
    ///   - preparedIdentities: The maximum number of selected identities that are kept prepared for further handshakes, of which the most
    ///     recently used remain. At least 1. Default: 64.
    ///   - clients: The authentication of clients. Default: none.
    ///   - parameters: The versions, cipher suites, groups, application protocols, chain depth and session lifetime.
    /// - Throws: ``SecureSocketError`` that names the file, name or setting at fault.
    public init(
        identities: [ServerIdentity],
        unknownServerNames: UnknownServerNames = .useDefault,
        selectIdentity: (@Sendable (ClientHello) async throws -> TLSIdentity?)? = nil,
        preparedIdentities: Int = 64,
        clients: ClientAuthentication = .none,
        parameters: TLSParameters = TLSParameters()
    ) throws(SecureSocketError) {
        try OptionError.check(preparedIdentities > 0, "preparedIdentities is \(preparedIdentities); it must be positive")
        var settings = try parameters.settings(.server)
        settings.verification = clients.verification
        settings.peerDecision = clients.rule?.decision
        settings.acceptsServerCertificatesOfClients = clients.acceptsServerCertificates
        if let trust = clients.trust { try settings.set(trust) }
        try self.init(
            settings: settings, identities: identities, refusesOthers: unknownServerNames.areRefused,
            selectIdentity: selectIdentity, preparedIdentities: preparedIdentities)
        if let trust = settings.trust, trust.canBeNamed, !self.context.namesAuthorities {
            Logger(label: "SecureSockets").warning(
                "there are too many client authorities to name them to clients, which choose a certificate without that help",
                metadata: ["authorities": "\(trust.count)"])
        }
    }

    private init(
        settings: TLSSettings, identities: [ServerIdentity], refusesOthers: Bool,
        selectIdentity: (@Sendable (ClientHello) async throws -> TLSIdentity?)?, preparedIdentities: Int
    ) throws(SecureSocketError) {
        var standard: TLSSettings?
        var names = ServerNames(refusesOthers: refusesOthers)
        for identity in identities {
            let own = try settings.with(identity)
            if standard == nil { standard = own }
            guard !identity.names.isEmpty else { continue }
            let context = try TLSContext(checking: own)
            var ownNames: Set<String> = []
            for name in identity.names {
                try Self.check(serverName: name)
                // A certificate may have a name twice.
                guard ownNames.insert(ServerNames.normalized(name)).inserted else { continue }
                if !names.add(name, context) {
                    throw SecureSocketError(
                        .invalidConfiguration, blame: .configuration, step: .configuring,
                        "two server identities have the name \(name.escapedForDisplay)", advice: "Give every name to one of them")
                }
            }
        }
        guard var standard else {
            throw SecureSocketError(
                .identityMissing, blame: .configuration, step: .configuring, "the list of server identities is empty",
                advice: "Give the server an identity, which is the default for clients that request no name")
        }
        if let selectIdentity {
            standard.identitySelector = PreparedIdentities(settings, capacity: preparedIdentities).selector(selectIdentity)
        }
        do {
            let isByName = identities.contains { !$0.names.isEmpty }
            self.context = try TLSContext(standard, serverNames: isByName || refusesOthers ? names : nil)
        } catch {
            throw SecureSocketError(error)
        }
    }

    /// Checks a host name, whose first label may be a wildcard.
    private static func check(serverName name: String) throws(SecureSocketError) {
        try SecureSocketError.check(serverName: name.hasPrefix("*.") ? String(name.dropFirst(2)) : name)
    }
}

extension TLSSettings {
    /// Returns the settings with these identities.
    fileprivate func with(_ server: ServerIdentity) throws(SecureSocketError) -> TLSSettings {
        var settings = self
        guard let first = server.identities.first else {
            throw SecureSocketError(
                .identityMissing, blame: .configuration, step: .configuring,
                "the server identity for \(server.names.joined(separator: ", ").escapedForDisplay) has no certificate",
                advice: "Give it at least one TLSIdentity")
        }
        settings.identity = first.identity
        settings.furtherIdentities = server.identities.dropFirst().map(\.identity)
        return settings
    }
}

extension TLSServerConfiguration {
    /// Throws if the default identity's certificate is not valid at this time, unless it is in use already: an expired certificate must not
    /// keep a revocation from taking effect.
    package func checkDates(replacing present: TLSContext) throws(SecureSocketError) {
        guard let certificate = self.context.settings.identity?.certificates.first,
            certificate != present.settings.identity?.certificates.first,
            let problem = certificate.problemOfDates(at: self.context.settings.currentTime)
        else { return }
        throw problem
    }

    /// Logs what clients will refuse of the identities: certificates other than the default one that are not valid at this time, and those
    /// that require an OCSP response without one.
    func logUnusableIdentities(_ logger: Logger) {
        let now = self.context.settings.currentTime
        for identity in self.context.identities {
            guard let certificate = identity.certificates.first else { continue }
            let hasExpired = certificate.notAfter.map { $0 < now } ?? false
            let problem: Logger.Message? =
                if hasExpired || certificate.notBefore.map({ $0 > now }) ?? false {
                    "a server's certificate has expired or is not valid yet"
                } else if identity.requiresStapledResponse, identity.stapledResponse == nil {
                    "a server's certificate requires an OCSP response, and there is none"
                } else {
                    nil
                }
            if let problem { logger.warning(problem, metadata: ["certificate": "\(certificate.subject.escapedForDisplay)"]) }
        }
    }
}

extension DecodedCertificate {
    /// The error for a certificate that is not valid at this time, in seconds since 1970-01-01 UTC; nil if it is.
    func problemOfDates(at now: Int64) -> SecureSocketError? {
        func failure(_ text: String, _ advice: String) -> SecureSocketError {
            SecureSocketError(
                .certificateUnusable, blame: .configuration, step: .configuring,
                "the certificate \"\(self.subject.escapedForDisplay)\" \(text)", advice: advice)
        }
        if let end = self.notAfter, end < now { return failure("expired on \(UTCDate(end))", "Install a renewed certificate") }
        if let start = self.notBefore, start > now {
            return failure("is not valid before \(UTCDate(start))", "Check this machine's clock, or wait until then")
        }
        return nil
    }
}
