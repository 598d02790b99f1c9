import TLSEngine

/// A rule that admits or rejects a peer during the handshake, after its certificate chain was verified.
///
/// ```swift
/// let isService = PeerRule { peer in
///     if peer.certificate.uris.isEmpty { throw TLSRejection("the certificate has no URI") }
/// }
/// let clients = try TLSServerConfiguration.ClientAuthentication.required(
///     trust: .only("clients-ca.pem"), allow: .all(isService, .dnsName(in: ["worker.example.org"])))
/// ```
///
/// The handshake waits for the rule, for at most its own time limit. A rule runs as a task of its own, which is cancelled when the
/// handshake ends. If it throws, the handshake fails: the peer receives the alert of a ``TLSRejection``, or `access_denied` for any other
/// error, and this side's error has the code `rejected` with the first 256 characters of the reason. Its blame is `peer` for a
/// ``TLSRejection``, and `caller` for any other error. A server runs the rule also for a client that resumes a session; if
/// the rule rejects it, a full handshake follows. A client with a rule does not resume sessions.
///
/// - Important: When a rule runs, the peer has not yet proved that it has the certificate's private key, or the resumed session's secret.
///   TLS verifies certificates before that proof (RFC 8446 §4.4.3, RFC 5246 §7.4.8). The handshake fails without it, but every peer that has
///   seen a certificate can make the rule run with it. A rule must therefore have no effect that counts as a login of the peer: it must not
///   write an audit entry as one, count against the peer's limits, or use up a token. Do that when the handshake is complete, with
///   ``ConnectionInformation/peerCertificate``.
public struct PeerRule: Sendable {
    let decide: @Sendable (VerifiedPeer) async throws -> Void

    /// Creates a rule.
    ///
    /// - Parameter decide: A function that throws to reject the peer.
    public init(_ decide: @escaping @Sendable (VerifiedPeer) async throws -> Void) {
        self.decide = decide
    }

    /// Admits a peer whose certificate is an X.509-SVID of a SPIFFE trust domain: it has exactly one URI, a SPIFFE ID of the domain
    /// (SPIFFE X509-SVID §2), and it is not an authority's (§4).
    ///
    /// - Warning: In a federation, whose trust has the authorities of several trust domains, give `authorities`. Without them, the
    ///   authority of any of these domains can issue an ID of every other.
    ///
    /// - Parameters:
    ///   - trustDomain: The trust domain, for example `example.org`.
    ///   - paths: The permitted paths, for example `/billing/api`. A path that ends in `/*` permits all paths below it. Empty permits every
    ///     path. Default: empty.
    ///   - authorities: The authorities of the trust domain (its bundle). The verified chain must end in one of them. Default: nil; it may
    ///     end in any that the configuration trusts. An empty list admits no peer.
    public static func spiffe(
        trustDomain: String, paths: [String] = [], authorities: [TLSCertificate]? = nil
    ) -> PeerRule {
        let authorities = authorities.map { Set($0.map(\.derBytes)) }
        return PeerRule { peer in
            guard !peer.certificate.decoded.isForSigning else {
                throw TLSRejection("the certificate \"\(peer.certificate.subject)\" is that of an authority")
            }
            if let authorities, !authorities.contains(peer.verifiedChain.last?.derBytes ?? []) {
                throw TLSRejection("the chain does not end in an authority of the trust domain \(trustDomain)")
            }
            let uris = peer.certificate.uris
            guard let uri = uris.first, uris.count == 1, let id = SPIFFEID(uri) else {
                throw TLSRejection("the certificate \"\(peer.certificate.subject)\" has no SPIFFE ID, or other URIs beside it")
            }
            guard id.trustDomain.utf8.elementsEqual(trustDomain.lowercasedASCII.utf8) else {
                throw TLSRejection("\(uri) is not of the trust domain \(trustDomain)")
            }
            guard paths.isEmpty || paths.contains(where: id.hasPath) else {
                throw TLSRejection("\(uri) is none of the permitted paths")
            }
        }
    }

    /// Admits a peer whose certificate has one of these DNS names. They are compared byte by byte, without regard to the case of ASCII's
    /// letters, and wildcards of the certificate are not expanded. Names that are not of ASCII match nothing; write an internationalized
    /// name as the certificate has it, in Punycode (RFC 5890).
    public static func dnsName(in names: Set<String>) -> PeerRule {
        let names = Set(names.filter(\.isASCII).map(ServerNames.normalized))
        return PeerRule { peer in
            guard peer.certificate.dnsNames.contains(where: { $0.isASCII && names.contains(ServerNames.normalized($0)) }) else {
                throw TLSRejection(
                    "none of the certificate's DNS names (\(peer.certificate.dnsNames.listedForDisplay)) is permitted")
            }
        }
    }

