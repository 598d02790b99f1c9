import DevelopmentCertificates
import NIOCore
import SecureSockets
import Synchronization
import TLSEngine
import TestSupport
import Testing

@Suite struct `A decision about a verified peer` {
    private static let refusal = ProgramRefusal(alert: AlertDescription(code: 44), reason: "it left the company")

    /// The decisions that a test makes, and what was seen for them.
    private final class Program: Sendable {
        let decisions: Mutex<[HandshakeDecision]>
        let evidence = Mutex<[PeerEvidence]>([])

        init(_ decisions: HandshakeDecision...) { self.decisions = Mutex(decisions) }

        func decide(_ evidence: PeerEvidence) -> HandshakeDecision {
            self.evidence.withLock { $0.append(evidence) }
            return self.decisions.withLock { $0.isEmpty ? .accept : $0.removeFirst() }
        }

        var seen: [PeerEvidence] { self.evidence.withLock { $0 } }
    }

    private let authority: CertificateAuthority
    private let client: Identity
    private let server: Identity

    init() throws {
        self.authority = try .root()
        self.server = try Identity(self.authority.issue(commonName: "server", names: ["localhost"]))
        self.client = try Identity(
            self.authority.intermediate(commonName: "clients").issue(commonName: "client", purposes: [.client]))
    }

    private func settings(_ role: TLSSettings.Role, _ version: TLSVersion, _ program: Program?) throws -> TLSSettings {
        var settings = TLSSettings(role: role)
        settings.versions = version...version
        settings.identity = role == .client ? self.client : self.server
        settings.trust = try TrustStore(.bytes(Array(self.authority.certificatePEM.utf8)))
        settings.verification = .required
        if let program { settings.peerDecision = { evidence, _ in program.decide(evidence) } }
        return settings
    }

    private func meet(_ client: TLSContext, _ server: TLSContext) async throws -> EnginePair {
        let pair = EnginePair(
            client: try TLSEngine(
                client: client, serverName: "localhost", expecting: PeerName("localhost"), sessionsOf: "the server"),
            server: try TLSEngine(server: server))
        await pair.shakeHandsDeciding()
        if pair.serverProgress == .complete { try pair.server.write("hello") }
        _ = pair.move(from: pair.server, to: pair.client)
        var received = ByteBuffer()
        if pair.clientProgress == .complete, case .failed(let failure) = pair.client.read(into: &received, limit: .max) {
            self.late.withLock { $0 = failure }
        }
        return pair
    }

    /// The failure that a client of TLS 1.3 sees after its handshake.
    private let late = Shared<TLSFailure?>(nil)

    private final class Shared<Value: Sendable>: Sendable {
        private let value: Mutex<Value>
        init(_ value: Value) { self.value = Mutex(value) }
        func withLock<Result: Sendable>(_ body: (inout sending Value) -> sending Result) -> Result { self.value.withLock(body) }
    }

    @Test(arguments: TLSVersion.allCases)
    func `sees the chain and the hello, and accepts a client`(version: TLSVersion) async throws {
        let program = Program()
        let pair = try await self.meet(
            TLSContext(self.settings(.client, version, nil)), TLSContext(self.settings(.server, version, program)))
        #expect(pair.serverProgress == .complete && pair.clientProgress == .complete)
        let evidence = try #require(program.seen.first)
        #expect(evidence.certificates.map(\.subject) == ["CN=client", "CN=clients"])
        #expect(evidence.verifiedChain.count == 3)
        #expect(evidence.clientHello?.serverName == "localhost")
        #expect(!evidence.isResumption)
        #expect(pair.server.negotiated?.verifiedChainLength == 3)
    }

    @Test(arguments: TLSVersion.allCases)
    func `refuses a client with its alert, and keeps the reason here`(version: TLSVersion) async throws {
        let program = Program(.refuse(Self.refusal))
        let pair = try await self.meet(
            TLSContext(self.settings(.client, version, nil)), TLSContext(self.settings(.server, version, program)))
        guard case .failed(let failure) = pair.serverProgress else {
            Issue.record("\(pair.serverProgress)")
            return
        }
        #expect(failure.kind == .refusedByProgram(Self.refusal))
        switch version {
        case .v1_2: #expect(self.alert(pair.clientProgress) == 44)
        case .v1_3: #expect(self.late.withLock { $0?.kind } == .alertReceived(AlertDescription(code: 44)))
        }
    }

    private func alert(_ progress: TLSEngine.HandshakeProgress) -> UInt8? {
        if case .failed(let failure) = progress, case .alertReceived(let alert) = failure.kind { alert.code } else { nil }
    }

