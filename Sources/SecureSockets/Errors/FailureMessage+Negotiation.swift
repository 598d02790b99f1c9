import TLSEngine

extension FailureMessage {
    /// Describes the parameter on which the two sides do not agree.
    ///
    /// - Parameter name: The alert, or BoringSSL's reason.
    init(_ negotiation: FailedNegotiation, _ name: String, _ role: TLSSettings.Role) {
        switch (negotiation.cause, negotiation.peer) {
        case (.unacceptableChoice, let choice?): self.init(choice, unacceptableIn: negotiation, name)
        case (.nothingInCommon, let peer?) where role == .client: self.init(certificateRequest: peer, negotiation, name)
        case (.nothingInCommon, let peer?): self.init(hello: peer, negotiation, name)
        case (.refusedByPeer, _?): self.init(refusedChoiceIn: negotiation, name)
        case (_, nil): self.init(negotiation.own, refused: negotiation.subject, name)
        }
    }

    // MARK: At a server

    /// Describes a client's hello in which this server finds nothing that it can use.
    private init(hello peer: TLSOffer, _ negotiation: FailedNegotiation, _ name: String) {
        let own = negotiation.own
        func lists(_ what: String, _ list: (TLSOffer) -> NegotiatedNames, _ have: String) -> String {
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
                    ? "Use an identity (`TLSIdentity`) with a key of another kind, which the client's suites are for"
                    : "Add one of the client's suites to `TLSParameters.tls12CipherSuites`, or have the client offer one of this server's"
            )
        case .groups:
            self.init(
                lists("key exchange group", \.groupNames, ""),
                "Add one of the client's groups to `TLSParameters.groups`, or have the client offer one of this server's")
        case .signatureAlgorithms:
            self.init(
                lists("signature algorithm", \.signatureAlgorithmNames, key),
                "Use an identity (`TLSIdentity`) with a key of another kind, or have the client offer one of these algorithms")
        case .curveOfKey:
            self.init(
                "its groups (\(peer.groupNames.listed)) do not include the curve of this server's key"
                    + (negotiation.ownKey.map { " (\($0))" } ?? "") + " (\(name))",
                "Use an identity (`TLSIdentity`) with an RSA key or one on a curve that the client has")
        case .applicationProtocols:
            self.init(
                lists("application protocol", \.protocolNames, ""),
                peer.applicationProtocols.isEmpty
                    ? "Have the client offer one of this server's, or set `TLSParameters.requiresApplicationProtocol` to false"
                    : "Add one of the client's protocols to `TLSParameters.applicationProtocols`, or have the client offer one of this "
                        + "server's"
            )
        case .clientSignatureAlgorithms, .unknown:
            self.init("there is nothing in common with what it offers (\(name))")
        }
    }

    /// Describes a client that refuses what this server has chosen of its offer.
    private init(refusedChoiceIn negotiation: FailedNegotiation, _ name: String) {
        let (peer, chosen) = (negotiation.peer ?? TLSOffer(), negotiation.chosen ?? TLSOffer())
        let all = chosen.versionNames.shown + chosen.cipherSuiteNames.shown + chosen.groupNames.shown
        func text(_ refusal: String, _ choice: [String], _ offer: String? = nil) -> String {
            "\(refusal) (\(name))" + (choice.isEmpty ? "" : ": \(choice.joined(separator: ", "))")
                + (offer.map { "; it had offered \($0)" } ?? "")
        }
        let description =
            switch negotiation.subject {
            case .versions:
                text("it does not accept the version of TLS that was chosen", chosen.versionNames.shown, peer.versionNames.listed)
            case .cipherSuites:
                text(
                    "it requires stronger cryptography than was chosen", all,
                    "suites \(peer.cipherSuiteNames.listed); groups \(peer.groupNames.listed)")
            case .applicationProtocols:
                text(
                    "it does not accept the application protocol that was chosen", chosen.protocolNames.shown,
                    peer.protocolNames.listed
                )
            default:
                text(
                    "it does not accept what this server has chosen"
                        + (negotiation.hasRequestedCertificate ? ", has no certificate for this server's request" : "")
                        + ", or refuses for another reason", all)
            }
        self.init(description, "The client's log may say more")
    }

    // MARK: At a client

    /// Describes a server's choice that this client does not accept.
    private init(_ choice: TLSOffer, unacceptableIn negotiation: FailedNegotiation, _ name: String) {
        let own = negotiation.own
        let version = choice.versionNames.shown.first ?? "this version of TLS"
        func text(_ what: String, _ chosen: NegotiatedNames, _ offered: NegotiatedNames) -> String {
            "it chose the \(what) \(chosen.listed), which was not offered (\(name)): this client offers \(offered.listed)"
        }
        func advice(_ option: String, isSupported: Bool) -> String {
            "Update the server: it must choose from what is offered (RFC 8446 §4.1.3)"
                + (isSupported ? ", or add the value to `TLSParameters.\(option)`" : "")
        }
        switch negotiation.subject {
        case .versions:
            self.init(
                "it chose \(choice.versionNames.listed), which is not allowed here (\(name)): this client has \(own.versionNames.listed)",
                Self.versionAdvice(choice))
        case .cipherSuites:
            let offered = own.suites(of: choice.versions.first)
            let isOffered = Set(choice.cipherSuites).isSubset(of: offered.cipherSuites)
            self.init(
                isOffered
                    ? "it chose the cipher suite \(choice.cipherSuiteNames.listed) for \(version) after another one (\(name))"
                    : text("cipher suite", choice.cipherSuiteNames, offered.cipherSuiteNames)
                        + (offered == own ? "" : " for \(version)"),
                advice("tls12CipherSuites", isSupported: !isOffered && choice.canBeAddedToTLS12))
        case .groups:
            let isOffered = Set(choice.groups).isSubset(of: own.groups)
            let isSupported = choice.groups.contains { TLSGroup(rawValue: $0) != nil }
            let group = choice.groupNames.listed
            self.init(
                !isOffered
                    ? text("key exchange group", choice.groupNames, own.groupNames)
                    : negotiation.asksForGroup
                        ? "it asked for a key share of the group \(group), which it had been sent (\(name))"
                        : "it chose the key exchange group \(group), of which it had not been sent a key share (\(name))",
                advice("groups", isSupported: !isOffered && isSupported))
        case .signatureAlgorithms:
            let isOffered = Set(choice.signatureAlgorithms).isSubset(of: own.signatureAlgorithms)
            let algorithm = choice.signatureAlgorithmNames.listed
            let key = negotiation.peerKey.map { " (\($0))" } ?? ""
            self.init(
                isOffered
                    ? "it signed with \(algorithm), which cannot be used with its key\(key) and \(version) (\(name))"
                    : "it signed with \(algorithm), which was not offered (\(name)): this client offers "
                        + "\(own.signatureAlgorithmNames.listed)",
                "Update the server, or have it use a certificate with another key: it must sign with an algorithm that is offered "
                    + "(RFC 8446 §4.4.3)")
        case .curveOfKey:
            self.init(
                "the key of its certificate (\(negotiation.peerKey ?? "unknown")) is on a curve that was not offered (\(name)): this client "
                    + "offers \(own.groupNames.listed)",
                "Add the curve to `TLSParameters.groups`, or have the server use a certificate with an RSA key or one on a curve that is "
                    + "offered")
        case .applicationProtocols where choice.applicationProtocols.isEmpty:
            self.init(
                "it chose no application protocol (\(name)): this client requires one of \(own.protocolNames.listed)",
                "Have the server support one of them, or set `TLSParameters.requiresApplicationProtocol` to false")
        case .applicationProtocols:
            self.init(
                text("application protocol", choice.protocolNames, own.protocolNames),
                "Update the server, or add the protocol to `TLSParameters.applicationProtocols`")
        case .clientSignatureAlgorithms, .unknown: self.init("it chose what was not offered (\(name))")
        }
    }

    /// Describes a request for a client certificate that this client's key does not fit.
    private init(certificateRequest peer: TLSOffer, _ negotiation: FailedNegotiation, _ name: String) {
        self.init(
            "it asks for a client certificate, and accepts none with a key of the kind that this client has (\(name)): it accepts "
                + "\(peer.signatureAlgorithmNames.listed), and this client has \(negotiation.own.signatureAlgorithmNames.listed), for its "
                + "key (\(negotiation.ownKey ?? "unknown"))",
            "Use an identity (`TLSIdentity`) with a key for one of these algorithms, or have the server accept this client's")
    }

    /// Describes the refusal of a server that does not report what it supports.
    private init(_ own: TLSOffer, refused subject: FailedNegotiation.Subject, _ name: String) {
        switch subject {
        case .versions:
            self.init(
                "it speaks no version of TLS that was offered (\(name)): \(own.versionNames.listed)",
                own.versions.count > 1 ? "Update the server" : "Add the other version of TLS to `TLSParameters.versions`")
        case .cipherSuites:
            self.init(
                "it requires a stronger cipher suite, group or key than was offered (\(name)): suites \(own.cipherSuiteNames.listed); "
                    + "groups \(own.groupNames.listed)",
                "Add what the server requires to `TLSParameters.tls12CipherSuites` or `TLSParameters.groups`")
        case .applicationProtocols where own.applicationProtocols.isEmpty:
            self.init(
                "it requires an application protocol, and none was offered (\(name))",
                "Add a protocol that the server speaks to `TLSParameters.applicationProtocols`")
        case .applicationProtocols:
            self.init(
                "it speaks none of the application protocols offered (\(name)): \(own.protocolNames.listed)",
                "Add a protocol that the server speaks to `TLSParameters.applicationProtocols`, or offer none")
        case .groups, .signatureAlgorithms, .curveOfKey, .clientSignatureAlgorithms, .unknown:
            self.init(
                "it does not say why; probably it has nothing in common with what was offered (\(name)): "
                    + "\(own.versionNames.listed); suites \(own.cipherSuiteNames.listed); groups \(own.groupNames.listed); "
                    + "signatures \(own.signatureAlgorithmNames.listed)",
                "Compare this with what the server allows; its log may say more. What is offered is set by `TLSParameters.versions`, "
                    + "`tls12CipherSuites` and `groups`")
        }
    }

    private static func versionAdvice(_ peer: TLSOffer) -> String {
        // TLS 1.0 and 1.1 are prohibited (RFC 8996).
        peer.versions.contains { (0x0303...0x0304).contains($0) }
            ? "Add one of its versions to `TLSParameters.versions`, or update the peer"
            : "Update the peer: it must have TLS 1.2 or 1.3 (RFC 8996)"
    }
}

