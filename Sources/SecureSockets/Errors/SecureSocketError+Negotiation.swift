package import TLSEngine

extension SecureSocketError {
    /// A negotiation that failed, with the offers of both sides as far as they are known.
    ///
    /// ```swift
    /// do {
    ///     _ = try await SecureSocket.connect(to: "example.org", port: 443)
    /// } catch let error {
    ///     if let negotiation = error.negotiation, negotiation.parameter == .cipherSuite {
    ///         print(negotiation.own.cipherSuites, negotiation.peer?.cipherSuites ?? [])
    ///     }
    /// }
    /// ```
    public struct Negotiation: Sendable, Hashable {
        /// A parameter that a handshake negotiates. New values may be added in any version.
        public struct Parameter: Sendable, Hashable, CustomStringConvertible {
            private let name: String

            private init(_ name: String) { self.name = name }

            /// The name of the constant, for example `cipherSuite`.
            public var description: String { self.name }

            public static let version = Parameter("version")
            public static let cipherSuite = Parameter("cipherSuite")
            /// The key exchange group or, with TLS 1.2, the curve of the server's key.
            public static let group = Parameter("group")
            public static let signatureScheme = Parameter("signatureScheme")
            public static let applicationProtocol = Parameter("applicationProtocol")
        }

        /// The values that one side offers or has chosen, in order of preference. A list is empty if the side does not state it.
        ///
        /// A peer may offer values that the library does not support.
        public struct Offer: Sendable, Hashable {
            public let versions: [TLSProtocolVersion]
            public let cipherSuites: [TLSCipherSuite]
            public let groups: [TLSNamedGroup]
            public let signatureSchemes: [TLSSignatureScheme]
            public let applicationProtocols: [String]

            package init(_ offer: TLSOffer) {
                self.versions = offer.versions.map(TLSProtocolVersion.init(codePoint:))
                self.cipherSuites = offer.cipherSuites.map(TLSCipherSuite.init(codePoint:))
                self.groups = offer.groups.map(TLSNamedGroup.init(codePoint:))
                self.signatureSchemes = offer.signatureAlgorithms.map(TLSSignatureScheme.init(codePoint:))
                self.applicationProtocols = offer.applicationProtocols
            }
        }

        /// The parameter on which the two sides do not agree; nil if the peer does not report it.
        public let parameter: Parameter?
        /// The offer of this side. At a server, and for a client's signatures, only the part that can be used with the identity's key and the
        /// version that was chosen.
        public let own: Offer
        /// At a server, the client's offer. At a client, the server's choice as far as it was received, and the signature schemes of its
        /// certificate request; nil if the server refused the offer without stating its own, as most do.
        public let peer: Offer?

        package init(_ negotiation: FailedNegotiation) {
            self.parameter =
                switch negotiation.subject {
                case .versions: .version
                case .cipherSuites: .cipherSuite
                case .groups, .curveOfKey: .group
                case .signatureAlgorithms, .clientSignatureAlgorithms: .signatureScheme
                case .applicationProtocols: .applicationProtocol
                case .unknown: nil
                }
            self.own = Offer(negotiation.own)
            self.peer = negotiation.peer.map(Offer.init)
        }
    }
}
