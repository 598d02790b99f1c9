import DevelopmentCertificates
import SecureSockets
import TLSEngine
import TestSupport
import Testing

@Suite struct `A server with several identities` {
    private let authority: CertificateAuthority

    init() throws { self.authority = try .root() }

    private func identity(_ name: String, _ key: KeyKind = .p256) throws -> Identity {
        try Identity(self.authority.issue(commonName: name, names: [name], key: key))
    }

    private func settings(_ name: String, _ change: (inout TLSSettings) -> Void = { _ in }) throws -> TLSSettings {
        var settings = TLSSettings(role: .server)
        settings.identity = try self.identity(name)
        change(&settings)
        return settings
    }

    private func server(
        names: [(String, String)], refusesOthers: Bool = false, _ change: (inout TLSSettings) -> Void = { _ in }
    ) throws -> TLSContext {
        var table = ServerNames(refusesOthers: refusesOthers)
        for (name, subject) in names { _ = table.add(name, try TLSContext(self.settings(subject))) }
        return try TLSContext(self.settings("default", change), serverNames: table)
    }

    private func pair(
        _ server: TLSContext, as name: String?, version: TLSVersion = .v1_3, _ change: (inout TLSSettings) -> Void = { _ in }
    ) async throws -> EnginePair {
        var settings = TLSSettings(role: .client)
        settings.versions = version...version
        change(&settings)
        let pair = EnginePair(
            client: try TLSEngine(client: TLSContext(settings), serverName: name, expecting: nil),
            server: try TLSEngine(server: server))
        await pair.shakeHandsDeciding()
        return pair
    }

    private func subject(
        _ server: TLSContext, as name: String?, version: TLSVersion = .v1_3, _ change: (inout TLSSettings) -> Void = { _ in }
    ) async throws -> String? {
        try await self.pair(server, as: name, version: version, change).client.negotiated?.peerCertificates.first?.subject
    }

    @Test(arguments: TLSVersion.allCases)
    func `shows the one for the requested name`(version: TLSVersion) async throws {
        let server = try self.server(names: [
            ("www.example.org", "exact"), ("*.example.org", "wildcard"), ("Example.NET.", "net"),
        ])
        for (name, subject) in [
            ("www.example.org", "exact"), ("WWW.Example.ORG", "exact"), ("other.example.org", "wildcard"),
            ("a.b.example.org", "default"), ("example.org", "default"), ("example.net", "net"), ("org", "default"),
        ] {
            #expect(try await self.subject(server, as: name, version: version) == "CN=\(subject)", "\(name)")
        }
        #expect(try await self.subject(server, as: nil, version: version) == "CN=default")
    }

    @Test(arguments: TLSVersion.allCases)
    func `refuses other names with unrecognized_name, if it is told to`(version: TLSVersion) async throws {
        let server = try self.server(names: [("www.example.org", "exact")], refusesOthers: true)
        #expect(try await self.subject(server, as: "www.example.org", version: version) == "CN=exact")
        #expect(try await self.subject(server, as: nil, version: version) == "CN=default")
        let pair = try await self.pair(server, as: "other.example.org", version: version)
        guard case .failed(let failure) = pair.serverProgress, case .failed(let seen) = pair.clientProgress else {
            Issue.record("\(pair.serverProgress), \(pair.clientProgress)")
            return
        }
        #expect(failure.kind == .serverNameNotServed("other.example.org"))
        #expect(seen.kind == .alertReceived(.unrecognizedName))
    }

    @Test(arguments: TLSVersion.allCases)
    func `has ECDSA and RSA side by side`(version: TLSVersion) async throws {
        let rsa = try self.identity("rsa", .rsa2048)
        var settings = try self.settings("ecdsa")
        settings.furtherIdentities = [rsa]
        let server = try TLSContext(settings)
        #expect(try await self.subject(server, as: nil, version: version) == "CN=ecdsa")
        settings.identity = rsa
        settings.furtherIdentities = [try self.identity("ecdsa")]
        #expect(try await self.subject(TLSContext(settings), as: nil, version: version) == "CN=rsa")
        guard version == .v1_2 else { return }
        // A client that can verify only one of them.
        for suite in ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"] {
            let subject = try await self.subject(server, as: nil, version: .v1_2) { $0.cipherSuites = .strict(suite) }
            #expect(subject == (suite.contains("-RSA-") ? "CN=rsa" : "CN=ecdsa"))
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `asks the program about other names`(version: TLSVersion) async throws {
        let selected = try TLSContext(self.settings("selected"))
        let server = try self.server(names: [("www.example.org", "exact")], refusesOthers: true) { settings in
            settings.identitySelector = { hello, _ in
                switch hello.serverName {
                case "selected.example.org": return .use(selected)
                case "bad.example.org": return .refuse(ProgramRefusal(alert: AlertDescription(code: 80), reason: "no store"))
                default: return .notServed
                }
            }
        }
        #expect(try await self.subject(server, as: "www.example.org", version: version) == "CN=exact")
        #expect(try await self.subject(server, as: "Selected.example.org", version: version) == "CN=selected")
        #expect(try await self.subject(server, as: nil, version: version) == "CN=default")
        for (name, kind, alert) in [
            ("else.example.org", TLSFailure.Kind.serverNameNotServed("else.example.org"), UInt8(112)),
            ("bad.example.org", .refusedByProgram(ProgramRefusal(alert: AlertDescription(code: 80), reason: "no store")), 80),
        ] {
            let pair = try await self.pair(server, as: name, version: version)
            guard case .failed(let failure) = pair.serverProgress, case .failed(let seen) = pair.clientProgress else {
                Issue.record("\(pair.serverProgress), \(pair.clientProgress)")
                continue
            }
            #expect(failure.kind == kind)
            #expect(seen.kind == .alertReceived(AlertDescription(code: alert)))
        }
    }

    @Test func `has no name twice`() throws {
        var table = ServerNames(refusesOthers: false)
        let context = try TLSContext(self.settings("one"))
        let added = ["www.example.org", "WWW.example.org.", "*.example.org", "*.EXAMPLE.org"].map { table.add($0, context) }
        #expect(added == [true, false, true, false])
    }

    /// Swift's strings are equal if they are canonically equivalent: U+212A, the sign of the unit kelvin, is equal to the letter K.
    @Test func `compares names by their bytes`() async throws {
        let server = try self.server(names: [("k.example", "exact"), ("*.k.example", "wildcard")])
        #expect(try await self.subject(server, as: "K.example") == "CN=exact")
        for name in ["\u{212A}.example", "a.\u{212A}.example"] {
            #expect(try await self.subject(server, as: name) == "CN=default", "\(name)")
        }
        var table = ServerNames(refusesOthers: false)
        #expect(try !table.add("\u{212A}.example", TLSContext(self.settings("one"))))
    }
}
