import Foundation
import NIOCore
import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSockets

@Suite(.timeLimit(.minutes(2))) struct `A session cache` {
    private let authority: DevelopmentAuthority
    private let identity: TLSIdentity
    private let secret: TLSSessionCache.Secret
    private let keys = TicketKeys()
    private let directory: TemporaryDirectory

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.identity = try self.authority.server(names: ["service.test", "other.test"]).identity
        self.secret = try .init(Array(0..<48))
        self.directory = try TemporaryDirectory()
    }

    private func listener(_ parameters: TLSParameters = TLSParameters()) async throws -> SecureListener {
        var options = ListenerOptions.patient
        options.ticketKeys = self.keys
        return try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: self.identity, parameters: parameters),
            options: options)
    }

    private func client(
        _ sessions: TLSSessionCache, group: String? = nil, name: String = "service.test", _ version: TLSProtocolVersion = .tls13
    ) throws -> TLSClientConfiguration {
        try TLSClientConfiguration(
            trust: self.authority.trust, serverName: name, sessions: sessions, sessionGroup: group, parameters: .init(version))
    }

    /// Connects, receives the first byte with the tickets, and returns the reason for a full handshake at the client.
    private func meet(_ listener: SecureListener, _ tls: TLSClientConfiguration) async throws -> FullHandshakeReason? {
        async let accepted = listener.accept(timeout: Encounter.patience)
        let socket = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls, timeout: Encounter.patience)
        let server = try await accepted
        try await server.send("x")
        #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
        #expect(socket.information.isResumed == (socket.information.fullHandshakeReason == nil))
        socket.close()
        server.close()
        return socket.information.fullHandshakeReason
    }

    private var path: String { self.directory.path(of: "sessions") }
    private var files: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: self.directory.path) } }

    // MARK: Caches and groups

    @Test(arguments: [TLSProtocolVersion.tls12, .tls13]) func `has the sessions of the configurations with it, and no others`(
        version: TLSProtocolVersion
    ) async throws {
        let listener = try await self.listener()
        let (one, two) = (TLSSessionCache(), TLSSessionCache())
        #expect(try await self.meet(listener, self.client(one, version)) == .noSession)
        #expect(try await self.meet(listener, self.client(two, version)) == .noSession)
        #expect(try await self.meet(listener, self.client(one, version)) == nil)
        #expect(one.count == 1 && two.count == 1)
        #expect(one != two && "\(one)" == "1 sessions")
        one.removeAll()
        #expect(one.count == 0)
        #expect(try await self.meet(listener, self.client(one, version)) == .noSession)
        listener.close()
    }

    @Test func `is the one of the settings that replace others`() async throws {
        let listener = try await self.listener()
        let (one, two) = (TLSSessionCache(), TLSSessionCache())
        let live = try LiveClientConfiguration(self.client(one))
        #expect(try await self.meet(listener, live.configuration) == .noSession)
        try live.update(tls: self.client(two))
        #expect(try await self.meet(listener, live.configuration) == .noSession)
        try live.update(tls: self.client(one))
        #expect(try await self.meet(listener, live.configuration) == nil)
        listener.close()
    }

    @Test(arguments: [TLSProtocolVersion.tls12, .tls13]) func `shares sessions among the servers of a group only`(
        version: TLSProtocolVersion
    ) async throws {
        let (first, second) = try (await self.listener(), await self.listener())
        let sessions = TLSSessionCache()
        #expect(try await self.meet(first, self.client(sessions, version)) == .noSession)
        #expect(try await self.meet(second, self.client(sessions, version)) == .noSession)

        let orders = try self.client(sessions, group: "orders", version)
        #expect(try await self.meet(first, orders) == .noSession)
        #expect(try await self.meet(second, orders) == nil)
        #expect(try await self.meet(first, orders) == nil)
        #expect(try await self.meet(second, self.client(sessions, group: "bills", version)) == .noSession)
        #expect(
            try await self.meet(second, self.client(sessions, group: "orders", name: "other.test", version)) == .differentName)
        first.close()
        second.close()
    }

    @Test func `does not take a group for an endpoint`() async throws {
        let listener = try await self.listener()
        let sessions = TLSSessionCache()
        _ = try await self.meet(listener, self.client(sessions))
        let endpoint = "127.0.0.1:\(listener.localEndpoint.port)"
        #expect(try await self.meet(listener, self.client(sessions, group: endpoint)) == .noSession)
        #expect(try await self.meet(listener, self.client(sessions)) == nil)
        listener.close()
    }

    @Test func `has a reason for the full handshakes of a client`() async throws {
        var parameters = TLSParameters()
        parameters.sessionTickets = 0
        let (silent, listener) = try (await self.listener(parameters), await self.listener())
        let sessions = TLSSessionCache()
        #expect(try await self.meet(silent, self.client(sessions)) == .noSession)
        #expect(try await self.meet(silent, self.client(sessions)) == .notIssued)
        _ = try await self.meet(listener, self.client(sessions))
        self.keys.removeAll()
        #expect(try await self.meet(listener, self.client(sessions)) == .declinedByServer)
        silent.close()
        listener.close()
    }

    @Test(arguments: [0, 65_537]) func `refuses a capacity that is not possible`(capacity: Int) async {
        await expectError(.invalidArgument, containing: "capacity of a session cache is \(capacity)") {
            _ = try TLSSessionCache(capacity: capacity)
        }
    }

    @Test(arguments: [0, 257]) func `refuses a number of sessions per server that is not possible`(count: Int) async {
        await expectError(.invalidArgument, containing: "sessionsPerServer is \(count)") {
            _ = try TLSSessionCache(sessionsPerServer: count)
        }
    }

    @Test(arguments: [0, 256]) func `refuses a group whose text is not possible`(length: Int) async {
        await expectError(.invalidArgument, containing: "sessionGroup has \(length) bytes") {
            _ = try TLSClientConfiguration(sessionGroup: String(repeating: "a", count: length))
        }
    }

    // MARK: Bytes

    @Test(arguments: [TLSProtocolVersion.tls12, .tls13]) func `is exported and restored`(version: TLSProtocolVersion) async throws
    {
        let listener = try await self.listener()
        let (one, two) = (TLSSessionCache(), TLSSessionCache())
        _ = try await self.meet(listener, self.client(one, version))
        let bytes = try one.export(sealedWith: self.secret, removing: true)
        #expect(one.count == 0)
        #expect(try two.restore(bytes, sealedWith: self.secret) == 1)
        #expect(try await self.meet(listener, self.client(two, version)) == nil)
        listener.close()
    }

    @Test func `says why bytes cannot be restored`() async throws {
        let sessions = TLSSessionCache()
        let bytes = try sessions.export(sealedWith: self.secret)
        let other = try TLSSessionCache.Secret(Array(1..<49))
        await expectError(.invalidConfiguration, containing: "another secret, or are damaged") {
            try sessions.restore(bytes, sealedWith: other)
        }
        await expectError(.invalidConfiguration, containing: "not an export") {
            try sessions.restore(Array("hello".utf8), sealedWith: self.secret)
        }
        await expectError(.invalidConfiguration, containing: "version 2") {
            try sessions.restore(bytes.prefix(7) + [2] + bytes.dropFirst(8), sealedWith: self.secret)
        }
        await expectError(.invalidConfiguration, containing: "larger than 16 MiB") {
            try sessions.restore(bytes + Array(repeating: 0, count: 20 << 20), sealedWith: self.secret)
        }
    }

    // MARK: Files

    @Test(arguments: [TLSProtocolVersion.tls12, .tls13]) func `is passed on in a file, once`(
        version: TLSProtocolVersion
    ) async throws {
        let listener = try await self.listener()
        let (one, two) = (TLSSessionCache(), TLSSessionCache())
        _ = try await self.meet(listener, self.client(one, version))
        #expect(try await one.export(toFile: self.path, sealedWith: self.secret) == 1)
        #expect(one.count == 0)
        #expect(try self.files == ["sessions"])
        #expect(try FileManager.default.attributesOfItem(atPath: self.path)[.posixPermissions] as? Int == 0o600)

        #expect(try await two.restore(fromFile: self.path, sealedWith: self.secret) == 1)
        #expect(try self.files == [])
        #expect(try await one.restore(fromFile: self.path, sealedWith: self.secret) == 0)
        #expect(try await self.meet(listener, self.client(two, version)) == nil)
        listener.close()
    }

    @Test func `is passed on to one of those that restore a file at the same time`() async throws {
        let listener = try await self.listener()
        let sessions = TLSSessionCache()
        for _ in 1...20 {
            _ = try await self.meet(listener, self.client(sessions))
            #expect(try await sessions.export(toFile: self.path, sealedWith: self.secret) == 1)
            let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 1...8 {
                    group.addTask { try await TLSSessionCache().restore(fromFile: self.path, sealedWith: self.secret) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(counts.sorted() == [0, 0, 0, 0, 0, 0, 0, 1])
            #expect(try self.files == [])
        }
        listener.close()
    }

    @Test func `writes no file if it is empty, and replaces one otherwise`() async throws {
        let listener = try await self.listener()
        let sessions = TLSSessionCache()
        #expect(try await sessions.export(toFile: self.path, sealedWith: self.secret) == 0)
        #expect(try self.files == [])
        _ = try self.directory.write("something else", to: "sessions")
        _ = try await self.meet(listener, self.client(sessions))
        #expect(try await sessions.export(toFile: self.path, sealedWith: self.secret) == 1)
        #expect(try await sessions.restore(fromFile: self.path, sealedWith: self.secret) == 1)
        listener.close()
    }

    @Test func `leaves a file in its place that cannot be used`() async throws {
        let sessions = TLSSessionCache()
        let text = "not sessions, although long enough to be"
        _ = try self.directory.write(text, to: "sessions")
        await expectError(.invalidConfiguration, containing: "\(self.path) are not an export") {
            try await sessions.restore(fromFile: self.path, sealedWith: self.secret)
        }
        #expect(try self.files == ["sessions"])
        #expect(try String(contentsOfFile: self.path, encoding: .utf8) == text)
    }

    @Test func `restores neither links nor folders`() async throws {
        let sessions = TLSSessionCache()
        let target = try self.directory.write("a file", to: "target")
        try FileManager.default.createSymbolicLink(atPath: self.path, withDestinationPath: target)
        await expectError(.invalidConfiguration, containing: "not a regular file") {
            try await sessions.restore(fromFile: self.path, sealedWith: self.secret)
        }
        #expect(try self.files.sorted() == ["sessions", "target"])
        let folder = try self.directory.makeFolder("folder")
        await expectError(.invalidConfiguration, containing: "not a regular file") {
            try await sessions.restore(fromFile: folder, sealedWith: self.secret)
        }
        #expect(try self.files.sorted() == ["folder", "sessions", "target"])
    }

    @Test func `keeps its sessions if they cannot be written`() async throws {
        let listener = try await self.listener()
        let sessions = TLSSessionCache()
        _ = try await self.meet(listener, self.client(sessions))
        let path = self.directory.path(of: "missing/sessions")
        await expectError(.system, containing: "\(path) cannot be written") {
            try await sessions.export(toFile: path, sealedWith: self.secret)
        }
        #expect(sessions.count == 1)
        #expect(try await self.meet(listener, self.client(sessions)) == nil)
        listener.close()
    }

    @Test func `tells a missing folder, or a path that is none, from a missing file`() async throws {
        let sessions = TLSSessionCache()
        let missing = self.directory.path(of: "missing/sessions")
        await expectError(.system, containing: "\(missing) cannot be read") {
            try await sessions.restore(fromFile: missing, sealedWith: self.secret)
        }
        for path in ["", "a\0b"] {
            await expectError(.invalidArgument, containing: "the path for sessions") {
                try await sessions.restore(fromFile: path, sealedWith: self.secret)
            }
            await expectError(.invalidArgument, containing: "the path for sessions") {
                try await sessions.export(toFile: path, sealedWith: self.secret)
            }
        }
    }

    @Test func `is not waited for by a task that is cancelled`() async throws {
        let sessions = TLSSessionCache()
        let task = Task { [path, secret] in
            withUnsafeCurrentTask { $0?.cancel() }
            _ = try await sessions.restore(fromFile: path, sealedWith: secret)
        }
        await expectError(.cancelled) { try await task.value }
    }
}
