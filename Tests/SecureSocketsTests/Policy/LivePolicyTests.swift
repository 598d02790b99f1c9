import NIOCore
import SecureSockets
import SecureSocketsTesting
import Synchronization
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

    /// The number of the last update that is known to be complete.
    private final class Present: Sendable {
        let update = Atomic<Int>(0)
    }

    @Test func `is replaced many times while clients come and others stay`() async throws {
        let listener = try await self.listener(TLSServerConfiguration(identity: self.identity(0)))
        let identities = try (0..<40).map { try self.identity($0) }
        try await self.echo(listener) {
            var open: [SecureSocket] = []
            for _ in 0..<10 { open.append(try await self.connect(to: listener)) }
            let present = Present()
            let updates = Task {
                for update in 1...400 {
                    try await listener.update(tls: TLSServerConfiguration(identity: identities[update % 40]))
                    present.update.store(update, ordering: .sequentiallyConsistent)
                    await Task.yield()
                }
            }
            let clients = (0..<3).map { _ in
                Task {
                    for _ in 0..<40 {
                        let first = present.update.load(ordering: .sequentiallyConsistent)
                        let socket = try await self.connect(to: listener)
                        let last = present.update.load(ordering: .sequentiallyConsistent)
                        // The update after the last one that is known may have happened already.
                        let permitted = Set((first...last + 1).map { "test:\($0 % 40)" })
                        #expect(permitted.contains(self.number(socket) ?? ""))
                        try await socket.send("hello")
                        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
                        socket.close()
                    }
                }
            }
            for client in clients { try await client.value }
            try await updates.value
            for socket in open {
                #expect(self.number(socket) == "test:0")
                try await socket.send("hello")
                #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
                socket.close()
            }
        }
    }
}
