import NIOCore
import TLSEngine

/// What a client offers at the beginning of a handshake (RFC 8446 §4.1.2). Everything in it is unverified.
public struct ClientHello: Sendable, Hashable {
    private let message: ClientHelloMessage

    /// The client's address; nil if the connection has none.
    public let remoteEndpoint: SocketEndpoint?

    init(_ message: ClientHelloMessage, from address: SocketAddress?) {
        self.message = message
        self.remoteEndpoint = SocketEndpoint(address)
    }

    /// The requested server name (SNI, RFC 6066 §3), in lower case and without a trailing dot; nil if the client requests none.
    public var serverName: String? { self.message.serverName }

    /// The application protocols (ALPN, RFC 7301), in the client's order of preference.
    public var applicationProtocols: [String] { self.message.offer.applicationProtocols }

    /// The cipher suites, in the client's order of preference.
    public var cipherSuites: [TLSCipherSuite] { self.message.offer.cipherSuites.map(TLSCipherSuite.init(codePoint:)) }

    /// The protocol versions, including ones that this library does not support.
    public var versions: [TLSProtocolVersion] { self.message.offer.versions.map(TLSProtocolVersion.init(codePoint:)) }

    /// The key exchange groups, in the client's order of preference.
    public var groups: [TLSNamedGroup] { self.message.offer.groups.map(TLSNamedGroup.init(codePoint:)) }

    /// The signature algorithms that the client can verify (RFC 8446 §4.2.3), in its order of preference.
    public var signatureSchemes: [TLSSignatureScheme] {
        self.message.offer.signatureAlgorithms.map(TLSSignatureScheme.init(codePoint:))
    }

    /// A digest of what the client offers apart from names and keys, in the form of JA4, for example `t13d1516h2_8daaf6152771_e5627efa2ab1`.
    /// Clients with the same TLS library and settings have the same fingerprint. A client can imitate any other's.
    public var fingerprint: String { self.message.fingerprint }
}
