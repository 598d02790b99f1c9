import NIOCore
import SecureSockets
import SecureSocketsTesting
import Synchronization
import TLSEngine
import TestSupport
import Testing

/// `SecureListener.update` and `LiveClientConfiguration`.
@Suite(.timeLimit(.minutes(5))) struct `A policy that is replaced` {
    private let authority: DevelopmentAuthority

    init() throws { self.authority = try DevelopmentAuthority() }

    private func identity(_ number: Int, _ validity: DevelopmentIdentity.Validity = .valid) throws -> TLSIdentity {
        try self.authority.server(names: ["localhost", "127.0.0.1"], uris: ["test:\(number)"], validity: validity).identity
    }

    private func listener(_ tls: TLSServerConfiguration, _ options: ListenerOptions = .patient) async throws -> SecureListener {
        try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: options)
    }

    private func connect(to listener: SecureListener, _ tls: TLSClientConfiguration? = nil) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port,
            tls: tls ?? TLSClientConfiguration(trust: self.authority.trust, parameters: .withoutSessions),
            timeout: Encounter.patience)
    }

    private func echo(_ listener: SecureListener, _ body: () async throws -> Void) async throws {
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        try await body()
        listener.close()
        try await serving
    }

    private func number(_ socket: SecureSocket) -> String? { socket.information.peerCertificate?.uris.first }

    @Test func `serves new clients, and leaves the connections of the former one alone`() async throws {
        let listener = try await self.listener(TLSServerConfiguration(identity: self.identity(1)))
        try await self.echo(listener) {
            let before = try await self.connect(to: listener)
            try await listener.update(tls: TLSServerConfiguration(identity: self.identity(2)))
            let after = try await self.connect(to: listener)
            #expect(self.number(before) == "test:1" && self.number(after) == "test:2")
            for socket in [before, after] {
                try await socket.send("still here")
                #expect(try await socket.receive(exactly: 10) == ByteBuffer(string: "still here"))
                socket.close()
            }
        }
    }

    @Test func `is not replaced by one whose certificate is not valid today`() async throws {
        let listener = try await self.listener(TLSServerConfiguration(identity: self.identity(1)))
        try await self.echo(listener) {
            let expired = try TLSServerConfiguration(identity: self.identity(2, .expired))
            await expectError(.certificateUnusable) { try await listener.update(tls: expired) }
            let socket = try await self.connect(to: listener)
            #expect(self.number(socket) == "test:1")
            socket.close()
        }
    }

    @Test(arguments: [TLSProtocolVersion.tls12, .tls13])
    func `keeps sessions when the certificate was renewed`(version: TLSProtocolVersion) async throws {
        let listener = try await self.listener(TLSServerConfiguration(identity: self.identity(1)))
        try await self.echo(listener) {
            let tls = try TLSClientConfiguration(trust: self.authority.trust, parameters: .init(version))
            for (isResumed, renewal) in [(false, 1), (true, 1)] {
                let socket = try await self.connect(to: listener, tls)
                #expect(socket.information.isResumed == isResumed)
                // The ticket of TLS 1.3 arrives with the answer.
                try await socket.send("x")
                _ = try await socket.receive(exactly: 1)
                socket.close()
                // The same names: the URI would be another name.
                try await listener.update(tls: TLSServerConfiguration(identity: self.identity(renewal)))
            }
        }
    }

    @Test func `of a client is used by connections that begin after the update`() async throws {
        let clients = try DevelopmentAuthority(commonName: "clients")
        let listener = try await self.listener(
            TLSServerConfiguration(identity: self.identity(1), clients: .required(trust: clients.trust)))
        let seen = Mutex<[String]>([])
        async let serving: Void = listener.serve { socket in
            seen.withLock { $0.append(socket.information.peerCertificate?.subject ?? "none") }
            try await socket.send("x")
        }
        func configuration(_ name: String) throws -> TLSClientConfiguration {
            try TLSClientConfiguration(trust: self.authority.trust, identity: clients.client(commonName: name).identity)
        }
        let live = LiveClientConfiguration(try configuration("one"))
        let tls = live.configuration
        for name in ["two", "three"] {
            let socket = try await self.connect(to: listener, tls)
            #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
            socket.close()
            live.update(tls: try configuration(name))
        }
        let socket = try await self.connect(to: listener, tls)
        #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
        socket.close()
        listener.close()
        try await serving
        #expect(seen.withLock { $0 } == ["CN=one", "CN=two", "CN=three"])
    }

    /// The updates so far, and the settings that they brought.
    private final class Updates: Sendable {
        private struct Settings: Sendable {
            weak var context: TLSContext?
        }

        /// The number of the last update that is known to be complete.
        let last = Atomic<Int>(0)
        let areComplete = Atomic<Bool>(false)
        private let settings = Mutex<[Settings]>([])

        func add(_ tls: TLSServerConfiguration) { self.settings.withLock { $0.append(Settings(context: tls.context)) } }

        /// The number of settings that are still in memory.
        var alive: Int { self.settings.withLock { $0.count { $0.context != nil } } }
    }

    /// The settings of every fourth client: both versions, with and without sessions.
    private func clients() throws -> [TLSClientConfiguration] {
        try [Duration.zero, nil].flatMap { lifetime in
            try TLSProtocolVersion.allCases.map { version in
                var parameters = TLSParameters(version)
                parameters.sessionLifetime = lifetime
                return try TLSClientConfiguration(
                    trust: self.authority.trust, sessions: TLSSessionCache(), parameters: parameters)
            }
        }
    }

    /// Has each of these connections send bytes of its own and receive them back, in four tasks.
    private func exchange(_ sockets: [SecureSocket], round: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<4 {
                group.addTask {
                    for index in stride(from: part, to: sockets.count, by: 4) {
                        let bytes = ByteBuffer(string: "round \(round) of connection \(index)")
                        try await sockets[index].send(bytes)
                        #expect(try await sockets[index].receive(exactly: bytes.readableBytes) == bytes)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `is replaced 2,000 times while clients connect and 500 open connections exchange bytes`() async throws {
        let listener = try await self.listener(TLSServerConfiguration(identity: self.identity(0)))
        let updates = Updates()
        try await self.echo(listener) {
            let settings = try self.clients()
            var opened: [SecureSocket] = []
            for number in 0..<500 {
                let socket = try await self.connect(to: listener, settings[number % settings.count])
                // The ticket of TLS 1.3 arrives with the answer.
                try await socket.send("x")
                #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
                opened.append(socket)
            }
            let open = opened
            // All with sessions, except the first of each version.
            #expect(open.count { $0.information.isResumed } == 248)
            // Every hundredth update waits for a client, so that neither the updates nor the clients are over before the others begin.
            let (connected, connects) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            let updating = Task {
                defer { updates.areComplete.store(true, ordering: .sequentiallyConsistent) }
                var exchange: Task<Void, any Error>?
                for update in 1...2000 {
                    if update.isMultiple(of: 100) { for await _ in connected { break } }
                    // Each of the open connections exchanges bytes during each two hundred updates.
                    if update % 200 == 1 {
                        try await exchange?.value
                        exchange = Task { try await self.exchange(open, round: update / 200) }
                    }
                    let tls = try TLSServerConfiguration(identity: self.identity(update))
                    updates.add(tls)
                    try await listener.update(tls: tls)
                    updates.last.store(update, ordering: .sequentiallyConsistent)
                }
                try await exchange?.value
            }
            let clients = settings.map { tls in
                Task {
                    defer { connects.finish() }
                    var count = 0
                    while !updates.areComplete.load(ordering: .sequentiallyConsistent) {
                        let first = updates.last.load(ordering: .sequentiallyConsistent)
                        let socket = try await self.connect(to: listener, tls)
                        let last = updates.last.load(ordering: .sequentiallyConsistent)
                        // The update after the last one that is known may have happened already.
                        #expect((first...last + 1).contains(self.number(socket).flatMap { Int($0.dropFirst(5)) } ?? -1))
                        try await socket.send("hello")
                        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
                        socket.close()
                        count += 1
                        connects.yield()
                    }
                    return count
                }
            }
            try await updating.value
            var connections = 0
            for client in clients { connections += try await client.value }
            #expect(connections >= 20)
            try await self.exchange(open, round: 10)
            for socket in open {
                #expect(self.number(socket) == "test:0")
                socket.close()
            }
            for socket in open { try await socket.waitUntilClosed() }
            #expect(listener.statistics.failedHandshakes.isEmpty)
            #expect(listener.statistics.configurationGeneration == 2001)
        }
        // The present settings, and none of the former.
        #expect(updates.alive == 1)
    }
}
