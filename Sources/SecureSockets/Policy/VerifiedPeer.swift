import NIOCore
import TLSEngine

/// A peer whose certificate chain has been verified, as a ``PeerRule`` sees it during the handshake.
///
/// The peer has not yet proved that it has the certificate's private key or, if it resumes a session, the session's secret. It does so
/// later in the handshake, which otherwise fails.
public struct VerifiedPeer: Sendable {
    /// The peer's own certificate.
    public let certificate: TLSCertificate
    /// The certificates that the peer sent, its own first. Only those of ``verifiedChain`` are verified. They are decoded on each access.
    public var certificates: [TLSCertificate] { self.sent() }
    private let sent: @Sendable () -> [TLSCertificate]
    /// The verified chain, from the peer's certificate to the trusted root. Empty if the configuration verifies nothing
    /// (``TLSClientConfiguration/Verification/dangerouslyNone``).
    public let verifiedChain: [TLSCertificate]
    /// The client's hello; nil if the peer is a server.
    public let clientHello: ClientHello?
    /// The peer's address; nil if the connection has none.
    public let remoteEndpoint: SocketEndpoint?
    /// Whether the peer offers to resume a session, in whose full handshake it proved that it has the certificate's key. That it has the
    /// session's secret is not yet proved.
    public let isResumption: Bool

    /// Creates a peer, for tests of rules.
    ///
    /// - Parameters:
    ///   - certificate: The peer's own certificate.
    ///   - issuers: The rest of the verified chain, up to the root.
    public init(certificate: TLSCertificate, issuers: [TLSCertificate] = []) {
        self.certificate = certificate
        self.sent = { [certificate] + issuers }
        self.verifiedChain = [certificate] + issuers
        self.clientHello = nil
        self.remoteEndpoint = nil
        self.isResumption = false
    }

    /// nil if the peer sent no certificate.
    init?(_ evidence: PeerEvidence, at address: SocketAddress?) {
        guard let own = evidence.certificate else { return nil }
        self.certificate = TLSCertificate(own)
        self.sent = { evidence.certificates.map(TLSCertificate.init) }
        self.verifiedChain = evidence.verifiedChain.map(TLSCertificate.init)
        self.clientHello = evidence.clientHello.map { ClientHello($0, from: address) }
        self.remoteEndpoint = SocketEndpoint(address)
        self.isResumption = evidence.isResumption
    }
}
