import NIOCore
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// Sides that require an application protocol. A server that speaks another protocol under the same certificate cannot be substituted for one
/// that they accept (the ALPACA attack).
@Suite struct `A required application protocol` {
    private func pair(
        _ version: TLSVersion, client: (inout TLSSettings) -> Void, server: (inout TLSSettings) -> Void
    ) throws -> EnginePair {
        let pair = try EnginePair.make(
            client: {
                $0.versions = version...version
                client(&$0)
            }, server: server)
        pair.shakeHands()
        return pair
    }

    private func message(_ progress: TLSEngine.HandshakeProgress, _ role: TLSSettings.Role) throws -> String {
        guard case .failed(let failure) = progress else { return try #require(nil, "the handshake did not fail") }
        return SecureSocketError(failure, role: role, step: .handshake, peer: "PEER").description
    }

    @Test(arguments: TLSVersion.allCases)
    func `is negotiated if both sides have one`(version: TLSVersion) throws {
        let pair = try self.pair(version) {
            $0.applicationProtocols = ["smtp", "h2"]
            $0.requiresApplicationProtocol = true
        } server: {
            $0.applicationProtocols = ["h2"]
            $0.requiresApplicationProtocol = true
        }
        #expect(pair.clientProgress == .complete && pair.serverProgress == .complete)
        #expect(pair.client.negotiated?.applicationProtocol == "h2")
    }

    @Test(arguments: TLSVersion.allCases)
    func `ends the handshake with a client that offers none`(version: TLSVersion) throws {
        let pair = try self.pair(version) { _ in
        } server: {
            $0.applicationProtocols = ["h2"]
            $0.requiresApplicationProtocol = true
        }
        #expect(
            try self.message(pair.serverProgress, .server)
                == "PEER: it offers no application protocol that this server has (NO_APPLICATION_PROTOCOL): it offers none, and this server "
                + "has \"h2\". Have the client offer one of this server's, or set `TLSParameters.requiresApplicationProtocol` to false"
        )
        #expect(
            try self.message(pair.clientProgress, .client)
                == "PEER refused the connection: it requires an application protocol, and none was offered (no_application_protocol). "
                + "Add a protocol that the server speaks to `TLSParameters.applicationProtocols`")
    }

    @Test(arguments: TLSVersion.allCases)
    func `ends the handshake with a server that selects none`(version: TLSVersion) throws {
        let pair = try self.pair(version) {
            $0.applicationProtocols = ["h2"]
            $0.requiresApplicationProtocol = true
        } server: { _ in
        }
        #expect(
            try self.message(pair.clientProgress, .client)
                == "PEER: it chose no application protocol (NO_APPLICATION_PROTOCOL): this client requires one of \"h2\". "
                + "Have the server support one of them, or set `TLSParameters.requiresApplicationProtocol` to false")
        // The client has found out when its part of the handshake was complete.
        if pair.serverProgress == .complete {
            var data = ByteBuffer()
            guard case .failed(let failure) = pair.server.read(into: &data, limit: .max) else {
                Issue.record("the server has received no alert")
                return
            }
            #expect(failure.kind == .alertReceived(AlertDescription(code: 120)))
        }
        #expect(throws: TLSFailure.self) { try pair.client.write("never sent") }
    }

    @Test(arguments: TLSVersion.allCases)
    func `is required of a resumed session as well`(version: TLSVersion) async throws {
        let meetings = try SessionMeetings()
        let cache = SessionCache(capacity: 10)
        let client = try meetings.client(cache, version...version) {
            $0.applicationProtocols = ["h2"]
            $0.requiresApplicationProtocol = true
        }
        let server = try meetings.server { $0.applicationProtocols = ["h2"] }
        #expect(try await meetings.meet(client, server) != nil)
        #expect(try await meetings.meet(client, server) == nil)
        try server.replace(with: meetings.server().current)
        let pair = EnginePair(
            client: try TLSEngine(client: client, serverName: "one", expecting: PeerName("one"), sessionsOf: "there"),
            server: try TLSEngine(server: server))
        await pair.shakeHandsDeciding()
        #expect(try self.message(pair.clientProgress, .client).contains("it chose no application protocol"))
    }

    @Test func `must be one of a list`() throws {
        let certificates = try TestCertificates.shared.get()
        var parameters = TLSParameters()
        parameters.requiresApplicationProtocol = true
        let error = #expect(throws: SecureSocketError.self) { _ = try certificates.clientConfiguration(parameters: parameters) }
        #expect(error?.code == .invalidConfiguration)
        #expect(throws: SecureSocketError.self) { _ = try certificates.serverConfiguration(parameters: parameters) }
    }
}
