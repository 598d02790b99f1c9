import Foundation
import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// A listener that is updated from files while clients are connected to it.
@Suite(.timeLimit(.minutes(5))) struct `A server that follows its files` {
    private let folder: TemporaryDirectory
    private let authority: DevelopmentAuthority
    private let clients: DevelopmentAuthority
    private let a: DevelopmentIdentity
    private let b: DevelopmentIdentity
    private let files: TLSFiles

    init() throws {
        self.folder = try TemporaryDirectory()
        self.authority = try DevelopmentAuthority()
        self.clients = try DevelopmentAuthority(commonName: "clients")
        self.a = try self.clients.client(commonName: "a")
        self.b = try self.clients.client(commonName: "b")
        self.files = TLSFiles(
            certificateChain: self.folder.path(of: "tls.crt"), privateKey: self.folder.path(of: "tls.key"),
            clientTrust: self.folder.path(of: "ca.crt"), revocationLists: self.folder.path(of: "clients.crl"))
        try self.write(self.authority.server())
        try self.folder.replace("ca.crt", with: self.clients.certificatePEM)
        try self.folder.replace("clients.crl", with: self.clients.revocationList(of: []))
    }

    private func write(_ server: DevelopmentIdentity) throws {
        try self.folder.replace("tls.crt", with: server.certificateChainPEM)
        try self.folder.replace("tls.key", with: server.privateKeyPEM)
    }

    /// The server, and the events of its files.
    private struct Served {
        let listener: SecureListener
        let events: AsyncStream<TLSFiles.Event.Kind>

        /// The kinds of the next events.
        func next(_ count: Int) async -> [TLSFiles.Event.Kind] {
            var kinds: [TLSFiles.Event.Kind] = []
            while kinds.count < count, let kind = await self.events.first(where: { _ in true }) { kinds.append(kind) }
            return kinds
        }

        /// Waits until new files are in use. Files that are replaced one after the other may be found before the last one is.
        func untilLoaded() async {
            for await kind in self.events {
                if kind == .loaded { return }
                #expect(kind == .retrying || kind == .recovered)
            }
        }
    }

    private func serve(
        _ version: TLSProtocolVersion, _ loops: EventLoops, _ dialogue: (Served) async throws -> Void
    ) async throws {
        @Sendable func configuration(_ snapshot: TLSFiles.Snapshot) throws -> TLSServerConfiguration {
            try TLSServerConfiguration(
                identity: snapshot.identity, clients: .required(trust: #require(snapshot.clientTrust)),
                parameters: TLSParameters(version))
        }
        let first = try self.files.load()
        var options = ListenerOptions.patient
        options.openConnections = .endIfRefused(grace: .zero)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: configuration(first), socketOptions: .patient, options: options, on: loops.group)
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        let (kinds, report) = AsyncStream.makeStream(of: TLSFiles.Event.Kind.self)
        let following = Task { [files] in
            try await files.follow(every: .milliseconds(100), startingFrom: first, report: { report.yield($0.kind) }) {
                try await listener.update(tls: configuration($0))
            }
        }
        try await dialogue(Served(listener: listener, events: kinds))
        following.cancel()
        try await following.value
        listener.close()
        try await serving
    }

    /// The settings of a client, with sessions of its own.
    private func settings(_ client: DevelopmentIdentity) throws -> TLSClientConfiguration {
        try TLSClientConfiguration(trust: self.authority.trust, identity: client.identity, sessions: TLSSessionCache())
    }

    private func connect(_ tls: TLSClientConfiguration, _ served: Served, _ loops: EventLoops) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: served.listener.localEndpoint.port, tls: tls, timeout: Encounter.patience, on: loops.group)
    }

    private func expectEcho(_ socket: SecureSocket) async throws {
        try await socket.send("hello")
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
    }

    @Test(arguments: TLSProtocolVersion.allCases, EventLoops.allCases)
    func `shows new clients a renewed certificate, and keeps the connections of the former one`(
        version: TLSProtocolVersion, loops: EventLoops
    ) async throws {
        try await self.serve(version, loops) { served in
            let tls = try self.settings(self.b)
            let before = try await self.connect(tls, served, loops)
            try await self.expectEcho(before)
            let renewed = try self.authority.server()
            try self.write(renewed)
            await served.untilLoaded()
            let after = try await self.connect(self.settings(self.b), served, loops)
            let number = after.information.peerCertificate?.serialNumber
            #expect(number == renewed.certificate.serialNumber)
            #expect(before.information.peerCertificate?.serialNumber != number)
            for socket in [before, after] {
                try await self.expectEcho(socket)
                socket.close()
            }
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases, EventLoops.allCases)
    func `ends the connections of a client that a new list revokes, and refuses it from then on`(
        version: TLSProtocolVersion, loops: EventLoops
    ) async throws {
        try await self.serve(version, loops) { served in
            let (ofA, ofB) = (try self.settings(self.a), try self.settings(self.b))
            let (first, second) = (
                try await self.connect(ofA, served, loops), try await self.connect(ofB, served, loops)
            )
            try await self.expectEcho(first)
            try await self.expectEcho(second)
            try self.folder.replace("clients.crl", with: self.clients.revocationList(of: [self.a.certificate], number: 2))
            #expect(await served.next(1) == [.loaded])
            await self.expectRevoked { _ = try await first.receive() }
            // With the session of the first connection, and without.
            for tls in [ofA, try self.settings(self.a)] {
                await self.expectRevoked {
                    // A client of TLS 1.3 learns of it after its own handshake.
                    _ = try await self.connect(tls, served, loops).receive()
                }
            }
            try await self.expectEcho(second)
            let third = try await self.connect(ofB, served, loops)
            try await self.expectEcho(third)
            second.close()
            third.close()
        }
    }

    private func expectRevoked(
        sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
    ) async {
        let error = await #expect(throws: SecureSocketError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.alert == .certificateRevoked, sourceLocation: sourceLocation)
    }

    @Test(arguments: TLSProtocolVersion.allCases, EventLoops.allCases)
    func `serves on while one of its files is unusable, whichever it is`(
        version: TLSProtocolVersion, loops: EventLoops
    ) async throws {
        try await self.serve(version, loops) { served in
            let tls = try self.settings(self.b)
            let open = try await self.connect(tls, served, loops)
            try await self.expectEcho(open)
            func expectService() async throws {
                try await self.expectEcho(open)
                // With a session, and without.
                for tls in [tls, try self.settings(self.b)] {
                    let socket = try await self.connect(tls, served, loops)
                    try await self.expectEcho(socket)
                    socket.close()
                }
            }
            // Each file is repaired with its former content, and the list also with a new one.
            for name in ["tls.crt", "tls.key", "ca.crt", "clients.crl"] {
                let former = try String(contentsOfFile: self.folder.path(of: name), encoding: .utf8)
                try self.folder.replace(name, with: "garbage\n")
                #expect(await served.next(2) == [.retrying, .failed], "\(name)")
                try await expectService()
                try self.folder.replace(name, with: former)
                #expect(await served.next(1) == [.recovered], "\(name)")
                try await expectService()
            }
            try self.folder.replace("clients.crl", with: "garbage\n")
            #expect(await served.next(2) == [.retrying, .failed])
            try self.folder.replace("clients.crl", with: self.clients.revocationList(of: [], number: 2))
            #expect(await served.next(2) == [.recovered, .loaded])
            try await expectService()
            #expect(served.listener.statistics.configurationGeneration == 2)
            open.close()
        }
    }
}
