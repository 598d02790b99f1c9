package import TLSEngine

/// The parameters that a connection's handshake negotiated.
public struct ConnectionInformation: Sendable, Hashable {
    package let parameters: NegotiatedParameters

    /// Whether this is the second attempt of `connect`, without ML-KEM groups (``ConnectOptions/retriesWithoutMLKEM``).
    public let wasRetriedWithoutMLKEM: Bool

    package init(_ parameters: NegotiatedParameters, wasRetriedWithoutMLKEM: Bool = false) {
        self.parameters = parameters
        self.wasRetriedWithoutMLKEM = wasRetriedWithoutMLKEM
    }

    /// The protocol version.
    public var version: TLSProtocolVersion { TLSProtocolVersion(self.parameters.version) }

    /// The cipher suite.
    public var cipherSuite: TLSCipherSuite { TLSCipherSuite(codePoint: self.parameters.cipherSuite) }

    /// The key exchange group; nil if the handshake included no such exchange.
    public var group: TLSNamedGroup? { self.parameters.group.map(TLSNamedGroup.init) }

    /// The application protocol (ALPN, RFC 7301); nil if none was negotiated.
    public var applicationProtocol: String? { self.parameters.applicationProtocol }

    /// The server name that the client requested (SNI, RFC 6066 §3); nil if it requested none.
    public var serverName: String? { self.parameters.serverName }

    /// Whether an earlier session was resumed. A resumed handshake transfers and verifies no certificates.
    public var isResumed: Bool { self.resumption == .resumed }

    /// Whether an earlier session was resumed and, if not, the reason.
    public var resumption: Resumption { Resumption(self.parameters.resumption) }

    /// The reason for which the handshake did not resume a session, as far as this side can know it; nil if it did.
    ///
    /// TLS does not tell a client why its session was declined. The server's reason is in its own information, and in
    /// ``ListenerStatistics/fullHandshakes``.
    public var fullHandshakeReason: FullHandshakeReason? { self.parameters.fullHandshakeReason.map(FullHandshakeReason.init) }

    /// The certificates that the peer sent, its own first. Empty if it sent none.
    ///
    /// They are verified only if the configuration requires it.
    public var peerCertificates: [TLSCertificate] { self.parameters.peerCertificates.map(TLSCertificate.init) }

    /// The peer's own certificate; nil if it sent none.
    public var peerCertificate: TLSCertificate? { self.parameters.peerCertificates.first.map(TLSCertificate.init) }

    /// The number of certificates in the verified chain, from the peer's own to the trusted root; nil if this handshake verified no chain.
    public var verifiedChainLength: Int? { self.parameters.verifiedChainLength }
}

extension ConnectionInformation {
    /// Whether a handshake resumed an earlier session and, if not, the reason. New values may be added in any release.
    public struct Resumption: Sendable, Hashable {
        private let resumption: ResumptionOutcome

        fileprivate init(_ resumption: ResumptionOutcome) { self.resumption = resumption }

        /// The session was resumed.
        public static let resumed = Resumption(.resumed)
        /// The client had no valid session for this server, or did not offer one.
        public static let notOffered = Resumption(.notOffered)
        /// The client offered a session that the server did not accept: an expired or unknown one, or one from a different configuration.
        public static let declined = Resumption(.declined)
    }
}

extension ConnectionInformation.Resumption: CustomStringConvertible {
    /// `resumed`, `notOffered` or `declined`.
    public var description: String { "\(self.resumption)" }
}
