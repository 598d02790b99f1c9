import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// `ListenerOptions.openConnections`, and what `SecureListener.statistics` counts.
@Suite(.timeLimit(.minutes(5))) struct `An open connection` {
    private let authority: DevelopmentAuthority
    private let clients: DevelopmentAuthority

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.clients = try DevelopmentAuthority(commonName: "clients")
    }

    private func server(revoking revoked: [TLSCertificate], trusting: DevelopmentAuthority? = nil) throws
        -> TLSServerConfiguration
    {
        let lists = try RevocationLists(.text(self.clients.revocationList(of: revoked)))
        let trust = trusting?.trust ?? self.clients.trust.checkingRevocation(with: lists)
        return try TLSServerConfiguration(identity: self.authority.server().identity, clients: .required(trust: trust))
    }

    private func listener(_ open: ListenerOptions.OpenConnections) async throws -> SecureListener {
        var options = ListenerOptions.patient
        options.openConnections = open
        return try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.server(revoking: []), socketOptions: .patient, options: options)
    }

    private func connect(to listener: SecureListener, as identity: TLSIdentity) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port,
            tls: TLSClientConfiguration(trust: self.authority.trust, identity: identity), timeout: Encounter.patience)
    }

    private func expectEcho(_ socket: SecureSocket) async throws {
        try await socket.send("hello")
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
    }

    @Test func `of a client that an update revokes ends, and others stay open`() async throws {
        let listener = try await self.listener(.endIfRefused(grace: .zero))
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        let (revoked, good) = (try self.clients.client(commonName: "revoked"), try self.clients.client(commonName: "good"))
        let (first, second) = (
            try await self.connect(to: listener, as: revoked.identity), try await self.connect(to: listener, as: good.identity)
        )
        try await self.expectEcho(first)
        try await self.expectEcho(second)
        try await listener.update(tls: self.server(revoking: revoked.identity.certificates.prefix(1).map(\.self)))
        do {
            _ = try await first.receive()
            Issue.record("the connection of a revoked client stays open")
        } catch {
            #expect(error.alert == .certificateRevoked)
        }
        try await self.expectEcho(second)
        // A new connection is refused too, and so is a session.
        let again = try? await self.connect(to: listener, as: revoked.identity)
        await #expect(throws: SecureSocketError.self) {
            try await again?.send("hello")
            _ = try await again?.receive()
            if again == nil { throw SecureSocketError(.rejected, blame: .peer, step: .handshake, "refused") }
        }
        second.close()
        listener.close()
        try await serving
    }

    @Test func `ends when trust in its authority is withdrawn, after its handler was told`() async throws {
        let listener = try await self.listener(.endIfRefused(grace: Encounter.patience))
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming.untilShutdown { try await socket.send(bytes) }
            try await socket.send("goodbye")
        }
        let socket = try await self.connect(to: listener, as: self.clients.client(commonName: "client").identity)
        try await self.expectEcho(socket)
        try await listener.update(tls: self.server(revoking: [], trusting: DevelopmentAuthority(commonName: "others")))
        #expect(try await socket.receive(exactly: 7) == ByteBuffer(string: "goodbye"))
        #expect(try await socket.receive() == nil)
        socket.close()
        listener.close()
        try await serving
    }

    @Test func `stays open unless the listener says otherwise`() async throws {
        let listener = try await self.listener(.stayOpen)
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        let client = try self.clients.client(commonName: "client")
        let socket = try await self.connect(to: listener, as: client.identity)
        try await listener.update(tls: self.server(revoking: client.identity.certificates.prefix(1).map(\.self)))
        try await self.expectEcho(socket)
        socket.close()
        listener.close()
        try await serving
    }

    @Test func `is counted, with its handshake, until its descriptor is closed`() async throws {
        let listener = try await self.listener(.stayOpen)
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        let identity = try self.clients.client(commonName: "client").identity
        let tls = try TLSClientConfiguration(trust: self.authority.trust, identity: identity)
        for isResumed in [false, true] {
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls, timeout: Encounter.patience)
            try await self.expectEcho(socket)
            #expect(socket.information.isResumed == isResumed)
            #expect(listener.statistics.openConnections == 1)
            try await socket.closeWriting()
            #expect(try await socket.receive() == nil)
            socket.close()
            try await socket.waitUntilClosed()
            try await self.untilNoneIsOpen(listener)
        }
        await #expect(throws: SecureSocketError.self) {
            let stranger = try DevelopmentAuthority(commonName: "strangers").client(commonName: "stranger")
            let socket = try await self.connect(to: listener, as: stranger.identity)
            _ = try await socket.receive()
        }
        // The client may learn of the failure before the listener has counted it.
        while listener.statistics.failedHandshakes.isEmpty { await Task.yield() }
        try await listener.update(tls: self.server(revoking: []))
        let statistics = listener.statistics
        #expect(statistics.completedHandshakes == 2)
        #expect(statistics.resumedHandshakes == 1)
        #expect(statistics.failedHandshakes == [.certificateVerificationFailed: 1])
        #expect(statistics.configurationGeneration == 2)
        #expect(statistics.certificates.map(\.dnsNames) == [["localhost"]])
        listener.close()
        try await serving
    }

    /// The server's end is closed by its loop, soon after the client's.
    private func untilNoneIsOpen(_ listener: SecureListener) async throws {
        while listener.statistics.openConnections > 0 { await Task.yield() }
    }
}
