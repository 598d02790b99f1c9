import DevelopmentCertificates
import Foundation
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

    private func listener(
        _ open: ListenerOptions.OpenConnections, _ tls: TLSServerConfiguration? = nil, on loops: EventLoops = .own
    ) async throws -> SecureListener {
        var options = ListenerOptions.patient
        options.openConnections = open
        return try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls ?? self.server(revoking: []), socketOptions: .patient, options: options,
            on: loops.group)
    }

    private func connect(
        to listener: SecureListener, as identity: TLSIdentity, _ version: TLSProtocolVersion? = nil
    ) async throws -> SecureSocket {
        try await self.connect(to: listener, self.client(identity, version))
    }

    private func connect(to listener: SecureListener, _ tls: TLSClientConfiguration) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls, timeout: Encounter.patience)
    }

    private func client(_ identity: TLSIdentity, _ version: TLSProtocolVersion?) throws -> TLSClientConfiguration {
        try TLSClientConfiguration(
            trust: self.authority.trust, identity: identity, sessions: TLSSessionCache(), parameters: TLSParameters(version))
    }

    private func expectEcho(_ socket: SecureSocket) async throws {
        try await socket.send("hello")
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
    }

    private func expectEnd(of socket: SecureSocket, with alert: TLSAlert) async {
        let error = await #expect(throws: SecureSocketError.self) { _ = try await socket.receive() }
        #expect(error?.alert == alert)
    }

    @Test(arguments: TLSProtocolVersion.allCases, EventLoops.allCases)
    func `of a client that an update revokes ends, also if its session was resumed, and others stay open`(
        version: TLSProtocolVersion, loops: EventLoops
    ) async throws {
        let listener = try await self.listener(.endIfRefused(grace: .zero), on: loops)
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        let (revoked, good) = (try self.clients.client(commonName: "revoked"), try self.clients.client(commonName: "good"))
        let ofRevoked = try self.client(revoked.identity, version)
        let first = try await self.connect(to: listener, ofRevoked)
        try await self.expectEcho(first)
        let resumed = try await self.connect(to: listener, ofRevoked)
        #expect(resumed.information.isResumed)
        let second = try await self.connect(to: listener, as: good.identity, version)
        try await self.expectEcho(resumed)
        try await self.expectEcho(second)
        try await listener.update(tls: self.server(revoking: revoked.identity.certificates.prefix(1).map(\.self)))
        for socket in [first, resumed] { await self.expectEnd(of: socket, with: .certificateRevoked) }
        try await self.expectEcho(second)
        // A new connection is refused too, and so is a session.
        let again = try? await self.connect(to: listener, ofRevoked)
        await #expect(throws: SecureSocketError.self) {
            try await again?.send("hello")
            _ = try await again?.receive()
            if again == nil { throw SecureSocketError(.rejected, blame: .peer, step: .handshake, "refused") }
        }
        second.close()
        listener.close()
        try await serving
    }

    /// The certificate must be valid until two handshakes are complete. On a busy machine, that takes another attempt with a longer validity.
    @Test(arguments: TLSProtocolVersion.allCases, EventLoops.allCases)
    func `ends when its client's certificate expires, also if its session was resumed`(
        version: TLSProtocolVersion, loops: EventLoops
    ) async throws {
        let clients = try CertificateAuthority.root(commonName: "clients")
        let tls = try TLSServerConfiguration(
            identity: self.authority.server().identity, clients: .required(trust: clients.trust))
        let listener = try await self.listener(.endIfRefused(grace: .zero), tls, on: loops)
        async let serving: Void = listener.serve(handshakeFailed: { _, _ in }) { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        var ended = 0
        for seconds in [2, 6, 18, 54] where ended == 0 {
            let client = try clients.issue(
                commonName: "client", purposes: [.client],
                validity: Validity(Date(timeIntervalSinceNow: -300)..<Date(timeIntervalSinceNow: Double(seconds))))
            let ofClient = try self.client(TLSIdentity(client), version)
            var open: [SecureSocket] = []
            do {
                for isResumed in [false, true] {
                    let socket = try await SecureSocket.connect(
                        to: "127.0.0.1", port: listener.localEndpoint.port, tls: ofClient, timeout: Encounter.patience)
                    try await socket.send("hello")
                    guard try await socket.receive(exactly: 5) == ByteBuffer(string: "hello") else { break }
                    if socket.information.isResumed == isResumed { open.append(socket) }
                }
            } catch {
                // It has expired before.
                continue
            }
            guard open.count == 2 else { continue }
            for socket in open {
                await self.expectEnd(of: socket, with: .certificateExpired)
                ended += 1
            }
        }
        #expect(ended == 2)
        listener.close()
        try await serving
    }

    @Test(arguments: TLSProtocolVersion.allCases, EventLoops.allCases)
    func `ends when its grace period is over, if its handler continues after it was told`(
        version: TLSProtocolVersion, loops: EventLoops
    ) async throws {
        let grace = Duration.milliseconds(500)
        let listener = try await self.listener(.endIfRefused(grace: grace), on: loops)
        let (steps, step) = AsyncStream.makeStream(of: String.self)
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming.untilShutdown { try await socket.send(bytes) }
            step.yield("told")
            do {
                for try await bytes in socket.incoming { try await socket.send(bytes) }
                step.yield("finished")
            } catch {
                step.yield("\((error as? SecureSocketError)?.code.description ?? "another error")")
            }
        }
        let socket = try await self.connect(to: listener, as: self.clients.client(commonName: "client").identity, version)
        try await self.expectEcho(socket)
        let before = ContinuousClock.now
        try await listener.update(tls: self.server(revoking: [], trusting: DevelopmentAuthority(commonName: "others")))
        await self.expectEnd(of: socket, with: .unknownCA)
        #expect(ContinuousClock.now - before >= grace)
        var iterator = steps.makeAsyncIterator()
        #expect(await iterator.next() == "told")
        #expect(await iterator.next() == "\(SecureSocketError.Code.certificateVerificationFailed)")
        socket.close()
        listener.close()
        try await serving
    }

    /// A handshake that an update finds under way is completed by the former rules.
    @Test(arguments: TLSProtocolVersion.allCases, EventLoops.allCases)
    func `ends at once if its client was refused by an update during the handshake`(
        version: TLSProtocolVersion, loops: EventLoops
    ) async throws {
        let gate = Gate()
        let tls = try TLSServerConfiguration(
            identity: self.authority.server().identity, clients: .required(trust: self.clients.trust, allow: gate.rule))
        let listener = try await self.listener(.endIfRefused(grace: .zero), tls, on: loops)
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        let identity = try self.clients.client(commonName: "client").identity
        let connecting = Task { try await self.connect(to: listener, as: identity, version) }
        await gate.hasBeenAsked(1)
        try await listener.update(tls: self.server(revoking: [], trusting: DevelopmentAuthority(commonName: "others")))
        gate.open()
        await self.expectEnd(of: try await connecting.value, with: .unknownCA)
        #expect(listener.statistics.completedHandshakes == 1)
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
