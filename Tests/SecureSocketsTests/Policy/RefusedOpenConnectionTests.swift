import Logging
import NIOCore
import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSockets

/// How an open connection ends whose client is no longer accepted, and for which reasons it does not.
@Suite(.timeLimit(.minutes(5))) struct `An open connection whose client is no longer accepted` {
    private let authority: DevelopmentAuthority
    private let clients: DevelopmentAuthority

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.clients = try DevelopmentAuthority(commonName: "clients")
    }

    private func server(list: String) throws -> TLSServerConfiguration {
        let trust = try self.clients.trust.checkingRevocation(with: RevocationLists(.text(list)))
        return try TLSServerConfiguration(identity: self.authority.server().identity, clients: .required(trust: trust))
    }

    private func listener(_ log: LogCapture = LogCapture()) async throws -> SecureListener {
        var options = ListenerOptions.patient
        options.openConnections = .endIfRefused(grace: .zero)
        return try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.server(list: self.clients.revocationList(of: [])), socketOptions: .patient,
            options: options, logger: log.logger)
    }

    private func connect(to listener: SecureListener, as identity: TLSIdentity) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port,
            tls: TLSClientConfiguration(trust: self.authority.trust, identity: identity), timeout: Encounter.patience)
    }

    @Test func `tells the client why, although it sends what is not read, and is counted and logged`() async throws {
        let log = LogCapture()
        let listener = try await self.listener(log)
        let identity = try self.clients.client(commonName: "client").identity
        async let accepted = listener.accept(timeout: Encounter.patience)
        let client = try await self.connect(to: listener, as: identity)
        let server = try await accepted
        // More than the server reads ahead, so that its operating system has bytes that are not read.
        let sending = Task { try? await client.send(ByteBuffer(repeating: 7, count: 4 << 20)) }
        _ = try await server.receive(exactly: 1)
        try await listener.update(
            tls: self.server(list: self.clients.revocationList(of: identity.certificates.prefix(1).map(\.self))))
        let error = await #expect(throws: SecureSocketError.self) { while try await client.receive() != nil {} }
        #expect(error?.alert == .certificateRevoked)
        await sending.value
        // The calls of the server's socket have the reason as well, after what had arrived.
        let reason = await #expect(throws: SecureSocketError.self) { while try await server.receive() != nil {} }
        #expect(reason?.certificateProblem?.kind == .revoked)
        let sendError = await #expect(throws: SecureSocketError.self) { try await server.send("more") }
        #expect(sendError?.certificateProblem?.kind == .revoked)
        #expect(listener.statistics.refusedOpenConnections == 1)
        #expect(log.lines.contains { $0.level == .notice && $0.text.hasPrefix("an open connection is ended") })
        client.close()
        try await server.waitUntilClosed()
        listener.close()
    }

    @Test func `stays open if it is only the revocation list that is outdated`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        let (good, bad) = (
            try self.clients.client(commonName: "good").identity, try self.clients.client(commonName: "bad").identity
        )
        var options = ListenerOptions.patient
        options.openConnections = .endIfRefused(grace: .zero)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.server(list: self.clients.revocationList(of: [])), socketOptions: .patient,
            options: options, on: group)
        let serving = Task {
            try await listener.serve(handshakeFailed: { _, _ in }) { socket in
                for try await bytes in socket.incoming { try await socket.send(bytes) }
            }
        }
        let (first, second) = (try await self.connect(to: listener, as: good), try await self.connect(to: listener, as: bad))
        for socket in [first, second] {
            try await socket.send("a")
            _ = try await socket.receive(exactly: 1)
        }
        // The list is outdated, and revokes one of the clients, as an outdated one can. Both are checked on one loop.
        try await listener.update(
            tls: self.server(list: self.clients.revocationList(of: Array(bad.certificates.prefix(1)), validity: .expired)))
        let error = await #expect(throws: SecureSocketError.self) { _ = try await second.receive() }
        #expect(error?.alert == .certificateRevoked)
        try await first.send("b")
        #expect(try await first.receive(exactly: 1) == ByteBuffer(string: "b"))
        #expect(listener.statistics.refusedOpenConnections == 1)

        // A new client is refused, whose certificate cannot be checked.
        await #expect(throws: SecureSocketError.self) {
            let another = try await self.connect(to: listener, as: good)
            _ = try await another.receive()
        }
        while listener.statistics.refusedCertificates.isEmpty { await Task.yield() }
        #expect(listener.statistics.refusedCertificates == [.revocationUnknown: 1])
        first.close()
        second.close()
        serving.cancel()
        try await serving.value
        try await group.shutdownGracefully()
    }

    private final class WeakConnection {
        weak var value: Connection?
        init(_ value: Connection) { self.value = value }
    }

    /// Has a connection refused that delivers to a mailbox, and closes it.
    private func refuseAndClose(deliveringTo mailbox: Mailbox) async throws -> WeakConnection {
        let listener = try await self.listener()
        defer { listener.close() }
        let identity = try self.clients.client(commonName: "client").identity
        async let accepted = listener.accept(timeout: Encounter.patience)
        let client = try await self.connect(to: listener, as: identity)
        defer { client.close() }
        let socket = try await accepted
        try await socket.deliver(to: mailbox)
        try await listener.update(
            tls: self.server(list: self.clients.revocationList(of: identity.certificates.prefix(1).map(\.self))))
        guard case .failed(_, let reason) = try await mailbox.next() else {
            return try #require(nil, "the mailbox has another message")
        }
        #expect(reason.certificateProblem?.kind == .revoked)
        guard case .ended = try await mailbox.next() else { return try #require(nil, "the mailbox has another message") }
        try await socket.waitUntilClosed()
        socket.close()
        await expectError(.closed) { _ = try await socket.receive() }
        await expectError(.closed) { try await socket.send("x") }
        return WeakConnection(socket.connection)
    }

    @Test func `leaves its mailbox with the reason, and memory when the program has closed it`() async throws {
        let mailbox = Mailbox()
        let connection = try await self.refuseAndClose(deliveringTo: mailbox)
        while connection.value != nil { await Task.yield() }
        mailbox.close()
    }

    @Test func `is among those whose times and refusals the statistics tell`() async throws {
        let listener = try await self.listener()
        let list = try RevocationLists(.text(self.clients.revocationList(of: [])))
        #expect(listener.statistics.revocationListsNextUpdate != nil)
        #expect(abs((listener.statistics.revocationListsNextUpdate ?? 0) - (list.nextUpdate ?? 0)) < 3600)
        #expect(listener.statistics.ocspResponsesNextUpdate == nil)
        let client = Task {
            try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: TLSClientConfiguration(trust: self.clients.trust),
                timeout: Encounter.patience)
        }
        await #expect(throws: SecureSocketError.self) { _ = try await listener.accept() }
        await #expect(throws: SecureSocketError.self) { try await client.value }
        #expect(listener.statistics.receivedAlerts == [.unknownCA: 1])
        listener.close()
    }

    @Test func `is refused also if the server's own certificate has expired meanwhile`() async throws {
        let expired = try self.authority.server(validity: .expired).identity
        func tls(revoking certificates: [TLSCertificate]) throws -> TLSServerConfiguration {
            let lists = try RevocationLists(.text(self.clients.revocationList(of: certificates)))
            return try TLSServerConfiguration(
                identity: expired, clients: .required(trust: self.clients.trust.checkingRevocation(with: lists)))
        }
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls(revoking: []), logger: LogCapture().logger)
        try await listener.update(tls: tls(revoking: [self.clients.client(commonName: "client").certificate]))
        #expect(listener.statistics.configurationGeneration == 2)
        await expectError(.certificateUnusable) {
            try await listener.update(
                tls: TLSServerConfiguration(identity: self.authority.server(names: ["other"], validity: .expired).identity))
        }
        listener.close()
    }

    @Test func `of a server with several identities leaves warnings about those that clients will refuse`() async throws {
        let log = LogCapture()
        let good = try self.authority.server(names: ["good.example"]).identity
        let expired = try self.authority.server(names: ["expired.example"], validity: .expired).identity
        let stapled = try StapledServer(mustStaple: true).identity
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: good), logger: log.logger)
        #expect(log.lines.isEmpty)
        try await listener.update(
            tls: TLSServerConfiguration(identities: [ServerIdentity(good), ServerIdentity(expired), ServerIdentity(stapled)]))
        #expect(
            log.lines.map(\.text) == [
                "a server's certificate has expired or is not valid yet certificate=CN=expired.example",
                "a server's certificate requires an OCSP response, and there is none certificate=CN=Server",
            ])
        #expect(log.lines.allSatisfy { $0.level == .warning })
        listener.close()
    }

    @Test(arguments: [false, true])
    func `may be a client's connection, whose server is no longer trusted`(isUpgraded: Bool) async throws {
        let live = LiveClientConfiguration(
            try TLSClientConfiguration(trust: self.authority.trust), openConnections: .endIfRefused(grace: .zero))
        let server = try TLSServerConfiguration(identity: self.authority.server().identity)
        let (client, peer) = try await self.connected(live.configuration, server, isUpgraded: isUpgraded)
        // Other settings for the same servers change nothing.
        live.update(tls: try TLSClientConfiguration(trust: self.authority.trust))
        try await peer.send("a")
        #expect(try await client.receive(exactly: 1) == ByteBuffer(string: "a"))

        live.update(tls: try TLSClientConfiguration(trust: DevelopmentAuthority(commonName: "others").trust))
        let error = await #expect(throws: SecureSocketError.self) { _ = try await client.receive() }
        #expect(error?.code == .certificateVerificationFailed)
        #expect(error?.certificateProblem?.kind == .untrustedRoot || error?.certificateProblem?.kind == .issuerUnknown)
        let alert = await #expect(throws: SecureSocketError.self) { _ = try await peer.receive() }
        #expect(alert?.alert == .unknownCA)
        client.close()
        peer.close()
    }

    @Test func `is not watched by clients whose connections stay open`() async throws {
        let live = LiveClientConfiguration(try TLSClientConfiguration(trust: self.authority.trust))
        let server = try TLSServerConfiguration(identity: self.authority.server().identity)
        let (client, peer) = try await self.connected(live.configuration, server, isUpgraded: false)
        live.update(tls: try TLSClientConfiguration(trust: DevelopmentAuthority(commonName: "others").trust))
        try await peer.send("a")
        #expect(try await client.receive(exactly: 1) == ByteBuffer(string: "a"))
        client.close()
        peer.close()
    }

    private func connected(
        _ client: TLSClientConfiguration, _ server: TLSServerConfiguration, isUpgraded: Bool
    ) async throws -> (client: SecureSocket, server: SecureSocket) {
        guard isUpgraded else {
            let listener = try await SecureListener.bind(
                host: "127.0.0.1", port: 0, tls: server, socketOptions: .patient, options: .patient)
            async let accepted = listener.accept(timeout: Encounter.patience)
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: client, timeout: Encounter.patience)
            defer { listener.close() }
            return (socket, try await accepted)
        }
        let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        async let accepted = listener.accept(timeout: Encounter.patience)
        let plain = try await PlainSocket.connect(to: "127.0.0.1", port: listener.localEndpoint.port, timeout: Encounter.patience)
        let other = try await accepted
        async let upgraded = other.upgrade(tls: server)
        let socket = try await plain.upgrade(tls: client, host: "127.0.0.1")
        listener.close()
        return (socket, try await upgraded)
    }
}
