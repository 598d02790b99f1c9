import DevelopmentCertificates
import Foundation
import SecureSockets
import SecureSocketsTesting
import TLSEngine
import TestSupport
import Testing

// One after the other: a hundred handshakes at a time, not optimised, would keep all other tests waiting.
@Suite(.serialized, .timeLimit(.minutes(5))) struct Verification {
    // MARK: The table

    @Test(arguments: VerificationRow.chains + VerificationRow.names, TLSProtocolVersion.allCases)
    func `a client refuses a server's`(_ row: VerificationRow, over version: TLSProtocolVersion) async throws {
        let shown = try row.show(.server)
        let encounter = try await Encounter(
            of: TLSClientConfiguration(
                trust: shown.trust, serverName: row.serverName, parameters: .init(version, depth: shown.depth)),
            with: TLSServerConfiguration(identity: shown.identity))

        row.expect(try #require(await encounter.clientRefusal), from: .handshake)

        let server = try #require(encounter.serverRefusal)
        #expect(server.code == .alertReceived)
        #expect(server.alert?.description == row.alert)
        #expect(server.blame == .peer)
        #expect(server.step == .handshake)
    }

    @Test(arguments: VerificationRow.chains, TLSProtocolVersion.allCases)
    func `a server refuses a client's`(_ row: VerificationRow, over version: TLSProtocolVersion) async throws {
        let shown = try row.show(.client)
        let own = try TestCertificates.shared.get()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: own.trust, identity: shown.identity, parameters: .init(version)),
            with: TLSServerConfiguration(
                identity: own.serverIdentity, clients: .optional(trust: shown.trust), parameters: .init(depth: shown.depth)))

        row.expect(try #require(encounter.serverRefusal), from: .handshake)

        // With TLS 1.3 the client's handshake is complete before the server has seen its certificate.
        let client = try #require(await encounter.clientRefusal)
        #expect(client.code == .alertReceived)
        #expect(client.alert?.description == row.alert)
        #expect(client.blame == .peer)
        #expect(client.step == (version == .tls12 ? .handshake : .receiving))
    }

    @Test func `names with control characters, and many of them, are escaped and cut in messages`() async throws {
        let (identity, pem) = try OddCertificate.withControlCharacters()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: .only(.text(pem)), serverName: "localhost"),
            with: TLSServerConfiguration(identity: identity))
        let refusal = try #require(await encounter.clientRefusal)
        let problem = try #require(refusal.certificateProblem)
        #expect(
            problem.description
                == "the peer's certificate (CN=a\\u{9b}2J\\u{202e}z) is not for localhost "
                + "but for a\\u{a}b\\u{1b}[2J.example, 1.example, 2.example, 3.example and 146 more")
        #expect(refusal.message.hasSuffix(problem.description))
        // For programs they are as they are.
        #expect(problem.certificate?.subject == "CN=a\u{9b}2J\u{202e}z")
        #expect(problem.certificate?.dnsNames.first == "a\nb\u{1b}[2J.example")
        #expect(problem.certificate?.dnsNames.count == 150)

        let stranger = try await Encounter(
            of: TestCertificates.shared.get().clientConfiguration(), with: TLSServerConfiguration(identity: identity))
        let untrusted = try #require(await stranger.clientRefusal)
        #expect(untrusted.description.unicodeScalars.allSatisfy { !$0.isUnsafeForDisplay })
    }

    // MARK: What is accepted

    @Test(
        arguments: [
            (["www.example.org"], "www.example.org"),
            (["www.example.org"], "WWW.Example.ORG"),
            (["www.example.org"], "www.example.org."),
            (["*.example.org"], "www.example.org"),
            (["other.example.org", "www.example.org"], "www.example.org"),
            (["127.0.0.1"], "127.0.0.1"),
            (["192.0.2.1"], "192.0.2.1"),
            (["2001:db8::1"], "2001:db8:0:0::1"),
            (["2001:db8::1"], "[2001:db8::1]"),
        ], TLSProtocolVersion.allCases)
    func `a certificate for these names is one for that host`(
        _ row: (names: [String], host: String), over version: TLSProtocolVersion
    ) async throws {
        let authority = try CertificateAuthority.root()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: authority.trust, serverName: row.host, parameters: .init(version)),
            with: TLSServerConfiguration(identity: TLSIdentity(authority.issue(commonName: "server", names: row.names))))

        let client = try encounter.client.get()
        #expect(client.information.version == version)
        #expect(client.information.verifiedChainLength == 2)
        // An address is never sent as a server name (RFC 6066 §3).
        let isName = row.host.lowercased().hasPrefix("www")
        #expect(try (encounter.server.get().information.serverName != nil) == isName)
    }

    @Test(.enabled(if: hasIPv6Loopback, "this machine has no ::1"))
    func `an IPv6 literal is compared with the certificate's address`() async throws {
        let authority = try CertificateAuthority.root()
        let right = try authority.issue(commonName: "right", names: ["::1"])
        let wrong = try authority.issue(commonName: "wrong", names: ["::2", "127.0.0.1", "localhost"])

        let good = try await Encounter(
            of: TLSClientConfiguration(trust: authority.trust), with: TLSServerConfiguration(identity: TLSIdentity(right)),
            at: "::1")
        #expect(try good.client.get().information.verifiedChainLength == 2)

        let bad = try await Encounter(
            of: TLSClientConfiguration(trust: authority.trust), with: TLSServerConfiguration(identity: TLSIdentity(wrong)),
            at: "::1")
        let problem = try #require(await bad.clientRefusal?.certificateProblem)
        #expect(problem.kind == .wrongAddress)
        #expect(problem.expectedName == "::1")
    }

    @Test func `the name that was connected to is the one that is checked`() async throws {
        let certificates = try TestCertificates.shared.get()
        let listener = try await SecureListener.bind(
            port: 0, tls: certificates.serverConfiguration(), options: .patient, listening: .patient)
        async let accepted = listener.accept(timeout: Encounter.patience)
        let socket = try await SecureSocket.connect(
            to: "localhost", port: listener.localEndpoint.port, tls: certificates.clientConfiguration())
        #expect(socket.information.serverName == "localhost")
        #expect(try await accepted.information.serverName == "localhost")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a chain with two intermediates leads to its root, at both ends`(
        over version: TLSProtocolVersion
    ) async throws {
        let root = try CertificateAuthority.root(commonName: "root")
        let issuer = try root.intermediate(commonName: "upper", pathLength: 1)
            .intermediate(commonName: "lower", pathLength: 0)
        let server = try TLSIdentity(issuer.issue(commonName: "server", names: ["127.0.0.1"]))
        let client = try TLSIdentity(issuer.issue(commonName: "client", purposes: [.client]))
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: root.trust, identity: client, parameters: .init(version)),
            with: TLSServerConfiguration(identity: server, clients: .required(trust: root.trust)))

        let seenByClient = try encounter.client.get().information
        #expect(seenByClient.peerCertificates.map(\.subject) == ["CN=server", "CN=lower", "CN=upper"])
        #expect(seenByClient.verifiedChainLength == 4)
        let seenByServer = try encounter.server.get().information
        #expect(seenByServer.peerCertificates.map(\.subject) == ["CN=client", "CN=lower", "CN=upper"])
        #expect(seenByServer.verifiedChainLength == 4)
    }

    @Test func `a self-signed certificate is good where it is trusted itself`() async throws {
        let server = try CertifiedKey.selfSigned()
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: .only(.text(server.certificatePEM)), parameters: .init(depth: 0)),
            with: TLSServerConfiguration(identity: TLSIdentity(server)))
        #expect(try encounter.client.get().information.verifiedChainLength == 1)
    }

    @Test func `without the name's check any certificate of a trusted authority will do`() async throws {
        let authority = try CertificateAuthority.root()
        let server = try TLSIdentity(authority.issue(commonName: "server", names: ["elsewhere.example"]))
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: authority.trust, verification: .chainOnly),
            with: TLSServerConfiguration(identity: server))
        #expect(try encounter.client.get().information.verifiedChainLength == 2)

        let stranger = try await Encounter(
            of: TLSClientConfiguration(trust: CertificateAuthority.root().trust, verification: .chainOnly),
            with: TLSServerConfiguration(identity: server))
        #expect(await stranger.clientRefusal?.code == .certificateVerificationFailed)
    }

    @Test func `without any check everybody is believed, and the information says that nothing was verified`() async throws {
        let server = try CertifiedKey.selfSigned(names: ["elsewhere.example"], validity: .expired)
        let encounter = try await Encounter(
            of: TLSClientConfiguration(verification: .dangerouslyNone),
            with: TLSServerConfiguration(identity: TLSIdentity(server)))
        let information = try encounter.client.get().information
        #expect(information.verifiedChainLength == nil)
        #expect(information.peerCertificates.map(\.subject) == ["CN=localhost"])
    }

    // MARK: Depth (specification §5: the trusted end of the chain stands at this position at most)

    @Test(arguments: [0, 1, 2], [0, 1, 2])
    func `the root may stand as high as the depth`(depth: Int, intermediates: Int) async throws {
        let root = try CertificateAuthority.root(commonName: "root")
        var issuer = root
        for number in 0..<intermediates { issuer = try issuer.intermediate(commonName: "intermediate \(number)") }
        let server = try TLSIdentity(issuer.issue(commonName: "server", names: ["127.0.0.1"]))
        let client = try TLSIdentity(issuer.issue(commonName: "client", purposes: [.client]))
        let position = intermediates + 1

        let verifying = try await Encounter(
            of: TLSClientConfiguration(trust: root.trust, parameters: .init(depth: depth)),
            with: TLSServerConfiguration(identity: server))
        let verified = try await Encounter(
            of: TLSClientConfiguration(trust: root.trust, identity: client),
            with: TLSServerConfiguration(identity: server, clients: .required(trust: root.trust), parameters: .init(depth: depth))
        )
        let refusals = [await verifying.clientRefusal(ifAny: position > depth), verified.serverRefusal]

        for refusal in refusals {
            guard position > depth else {
                #expect(refusal == nil)
                continue
            }
            let problem = try #require(refusal?.certificateProblem)
            #expect(problem.kind == .chainTooLong)
            #expect(problem.depth == position)
            #expect(problem.certificate?.subject == "CN=root")
        }
    }

    @Test func `at depth 0 only a certificate that is trusted itself is good`() async throws {
        let root = try CertificateAuthority.root(commonName: "root")
        let issued = try root.issue(commonName: "server", names: ["127.0.0.1"])
        // The leaf itself stands among the trusted, but does not vouch for itself.
        let trust = try TLSTrust.only(.text(issued.certificatePEM))
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: trust, parameters: .init(depth: 0)),
            with: TLSServerConfiguration(identity: TLSIdentity(issued)))
        let refusal = try #require(await encounter.clientRefusal)
        #expect(refusal.certificateProblem?.kind == .issuerUnknown)
    }

    @Test(arguments: [0, 1, 2, 10])
    func `a trusted intermediate helps to build a chain and does not end it`(depth: Int) async throws {
        let root = try CertificateAuthority.root(commonName: "root")
        let intermediate = try root.intermediate(commonName: "intermediate")
        let leaf = try intermediate.issue(commonName: "server", names: ["127.0.0.1"])
        let alone = try TLSIdentity(certificateChain: .text(leaf.certificatePEM), privateKey: .text(leaf.privateKeyPEM))

        let ended = try await Encounter(
            of: TLSClientConfiguration(trust: intermediate.trust, parameters: .init(depth: depth)),
            with: TLSServerConfiguration(identity: alone))
        let refusal = try #require(await ended.clientRefusal)
        #expect(refusal.certificateProblem?.kind == .issuerUnknown)
        #expect(refusal.certificateProblem?.depth == 1)
        #expect(refusal.certificateProblem?.certificate?.subject == "CN=intermediate")

        let both = try TLSTrust.only(.text(intermediate.certificatePEM + root.certificatePEM))
        let built = try await Encounter(
            of: TLSClientConfiguration(trust: both, parameters: .init(depth: depth)),
            with: TLSServerConfiguration(identity: alone))
        if depth >= 2 {
            #expect(try built.client.get().information.verifiedChainLength == 3)
        } else {
            #expect(await built.clientRefusal?.certificateProblem?.kind == .chainTooLong)
        }
    }

    // MARK: Clients without a certificate

    @Test func `a client that only sends is told that it was refused, by the alert`() async throws {
        let certificates = try TestCertificates.shared.get()
        let encounter = try await Encounter(
            of: certificates.clientConfiguration(),
            with: TLSServerConfiguration(identity: certificates.serverIdentity, clients: .required(trust: certificates.trust)))
        let socket = try encounter.client.get()
        let error = await #expect(throws: SecureSocketError.self) {
            while true { try await socket.send("more", timeout: Encounter.patience) }
        }
        #expect(error?.code == .alertReceived)
        #expect(error?.alert?.description == "certificate_required")
        #expect(error?.step == .sending)
        // Once it has ended, it has ended in both directions, and for every call.
        let again = await #expect(throws: SecureSocketError.self) { try await socket.send("more") }
        #expect(again?.alert?.description == "certificate_required")
        let received = await #expect(throws: SecureSocketError.self) { _ = try await socket.receive() }
        #expect(received?.alert?.description == "certificate_required")
        let finished = await #expect(throws: SecureSocketError.self) { try await socket.closeWriting() }
        #expect(finished?.alert?.description == "certificate_required")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a client without the certificate that is required is told so`(over version: TLSProtocolVersion) async throws {
        let certificates = try TestCertificates.shared.get()
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0,
            tls: TLSServerConfiguration(identity: certificates.serverIdentity, clients: .required(trust: certificates.trust)),
            options: .patient)
        let (failures, continuation) = AsyncStream.makeStream(of: SecureSocketError.self)
        async let serving: Void = listener.serve(handshakeFailed: { error, _ in continuation.yield(error) }) { _ in
            Issue.record("a client was served that should not have been")
        }

        let atClient = await #expect(throws: SecureSocketError.self) {
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port,
                tls: certificates.clientConfiguration(parameters: .init(version)))
            _ = try await socket.receive(timeout: Encounter.patience)
        }
        #expect(atClient?.code == .alertReceived)
        #expect(atClient?.alert?.description == (version == .tls13 ? "certificate_required" : "handshake_failure"))
        #expect(atClient?.advice == "Give the configuration an identity that the server accepts")

        var reports = failures.makeAsyncIterator()
        let atServer = try #require(await reports.next())
        #expect(atServer.code == .protocolError)
        #expect(atServer.libraryReason == "PEER_DID_NOT_RETURN_A_CERTIFICATE")
        #expect(atServer.blame == .peer)
        #expect(atServer.step == .handshake)
        #expect(
            atServer.description.hasSuffix(
                ": it showed no certificate, and one is required. Give the client a certificate of an authority that this server trusts (CN=Test authority)"
            ))
        listener.close()
        try await serving
    }

    @Test(arguments: [false, true], TLSProtocolVersion.allCases)
    func `a client without a certificate is accepted where none is required`(
        isAsked: Bool, over version: TLSProtocolVersion
    ) async throws {
        let certificates = try TestCertificates.shared.get()
        let clients = isAsked ? TLSServerConfiguration.ClientAuthentication.optional(trust: certificates.trust) : .none
        let encounter = try await Encounter(
            of: certificates.clientConfiguration(parameters: .init(version)),
            with: TLSServerConfiguration(identity: certificates.serverIdentity, clients: clients))
        #expect(try encounter.server.get().information.peerCertificates.isEmpty)
        #expect(try encounter.client.get().information.verifiedChainLength == 2)
    }

    enum Asked: CaseIterable { case not, optionally, strictly }

    @Test(arguments: Asked.allCases, TLSProtocolVersion.allCases)
    func `a client's certificate is shown where it is asked for`(_ asked: Asked, over version: TLSProtocolVersion) async throws {
        let certificates = try TestCertificates.shared.get()
        let clients: TLSServerConfiguration.ClientAuthentication =
            switch asked {
            case .not: .none
            case .optionally: .optional(trust: certificates.trust)
            case .strictly: .required(trust: certificates.trust)
            }
        let encounter = try await Encounter(
            of: TLSClientConfiguration(
                trust: certificates.trust, identity: certificates.clientIdentity, parameters: .init(version)),
            with: TLSServerConfiguration(identity: certificates.serverIdentity, clients: clients))
        let seen = try encounter.server.get().information
        #expect(seen.peerCertificates.map(\.subject) == (asked == .not ? [] : ["CN=client"]))
        #expect(seen.verifiedChainLength == (asked == .not ? nil : 2))
    }
}

