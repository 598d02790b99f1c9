package import TLSEngine

/// What the handshake of a connection negotiated.
public struct ConnectionInformation: Sendable, Hashable {
    package let parameters: NegotiatedParameters

    package init(_ parameters: NegotiatedParameters) { self.parameters = parameters }

    /// The version of the protocol.
    public var version: TLSProtocolVersion { TLSProtocolVersion(self.parameters.version) }

    /// The cipher suite.
    public var cipherSuite: TLSCipherSuite { TLSCipherSuite(codePoint: self.parameters.cipherSuite) }

    /// The key exchange group; nil where the handshake had no such exchange.
    public var group: TLSNamedGroup? { self.parameters.group.map(TLSNamedGroup.init) }

    /// The application protocol that both sides agreed on (ALPN); nil if none was negotiated.
    public var applicationProtocol: String? { self.parameters.applicationProtocol }

    /// The server name that the client asked for; nil if it asked for none.
    public var serverName: String? { self.parameters.serverName }

    /// Whether an earlier session was resumed, which saves the certificates and half of the computation.
    public var isResumed: Bool { self.resumption == .resumed }

    /// Whether an earlier session was resumed, or why not.
    public var resumption: Resumption { Resumption(self.parameters.resumption) }

    /// The certificates that the peer sent: its own first. Empty if it sent none.
    ///
    /// They have been verified only if the configuration requires it.
    public var peerCertificates: [Certificate] { self.parameters.peerCertificates.map(Certificate.init) }

    /// The number of certificates in the verified chain, from the peer's own to the trusted root; nil if nothing was verified in this
    /// handshake.
    public var verifiedChainLength: Int? { self.parameters.verifiedChainLength }
}

extension ConnectionInformation {
    /// Whether a handshake resumed an earlier session, and why not. New values may be added in any version.
    public struct Resumption: Sendable, Hashable {
        private let resumption: ResumptionOutcome

        fileprivate init(_ resumption: ResumptionOutcome) { self.resumption = resumption }

        /// The session was resumed.
        public static let resumed = Resumption(.resumed)
        /// The client had no session for this server that was still valid, or did not offer it.
        public static let notOffered = Resumption(.notOffered)
        /// The client offered a session, and the server did not accept it: it is expired, unknown, or of another configuration.
        public static let declined = Resumption(.declined)
    }
}

extension ConnectionInformation.Resumption: CustomStringConvertible {
    /// `resumed`, `notOffered` or `declined`.
    public var description: String { "\(self.resumption)" }
}