    @Test(arguments: TLSVersion.allCases)
    func `accepts or refuses a server`(version: TLSVersion) async throws {
        for isAccepted in [true, false] {
            let program = isAccepted ? Program() : Program(.refuse(Self.refusal))
            let pair = try await self.meet(
                TLSContext(self.settings(.client, version, program)), TLSContext(self.settings(.server, version, nil)))
            #expect(program.seen.first?.certificates.first?.subject == "CN=server")
            #expect(program.seen.first?.clientHello == nil)
            if isAccepted {
                #expect(pair.serverProgress == .complete && pair.clientProgress == .complete)
            } else {
                #expect(self.alert(pair.serverProgress) == 44)
            }
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `is made again for a session, and after its refusal in the full handshake`(version: TLSVersion) async throws {
        var settings = try self.settings(.client, version, nil)
        settings.sessionCache = SessionCache(capacity: 10)
        let client = try TLSContext(settings)
        let program = Program(.accept, .accept, .refuse(Self.refusal), .accept)
        let server = try TLSContext(self.settings(.server, version, program))
        for (isResumed, count) in [(false, 1), (true, 2), (false, 4)] {
            let pair = try await self.meet(client, server)
            #expect(pair.serverProgress == .complete)
            #expect((pair.server.negotiated?.resumption == .resumed) == isResumed)
            #expect(program.seen.count == count)
            #expect(pair.server.negotiated?.peerCertificates.first?.subject == "CN=client")
        }
        #expect(program.seen.map(\.isResumption) == [false, true, true, false])
        #expect(program.seen.allSatisfy { $0.verifiedChain.count == 3 })
    }

    @Test(arguments: TLSVersion.allCases)
    func `by a client means that it resumes no session`(version: TLSVersion) async throws {
        let program = Program()
        var settings = try self.settings(.client, version, program)
        settings.sessionCache = SessionCache(capacity: 10)
        let client = try TLSContext(settings)
        let server = try TLSContext(self.settings(.server, version, nil))
        for _ in 1...2 { #expect(try await self.meet(client, server).client.negotiated?.resumption == .notOffered) }
        #expect(program.seen.count == 2)
    }

    /// BoringSSL declines a session for its own reasons after the program has accepted it. The certificates of the full handshake that
    /// follows are other ones, or could be.
    @Test(arguments: TLSVersion.allCases)
    func `about a session counts for nothing when the session is declined`(version: TLSVersion) async throws {
        let program = Program()
        let settings = try self.settings(.server, version, program)
        var other = settings
        other.identity = try Identity(self.authority.issue(commonName: "other", names: ["other"]))
        var names = ServerNames(refusesOthers: false)
        _ = names.add("localhost", try TLSContext(settings))
        _ = names.add("other", try TLSContext(other))
        let server = LiveServerContext(try TLSContext(settings, serverNames: names), ticketKeys: TicketKeyRing())
        var clientSettings = try self.settings(.client, version, nil)
        clientSettings.sessionCache = SessionCache(capacity: 10)
        let client = try TLSContext(clientSettings)
        for name in ["localhost", "other"] {
            let pair = EnginePair(
                client: try TLSEngine(client: client, serverName: name, expecting: nil, sessionsOf: "the server"),
                server: try TLSEngine(server: server))
            await pair.shakeHandsDeciding()
            #expect(pair.serverProgress == .complete)
            #expect(pair.server.negotiated?.resumption != .resumed)
            try pair.server.write("hello")
            _ = pair.move(from: pair.server, to: pair.client)
        }
        #expect(program.seen.map(\.isResumption) == [false, true, false])
    }

    @Test(arguments: TLSVersion.allCases)
    func `by a client that verifies nothing else is obeyed`(version: TLSVersion) async throws {
        for isAccepted in [true, false] {
            let program = isAccepted ? Program() : Program(.refuse(Self.refusal))
            var settings = try self.settings(.client, version, program)
            settings.verification = .none
            settings.trust = nil
            let pair = try await self.meet(TLSContext(settings), TLSContext(self.settings(.server, version, nil)))
            #expect(program.seen.map(\.verifiedChain.count) == [0])
            #expect((pair.clientProgress == .complete) == isAccepted)
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `is possible for a client whose certificates are too long for a ticket`(version: TLSVersion) async throws {
        let program = Program()
        var settings = try self.settings(.client, version, nil)
        let names = (0..<4000).map { "host-\($0).example.org" }
        settings.identity = try Identity(self.authority.issue(commonName: "client", names: names, purposes: [.client]))
        settings.sessionCache = SessionCache(capacity: 10)
        let client = try TLSContext(settings)
        let server = try TLSContext(self.settings(.server, version, program))
        for _ in 1...2 {
            let pair = try await self.meet(client, server)
            #expect(pair.serverProgress == .complete)
            #expect(pair.server.negotiated?.resumption == .notOffered)
        }
    }

    @Test func `can read the certificates when the connection is gone`() async throws {
        let program = Program()
        do {
            _ = try await self.meet(
                TLSContext(self.settings(.client, .v1_3, nil)), TLSContext(self.settings(.server, .v1_3, program)))
        }
        let evidence = try #require(program.seen.first)
        #expect(evidence.certificate?.subject == "CN=client")
        #expect(evidence.verifiedChain.map(\.subject).prefix(2) == ["CN=client", "CN=clients"])
    }
}
