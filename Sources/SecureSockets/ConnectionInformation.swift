package import TLSEngine

/// What the handshake of a connection has settled.
public struct ConnectionInformation: Sendable, Hashable {
    package let parameters: NegotiatedParameters

    package init(_ parameters: NegotiatedParameters) { self.parameters = parameters }

    /// The version of the protocol.
    public var version: TLSConfiguration.Version { self.parameters.version == .v1_3 ? .tls13 : .tls12 }
    /// The cipher suite by its standard name, for example `TLS_AES_256_GCM_SHA384`.
    public var cipher: String { self.parameters.cipher }
    /// The key exchange group, for example `X25519MLKEM768`; nil where the handshake had no such exchange.
    public var group: String? { self.parameters.group }
    /// The application protocol that both sides agreed on (ALPN); nil if none was negotiated.
    public var applicationProtocol: String? { self.parameters.applicationProtocol }
    /// The server name that the client asked for; nil if it asked for none.
    public var serverName: String? { self.parameters.serverName }
    /// Whether an earlier session was resumed, which saves the certificates and half of the work.
    public var isResumed: Bool { self.resumption == .resumed }
    /// Whether an earlier session was resumed, or why not.
    public var resumption: Resumption {
        switch self.parameters.resumption {
        case .resumed: .resumed
        case .notOffered: .notOffered
        case .declined: .declined
        }
    }

    /// Whether a handshake resumed an earlier session, and why not.
    public enum Resumption: String, Sendable, Hashable, CaseIterable {
        case resumed
        /// The client had no session for this server that was still good, or did not offer it.
        case notOffered
        /// The client offered one, and the server did not take it: expired, unknown, or of another configuration.
        case declined
    }
    /// The certificates that the peer showed: its own first. Empty if it showed none.
    ///
    /// They have been verified only if the configuration says so.
    public var peerCertificates: [PeerCertificate] { self.parameters.peerCertificates.map(PeerCertificate.init) }
    /// How many certificates the verified chain has, from the peer's own to the trusted root; nil if nothing was verified in this
    /// handshake.
    public var verifiedChainLength: Int? { self.parameters.verifiedChainLength }
}

extension TLSConfiguration.Version: CustomStringConvertible {
    /// `TLS 1.2` or `TLS 1.3`.
    public var description: String {
        switch self {
        case .tls12: "TLS 1.2"
        case .tls13: "TLS 1.3"
        }
    }
}