    /// Admits a peer whose certificate has one of these e-mail addresses. They are compared byte by byte, the domain without regard to the
    /// case of ASCII's letters (RFC 5280 §7.5). Addresses that are not of ASCII match nothing.
    public static func emailAddress(in addresses: Set<String>) -> PeerRule {
        let addresses = Set(addresses.filter(\.isASCII).map(normalizedEmailAddress))
        return PeerRule { peer in
            let own = peer.certificate.emailAddresses
            guard own.contains(where: { $0.isASCII && addresses.contains(normalizedEmailAddress($0)) }) else {
                throw TLSRejection("none of the certificate's e-mail addresses (\(own.listedForDisplay)) is permitted")
            }
        }
    }

    /// Admits a peer if a certificate of its verified chain has one of two public keys (RFC 7469 §2.6). If nothing is verified, the key must
    /// be that of the peer's own certificate.
    ///
    /// - Parameters:
    ///   - pin: The SHA-256 digest of a `SubjectPublicKeyInfo`, in base64, as of ``TLSCertificate/publicKeyPin``.
    ///   - backup: The pin of a key that is kept elsewhere, for the day on which the first one is lost.
    public static func publicKey(pin: String, backup: String) -> PeerRule {
        PeerRule { peer in
            let chain = peer.verifiedChain.isEmpty ? [peer.certificate] : peer.verifiedChain
            guard chain.contains(where: { [pin, backup].contains($0.publicKeyPin) }) else {
                throw TLSRejection("no certificate of the chain has a pinned public key")
            }
        }
    }

    /// Admits a peer that all rules admit. They run one after another.
    public static func all(_ rules: PeerRule...) -> PeerRule {
        PeerRule { peer in for rule in rules { try await rule.decide(peer) } }
    }

    /// Admits a peer that one of the rules admits. They run one after another. If none admits it, the first error applies that is not a
    /// ``TLSRejection``, because that rule was unable to decide; otherwise the last one.
    public static func any(_ rules: PeerRule...) -> PeerRule {
        PeerRule { peer in
            var failure: any Error = TLSRejection("there is no rule")
            for rule in rules {
                do {
                    return try await rule.decide(peer)
                } catch {
                    if failure is TLSRejection { failure = error }
                }
            }
            throw failure
        }
    }
}

extension PeerRule {
    /// The rule in the engine's terms.
    var decision: PeerDecision {
        let decide = self.decide
        return { evidence, address in
            guard let peer = VerifiedPeer(evidence, at: address) else {
                return .refuse(ProgramRefusal(TLSRejection("no certificate")))
            }
            do {
                try await decide(peer)
                return .accept
            } catch {
                return .refuse(ProgramRefusal(error))
            }
        }
    }
}

extension ProgramRefusal {
    /// - Parameter alert: The alert for errors that have none.
    init(_ error: any Error, alert: TLSAlert = .accessDenied) {
        let rejection = error as? TLSRejection
        let alert = rejection?.alert ?? alert
        self.init(
            alert: AlertDescription(code: (alert.endsConnection ? alert : .accessDenied).codePoint),
            reason: rejection?.reason ?? "\(error)", isFailureToDecide: rejection == nil)
    }
}

extension TLSAlert {
    /// Whether the alert is an error. The others are `close_notify`, `user_canceled` and, with TLS 1.2, `no_renegotiation`, which is always
    /// a warning (RFC 8446 §6, RFC 5246 §7.2.2). BoringSSL does not permit a failure with `close_notify`.
    fileprivate var endsConnection: Bool { ![0, 90, 100].contains(self.codePoint) }
}

/// A SPIFFE ID: `spiffe://trust-domain/path`, without port, query and fragment (SPIFFE-ID §2).
private struct SPIFFEID {
    let trustDomain: String
    /// Begins with a slash.
    let path: String

    init?(_ uri: String) {
        let scheme = "spiffe://"
        guard uri.isASCII, uri.lowercasedASCII.hasPrefix(scheme) else { return nil }
        let rest = uri.dropFirst(scheme.count)
        let domain = rest.prefix { $0 != "/" }
        // Neither percent-encoding nor any other character that could hide a dot or a slash.
        guard !domain.isEmpty, uri.utf8.count <= 2048, rest.utf8.allSatisfy({ Self.isPermitted($0) }) else { return nil }
        self.trustDomain = String(domain).lowercasedASCII
        self.path = String(rest.dropFirst(domain.count))
        let segments = self.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        // The identity of a workload has a path. One without is that of the trust domain itself.
        if segments.isEmpty || segments.contains(where: { ["", ".", ".."].contains($0) }) { return nil }
    }

    private static func isPermitted(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    func hasPath(_ permitted: String) -> Bool {
        permitted.hasSuffix("/*")
            ? self.path.utf8.starts(with: permitted.utf8.dropLast()) : self.path.utf8.elementsEqual(permitted.utf8)
    }
}

private func normalizedEmailAddress(_ address: String) -> String {
    guard let at = address.lastIndex(of: "@") else { return address }
    return address[..<at] + String(address[at...]).lowercasedASCII
}