extension TLSOffer {
    fileprivate var versionNames: NegotiatedNames { NegotiatedNames(self.versions, TLSNames.version) }
    fileprivate var cipherSuiteNames: NegotiatedNames { NegotiatedNames(self.cipherSuites, TLSNames.cipherSuite) }
    fileprivate var groupNames: NegotiatedNames { NegotiatedNames(self.groups, TLSNames.group) }
    fileprivate var signatureAlgorithmNames: NegotiatedNames {
        NegotiatedNames(self.signatureAlgorithms, TLSNames.signatureAlgorithm)
    }
    fileprivate var protocolNames: NegotiatedNames { NegotiatedNames(self.applicationProtocols) { "\"\($0)\"" } }

    /// Returns the offer with the suites that this version can use; all suites if it has none.
    fileprivate func suites(of version: UInt16?) -> TLSOffer {
        guard let version = version.flatMap(TLSVersion.init) else { return self }
        return self.of(version)
    }

    /// Whether its cipher suite is one of TLS 1.2 that the library supports.
    fileprivate var canBeAddedToTLS12: Bool {
        self.cipherSuites.contains { !TLSCipherSuite(codePoint: $0).isOfTLS13 && CipherSuites.openSSLName(of: $0) != nil }
    }
}

/// The names of negotiated values, of which the first eight are shown. A client may offer thousands, which are therefore not named.
private struct NegotiatedNames {
    private static let mostShown = 8

    let shown: [String]
    private let count: Int

    init<Value>(_ values: [Value], _ name: (Value) -> String) {
        self.shown = values.prefix(Self.mostShown).map(name)
        self.count = values.count
    }

    /// The names that are shown, and the number of the others.
    var listed: String {
        if self.count == 0 { return "none" }
        let names = self.shown.map(\.abbreviatedForDisplay).joined(separator: ", ")
        return self.count > Self.mostShown ? "\(names) and \(self.count - Self.mostShown) more" : names
    }
}
