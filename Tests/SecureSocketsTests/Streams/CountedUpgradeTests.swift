import NIOCore
import SecureSocketsTesting
import SocketCore
import TestSupport
import Testing

@testable import SecureSockets

/// `LiveServerConfiguration.statistics` and `openConnections`, for plain connections that are upgraded.
@Suite(.timeLimit(.minutes(5))) struct `An upgrade with live settings` {
    private let server: TLSServerConfiguration
    private let client: TLSClientConfiguration

    init() throws {
        let authority = try DevelopmentAuthority()
        self.server = try TLSServerConfiguration(identity: authority.server().identity)
        self.client = try TLSClientConfiguration(trust: authority.trust)
    }

    @Test(arguments: EventLoops.allCases) func `is counted with the settings of its upgrade`(loops: EventLoops) async throws {
        let live = LiveServerConfiguration(self.server)
        try await PlainSocket.withPair(on: loops.group) { plain, other in
            async let upgraded = other.upgrade(tls: live)
            let socket = try await plain.upgrade(tls: self.client, host: "127.0.0.1")
            let server = try await upgraded
            #expect(live.statistics.completedHandshakes == 1)
            #expect(live.statistics.openConnections == 1)
            #expect(live.statistics.handshakesInProgress == 0)
            #expect(live.statistics.fullHandshakes == [.noSession: 1])
            #expect(live.statistics.certificates.map(\.subject) == ["CN=localhost"])
            socket.close()
            server.close()
            try await server.waitUntilClosed()
            while live.statistics.openConnections > 0 { await Task.yield() }
        }
        try await PlainSocket.withPair(on: loops.group) { plain, other in
            let upgrading = Task { try await other.upgrade(tls: live) }
            try await plain.send("\u{16}no TLS at all")
            await expectError(.protocolError) { _ = try await upgrading.value }
            #expect(live.statistics.failedHandshakes == [.protocolError: 1])
            #expect(live.statistics.handshakesInProgress == 0)
        }
        try await PlainSocket.withPair(on: loops.group) { plain, other in
            try await plain.send("MAIL FROM")
            await other.untilUnread(9)
            await expectError(.protocolError) { _ = try await other.upgrade(tls: live) }
            // No handshake has begun.
            #expect(live.statistics.failedHandshakes == [.protocolError: 1])
            #expect(live.statistics.handshakesInProgress == 0)
        }
        // The transport is gone before the program's task learns why.
        try await PlainSocket.withPair(on: loops.group) { plain, other in
            await expectError(.timedOut) { _ = try await other.upgrade(tls: live, timeout: .milliseconds(1)) }
            #expect(live.statistics.failedHandshakes == [.protocolError: 1, .timedOut: 1])
            #expect(live.statistics.handshakesInProgress == 0)
            _ = plain
        }
    }

    @Test func `ends if an update of its settings refuses the client, and they say so`() async throws {
        let authority = try DevelopmentAuthority()
        let (revoked, good) = (
            try authority.client(commonName: "revoked").identity, try authority.client(commonName: "good").identity
        )
        func configuration(revoking certificates: [TLSCertificate]) throws -> TLSServerConfiguration {
            let lists = try RevocationLists(.text(authority.revocationList(of: certificates)))
            return try TLSServerConfiguration(
                identity: authority.server().identity, clients: .required(trust: authority.trust.checkingRevocation(with: lists)))
        }
        let live = LiveServerConfiguration(try configuration(revoking: []), openConnections: .endIfRefused(grace: .zero))
        var sockets: [SecureSocket] = []
        var servers: [SecureSocket] = []
        let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        for identity in [revoked, good] {
            async let accepted = listener.accept(timeout: Encounter.patience)
            let plain = try await PlainSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, timeout: Encounter.patience)
            let other = try await accepted
            async let upgraded = other.upgrade(tls: live)
            let tls = try TLSClientConfiguration(trust: authority.trust, identity: identity)
            sockets.append(try await plain.upgrade(tls: tls, host: "127.0.0.1"))
            servers.append(try await upgraded)
        }
        try live.update(configuration(revoking: Array(revoked.certificates.prefix(1))))
        let error = await #expect(throws: SecureSocketError.self) { _ = try await sockets[0].receive() }
        #expect(error?.alert == .certificateRevoked)
        try await servers[1].send("still here")
        #expect(try await sockets[1].receive(exactly: 10) == ByteBuffer(string: "still here"))
        #expect(live.statistics.refusedOpenConnections == 1)
        for socket in sockets + servers { socket.close() }
        listener.close()
    }
}
