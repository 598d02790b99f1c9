import TLSEngine

extension FailureMessage {
    /// Describes the parameter for which the two sides have no common value.
    ///
    /// - Parameter name: The alert, or BoringSSL's reason.
    init(_ negotiation: FailedNegotiation, _ name: String, _ role: TLSSettings.Role) {
        let (own, peer) = (negotiation.own, negotiation.peer)
        guard let peer else {
            self.init(own, refused: negotiation.subject, name)
            return
        }
        if role == .client {
            self.init(
                "it chose \(peer.versionNames.listed), which is not allowed here (\(name)): this client has \(own.versionNames.listed)",
                Self.versionAdvice(peer))
            return
        }
        func lists(_ what: String, _ list: (TLSOffer) -> [String], _ have: String) -> String {
            "it offers no \(what) that this server has (\(name)): it offers \(list(peer).listed), and this server has \(list(own).listed)\(have)"
        }
        let key = negotiation.ownKey.map { ", for its key (\($0))" } ?? ""
        switch negotiation.subject {
        case .versions:
            self.init(lists("version of TLS", \.versionNames, ""), Self.versionAdvice(peer))
        case .cipherSuites:
            self.init(
                lists("cipher suite", \.cipherSuiteNames, key),
                negotiation.hasSuitesForOtherKeys
                    ? "Use a certificate with a key of another kind, which the client's suites are for"
                    : "Allow one of the client's suites in the configuration, or have the client offer one of this server's")
        case .groups:
            self.init(
                lists("key exchange group", \.groupNames, ""),
                "Add one of the client's groups to the configuration, or have the client offer one of this server's")
        case .signatureAlgorithms:
            self.init(
                lists("signature algorithm", \.signatureAlgorithmNames, key),
                "Use a certificate with a key of another kind, or have the client offer one of these algorithms")
        case .curveOfKey:
            self.init(
                "its groups (\(peer.groupNames.listed)) do not include the curve of this server's key"
                    + (negotiation.ownKey.map { " (\($0))" } ?? "") + " (\(name))",
                "Use a certificate with an RSA key or one on a curve that the client has")
        case .applicationProtocols:
            self.init(
                lists("application protocol", \.protocolNames, ""),
                "Add one of the client's protocols (ALPN) to the configuration, or have the client offer one of this server's")
        case .unknown:
            self.init("there is nothing in common with what it offers (\(name))")
        }
    }

    /// Describes the refusal of a server that does not report what it supports.
    private init(_ own: TLSOffer, refused subject: FailedNegotiation.Subject, _ name: String) {
        switch subject {
        case .versions:
            self.init(
                "it speaks no version of TLS that was offered (\(name)): \(own.versionNames.listed)",
                own.versions.count > 1 ? "Update the server" : "Allow the other version of TLS in the configuration")
        case .cipherSuites:
            self.init(
                "it requires a stronger cipher suite, group or key than was offered (\(name)): suites \(own.cipherSuiteNames.listed); "
                    + "groups \(own.groupNames.listed)", "Allow what the server requires in the configuration")
        case .applicationProtocols:
            self.init(
                "it speaks none of the application protocols offered (\(name)): \(own.protocolNames.listed)",
                "Offer a protocol (ALPN) that the server speaks, or none")
        case .groups, .signatureAlgorithms, .curveOfKey, .unknown:
            self.init(
                "it does not say why; probably it has nothing in common with what was offered (\(name)): "
                    + "\(own.versionNames.listed); suites \(own.cipherSuiteNames.listed); groups \(own.groupNames.listed); "
                    + "signatures \(own.signatureAlgorithmNames.listed)",
                "Compare this with what the server allows; its log may say more")
        }
    }

    private static func versionAdvice(_ peer: TLSOffer) -> String {
        // TLS 1.0 and 1.1 are prohibited (RFC 8996).
        peer.versions.contains { (0x0303...0x0304).contains($0) }
            ? "Allow one of its versions in the configuration, or update the peer"
            : "Update the peer: it must have TLS 1.2 or 1.3 (RFC 8996)"
    }
}

extension TLSOffer {
    fileprivate var versionNames: [String] { self.versions.map(TLSNames.version) }
    fileprivate var cipherSuiteNames: [String] { self.cipherSuites.map(TLSNames.cipherSuite) }
    fileprivate var groupNames: [String] { self.groups.map(TLSNames.group) }
    fileprivate var signatureAlgorithmNames: [String] { self.signatureAlgorithms.map(TLSNames.signatureAlgorithm) }
    fileprivate var protocolNames: [String] { self.applicationProtocols.map { "\"\($0)\"" } }
}

extension [String] {
    /// A list of negotiated values: at most eight, and the number of the others.
    fileprivate var listed: String {
        if self.isEmpty { return "none" }
        let shown = self.prefix(8).map(\.abbreviatedForDisplay).joined(separator: ", ")
        return self.count > 8 ? "\(shown) and \(self.count - 8) more" : shown
    }
}