/// A chain that must be refused, and how the refusal reads.
struct VerificationRow: Sendable, CustomTestStringConvertible {
    /// What the peer shows, and what the verifier goes by.
    struct Shown {
        var identity: TLSIdentity
        var trust: TLSTrust
        var depth = 10
    }

    let testDescription: String
    let kind: CertificateProblem.Kind
    /// `X509_V_ERR_*`.
    let code: Int32
    let depth: Int
    let subject: String
    var expectedName: String?
    /// What the refused side is told (RFC 8446 §6.2).
    let alert: String
    /// All of it, behind the peer's name.
    let text: String
    var serverName: String?
    let show: @Sendable (CertifiedKey.Purpose) throws -> Shown

    func expect(
        _ error: SecureSocketError, from step: SecureSocketError.Step, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(error.code == .certificateVerificationFailed, sourceLocation: sourceLocation)
        #expect(error.blame == .peer, sourceLocation: sourceLocation)
        #expect(error.step == step, sourceLocation: sourceLocation)
        #expect(error.alert == nil, sourceLocation: sourceLocation)
        let problem = error.certificateProblem
        #expect(problem?.kind == self.kind, sourceLocation: sourceLocation)
        #expect(problem?.code == self.code, sourceLocation: sourceLocation)
        #expect(problem?.depth == self.depth, sourceLocation: sourceLocation)
        #expect(problem?.certificate?.subject == self.subject, sourceLocation: sourceLocation)
        #expect(problem?.expectedName == self.expectedName, sourceLocation: sourceLocation)
        let (peer, text) = error.description.splitAfterPeer
        #expect(peer.hasPrefix("127.0.0.1:"), sourceLocation: sourceLocation)
        #expect(text == self.text, sourceLocation: sourceLocation)
    }
}

