import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// Handshakes about which the program does not decide, and what the error says: the fault is not the peer's.
@Suite(.timeLimit(.minutes(5))) struct `A handshake about which the program does not decide` {
    private struct DirectoryIsDown: Error, CustomStringConvertible { var description: String { "the directory is down" } }

    private let authority: DevelopmentAuthority

    init() throws { self.authority = try DevelopmentAuthority() }

    /// Returns the error of a server with these settings and its client.
    private func errors(
        _ tls: TLSServerConfiguration, timeout: Duration = Encounter.patience
    ) async throws -> (server: SecureSocketError?, client: SecureSocketError?) {
        var options = ListenerOptions.patient
        options.handshakeTimeout = timeout
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: options)
        defer { listener.close() }
        let identity = try self.authority.client(commonName: "client").identity
        let client = Task { () -> SecureSocketError? in
            do throws(SecureSocketError) {
                let tls = try TLSClientConfiguration(trust: self.authority.trust, identity: identity)
                let socket = try await SecureSocket.connect(
                    to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls, timeout: Encounter.patience)
                _ = try await socket.receive()
                return nil
            } catch {
                return error
            }
        }
        let server = await #expect(throws: SecureSocketError.self) { _ = try await listener.accept() }
        return (server, await client.value)
    }

    private func server(
        rule: PeerRule? = nil, select: (@Sendable (ClientHello) async throws -> TLSIdentity?)? = nil
    ) throws -> TLSServerConfiguration {
        try TLSServerConfiguration(
            identities: [ServerIdentity(for: [], self.authority.server().identity)], selectIdentity: select,
            clients: .required(trust: self.authority.trust, allow: rule))
    }

    @Test func `because a rule fails is the program's failure, not the peer's`() async throws {
        let (server, client) = try await self.errors(self.server(rule: PeerRule { _ in throw DirectoryIsDown() }))
        #expect(server?.code == .rejected)
        #expect(server?.blame == .caller)
        #expect(server?.message.hasPrefix("the program was unable to decide about 127.0.0.1:") == true)
        #expect(server?.message.hasSuffix("(access_denied): the directory is down") == true)
        #expect(client?.alert == .accessDenied)
    }

    @Test func `because selectIdentity fails is the program's failure too`() async throws {
        let (server, client) = try await self.errors(self.server { _ in throw DirectoryIsDown() })
        #expect(server?.blame == .caller)
        #expect(server?.message.hasSuffix("(internal_error): the directory is down") == true)
        #expect(client?.alert == .internalError)
    }

    @Test func `because a rule rejects the peer is the peer's`() async throws {
        let long = String(repeating: "x", count: 10_000)
        let (server, _) = try await self.errors(self.server(rule: PeerRule { _ in throw TLSRejection(long) }))
        #expect(server?.code == .rejected)
        #expect(server?.blame == .peer)
        #expect((server?.message.count ?? 0) < 400)
    }

    @Test func `because a rule takes too long has timed out by the program's fault`() async throws {
        let gate = Gate()
        let (server, _) = try await self.errors(self.server(rule: gate.rule), timeout: .seconds(3))
        #expect(server?.code == .timedOut)
        #expect(server?.blame == .caller)
        #expect(server?.message.hasPrefix("the program has not decided about 127.0.0.1:") == true)
        gate.open()
    }

    @Test func `because one of several rules fails is the program's failure, whichever comes first`() async throws {
        let failing = PeerRule { _ in throw DirectoryIsDown() }
        for rule in [PeerRule.any(failing, .dnsName(in: ["x"])), .any(.dnsName(in: ["x"]), failing)] {
            let (server, _) = try await self.errors(self.server(rule: rule))
            #expect(server?.blame == .caller)
            #expect(server?.message.hasSuffix("the directory is down") == true)
        }
    }

    @Test func `with a certificate that has a name twice is served`() throws {
        let identity = try self.authority.server(names: ["a.example", "A.example"]).identity
        _ = try TLSServerConfiguration(identities: [ServerIdentity(identity)])
        let error = #expect(throws: SecureSocketError.self) {
            _ = try TLSServerConfiguration(identities: [
                ServerIdentity(identity),
                ServerIdentity(for: ["a.example"], self.authority.server(names: ["b.example"]).identity),
            ])
        }
        #expect(error?.message == "two server identities have the name a.example")
    }
}