// MARK: Chains that are wrong for servers and for clients

extension VerificationRow {
    static let chains: [VerificationRow] = [
        VerificationRow(
            testDescription: "expired certificate",
            kind: .expired, code: 10, depth: 0, subject: "CN=leaf",
            alert: "certificate_expired",
            text: """
                the peer's certificate (CN=leaf) has expired (it was valid until 2020-02-01 00:00:00 UTC). \
                The peer has to renew it; if it looks valid, check this machine's clock
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            return Shown(identity: try root.leaf(purpose, validity: .january2020), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "expired intermediate",
            kind: .expired, code: 10, depth: 1, subject: "CN=intermediate",
            alert: "certificate_expired",
            text: """
                the certificate at depth 1 of the chain (CN=intermediate) has expired \
                (it was valid until 2020-02-01 00:00:00 UTC). \
                The peer has to renew it; if it looks valid, check this machine's clock
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            let intermediate = try root.intermediate(commonName: "intermediate", validity: .january2020)
            return Shown(identity: try intermediate.leaf(purpose), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "certificate of the future",
            kind: .notYetValid, code: 9, depth: 0, subject: "CN=leaf",
            alert: "certificate_expired",
            text: """
                the peer's certificate (CN=leaf) is not valid yet (it will be valid from 2400-02-29 12:34:56 UTC). \
                Check the clocks of this machine and of the one that issued it
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            return Shown(identity: try root.leaf(purpose, validity: .farFuture), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "self-signed certificate",
            kind: .selfSigned, code: 18, depth: 0, subject: "CN=leaf",
            alert: "unknown_ca",
            text: """
                the peer's certificate (CN=leaf) is signed with its own key and is not trusted. \
                Trust this certificate, or have the peer use one of an authority that is trusted here
                """
        ) { _ in
            let leaf = try CertifiedKey.selfSigned(commonName: "leaf")
            return Shown(identity: try TLSIdentity(leaf), trust: try CertificateAuthority.root().trust)
        },
        VerificationRow(
            testDescription: "self-signed certificate that has expired: trust comes before dates",
            kind: .selfSigned, code: 18, depth: 0, subject: "CN=leaf",
            alert: "unknown_ca",
            text: """
                the peer's certificate (CN=leaf) is signed with its own key and is not trusted. \
                Trust this certificate, or have the peer use one of an authority that is trusted here
                """
        ) { _ in
            let leaf = try CertifiedKey.selfSigned(commonName: "leaf", validity: .expired)
            return Shown(identity: try TLSIdentity(leaf), trust: try CertificateAuthority.root().trust)
        },
        VerificationRow(
            testDescription: "certificate of an unknown authority",
            kind: .issuerUnknown, code: 20, depth: 0, subject: "CN=leaf",
            alert: "unknown_ca",
            text: """
                the peer's certificate (CN=leaf) was issued by CN=foreign root, whose certificate is neither sent nor trusted. \
                If you trust the authority that issued it, say so with TLSTrust; the peer has to send its whole chain
                """
        ) { purpose in
            let foreign = try CertificateAuthority.root(commonName: "foreign root")
            return Shown(identity: try foreign.leaf(purpose), trust: try CertificateAuthority.root().trust)
        },
        VerificationRow(
            testDescription: "certificate of an unknown authority that is sent along",
            kind: .untrustedRoot, code: 19, depth: 1, subject: "CN=foreign root",
            alert: "unknown_ca",
            text: """
                the certificate at depth 1 of the chain (CN=foreign root) is the root of the chain and is not trusted. \
                If you trust the authority that issued it, say so with TLSTrust; the peer has to send its whole chain
                """
        ) { purpose in
            let foreign = try CertificateAuthority.root(commonName: "foreign root")
            let leaf = try foreign.issue(commonName: "leaf", names: ["127.0.0.1"], purposes: [purpose])
            let identity = try TLSIdentity(
                certificateChain: .text(leaf.certificateChainPEM + foreign.certificatePEM),
                privateKey: .text(leaf.privateKeyPEM))
            return Shown(identity: identity, trust: try CertificateAuthority.root().trust)
        },
        VerificationRow(
            testDescription: "chain without its intermediate",
            kind: .issuerUnknown, code: 20, depth: 0, subject: "CN=leaf",
            alert: "unknown_ca",
            text: """
                the peer's certificate (CN=leaf) was issued by CN=intermediate, whose certificate is neither sent nor trusted. \
                If you trust the authority that issued it, say so with TLSTrust; the peer has to send its whole chain
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            let leaf = try root.intermediate(commonName: "intermediate")
                .issue(commonName: "leaf", names: ["127.0.0.1"], purposes: [purpose])
            let identity = try TLSIdentity(
                certificateChain: .text(leaf.certificatePEM), privateKey: .text(leaf.privateKeyPEM))
            return Shown(identity: identity, trust: try root.trust)
        },
        VerificationRow(
            testDescription: "certificate for the other side's use",
            kind: .wrongPurpose, code: 26, depth: 0, subject: "CN=leaf",
            alert: "unsupported_certificate",
            text: """
                the peer's certificate (CN=leaf) is not for this use (its extended key usage does not allow it). \
                Have it issued for the use it is put to: server or client authentication
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            return Shown(identity: try root.leaf(purpose == .server ? .client : .server), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "chain that is too long",
            kind: .chainTooLong, code: 22, depth: 3, subject: "CN=Development authority",
            alert: "unknown_ca",
            text: """
                the certificate at depth 3 of the chain (CN=Development authority) ends a chain that is too long: \
                it stands at depth 3, and 2 is the highest allowed. \
                Allow a greater depth, or have the peer use a shorter chain
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            let leaf = try root.intermediate().intermediate().leaf(purpose)
            return Shown(identity: leaf, trust: try root.trust, depth: 2)
        },
        VerificationRow(
            testDescription: "intermediate below an authority that allows none",
            kind: .pathLengthExceeded, code: 25, depth: 2, subject: "CN=upper",
            alert: "unknown_ca",
            text: """
                the certificate at depth 2 of the chain (CN=upper) has more authorities below it than its path length constraint \
                allows. Have the authority issue it directly, or raise its path length constraint
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            let lower = try root.intermediate(commonName: "upper", pathLength: 0).intermediate(commonName: "lower")
            return Shown(identity: try lower.leaf(purpose), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "certificate that was issued by a certificate that is no authority's",
            kind: .notAuthority, code: 24, depth: 1, subject: "CN=no authority",
            alert: "unknown_ca",
            text: """
                the certificate at depth 1 of the chain (CN=no authority) is not an authority, but issued the certificate below it \
                (its basic constraints or its key usage do not allow that). Have the certificate issued by an authority
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            return Shown(identity: try OddCertificate.belowALeaf(of: root, purpose: purpose), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "certificate with a forged signature",
            kind: .badSignature, code: 7, depth: 0, subject: "CN=forged",
            alert: "decrypt_error",
            text: """
                the peer's certificate (CN=forged) has a signature that is not its issuer's. \
                Have the peer use another certificate
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            return Shown(identity: try OddCertificate.forged(of: root, purpose: purpose), trust: try root.trust)
        },
    ]
}

// MARK: Names, which only clients compare

extension VerificationRow {
    static let names: [VerificationRow] = [
        Self.name("certificate for another host", of: ["www.example.org", "example.org"], asked: "www.example.com"),
        Self.name("wildcard for the domain itself", of: ["*.example.org"], asked: "example.org"),
        Self.name("wildcard for two labels", of: ["*.example.org"], asked: "a.b.example.org"),
        Self.name("address for a host name", of: ["127.0.0.1"], asked: "localhost"),
        Self.name("common name only", of: [], asked: "leaf"),
        Self.name("certificate for another address", of: ["192.0.2.1", "::1"], asked: nil),
        Self.name("host name for an address", of: ["localhost"], asked: nil),
        Self.name("certificate for another IPv6 address", of: ["2001:db8::2"], asked: "2001:db8::1"),
    ]

    /// - Parameter host: The name to check in place of 127.0.0.1, which is connected to.
    private static func name(_ description: String, of names: [String], asked host: String?) -> VerificationRow {
        let expected = host ?? "127.0.0.1"
        let isAddress = host == nil || expected.contains(":")
        let own = names.isEmpty ? "no name at all (it has no alternative names)" : names.joined(separator: ", ")
        return VerificationRow(
            testDescription: description,
            kind: isAddress ? .wrongAddress : .wrongName, code: isAddress ? 64 : 62, depth: 0, subject: "CN=leaf",
            expectedName: expected, alert: "bad_certificate",
            text: """
                the peer's certificate (CN=leaf) is not for \(expected) but for \(own). \
                Connect by a name that the certificate is for, or have it issued for this one
                """,
            serverName: host
        ) { _ in
            let root = try CertificateAuthority.root()
            return Shown(identity: try TLSIdentity(root.issue(commonName: "leaf", names: names)), trust: try root.trust)
        }
    }
}

// MARK: Short forms

extension CertificateAuthority {
    var trust: TLSTrust { get throws { try .only(.text(self.certificatePEM)) } }

    fileprivate func leaf(_ purpose: CertifiedKey.Purpose, validity: Validity = .leaf) throws -> TLSIdentity {
        try TLSIdentity(
            self.issue(commonName: "leaf", names: ["127.0.0.1"], purposes: [purpose], validity: validity))
    }
}

extension Validity {
    fileprivate static let january2020 = Validity(
        Date(timeIntervalSince1970: 1_577_836_800)..<Date(timeIntervalSince1970: 1_580_515_200))
    fileprivate static let farFuture = Validity(
        Date(timeIntervalSince1970: 13_574_608_496)..<Date(timeIntervalSince1970: 13_600_000_000))
}

extension TLSParameters {
    /// One version only, where one is given.
    init(_ version: TLSProtocolVersion? = nil, depth: Int = 10) {
        self.init()
        if let version { self.versions = version...version }
        self.maximumChainDepth = depth
    }
}

extension Encounter {
    /// Waits for the refusal only where there is to be one: a server that has nothing to say says nothing.
    fileprivate func clientRefusal(ifAny isExpected: Bool) async -> SecureSocketError? {
        if isExpected { return await self.clientRefusal }
        if case .failure(let error) = self.client { return error }
        return nil
    }
}

extension String {
    /// `host:port` and what stands behind it.
    fileprivate var splitAfterPeer: (peer: String, text: String) {
        guard let range = self.range(of: ": ") else { return ("", self) }
        return (String(self[..<range.lowerBound]), String(self[range.upperBound...]))
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a server can have more client authorities than a request for a certificate can name`(
        version: TLSProtocolVersion
    ) async throws {
        let authorities = try (0..<900).map { try authority(String(repeating: "a", count: 60) + "\($0)") }
        let own = try client(by: authorities[899])
        let pair = try await SecureSocket.connectedPair(
            client: TLSClientConfiguration(
                verification: .dangerouslyNone,
                identity: TLSIdentity(certificateChain: .text(own.pem), privateKey: .text(own.key.pem)),
                parameters: .init(version)),
            server: TLSServerConfiguration(
                identity: TestCertificates.shared.get().serverIdentity,
                clients: .required(trust: .only(.text(authorities.map(\.pem).joined())))),
            timeout: Encounter.patience)
        #expect(pair.server.information.peerCertificates.first?.subject == "CN=Client")
        pair.client.close()
        pair.server.close()
    }
}
