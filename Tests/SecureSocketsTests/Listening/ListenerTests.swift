import NIOCore
import NIOPosix
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

@testable import SecureSockets

@Suite(.timeLimit(.minutes(5))) struct `A listener` {
    private let certificates: TestCertificates

    init() throws { self.certificates = try TestCertificates.shared.get() }

    private func listener(_ listening: ListenerOptions = .patient) async throws -> SecureListener {
        try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: listening)
    }

    private func connect(to listener: SecureListener) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: self.certificates.clientConfiguration(),
            timeout: Encounter.patience)
    }

    @Test func `serves no more connections at a time than it may`() async throws {
        let listener = try await self.listener()
        let atOnce = Mutex((now: 0, most: 0))
        let serving = Task {
            try await listener.serve(maximumConnections: 2) { socket in
                atOnce.withLock { count in
                    count.now += 1
                    count.most = max(count.most, count.now)
                }
                for try await message in socket.incoming { try await socket.send(message) }
                atOnce.withLock { $0.now -= 1 }
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<12 {
                // On event loops: those at the end of the queue wait for all the others, and must not wait for other tests as well.
                group.addTask(executorPreference: SocketEventLoopGroup.shared.nextLoopTask().taskExecutor) {
                    let socket = try await self.connect(to: listener)
                    try await socket.send("x")
                    _ = try await socket.receive(exactly: 1)
                    try await socket.closeWriting()
                    #expect(try await socket.receive() == nil)
                }
            }
            try await group.waitForAll()
        }
        #expect(atOnce.withLock { $0.most } <= 2)
        listener.close()
        try await serving.value
    }

    @Test func `has silent clients give way when they keep the others out`() async throws {
        var options = ListenerOptions.patient
        options.handshakeTimeout = nil
        options.maximumHandshakes = 3
        let listener = try await self.listener(options)
        let failures = Mutex<[SecureSocketError]>([])
        let serving = Task {
            try await listener.serve(handshakeFailed: { error, _ in failures.withLock { $0.append(error) } }) { _ in }
        }
        let silent = try (0..<3).map { _ in try RawSocket.connect(to: listener.localEndpoint.port) }
        defer { silent.forEach { $0.close() } }
        let good = try await self.connect(to: listener)
        #expect(try await good.receive() == nil)
        good.close()
        listener.close()
        try await serving.value
        // One made room for the good one; the others were silent when the listener was closed.
        #expect(failures.withLock { $0.map(\.code) } == [.timedOut, .closed, .closed])
    }

    @Test func `ends serving although a client is silent in its handshake`() async throws {
        var options = ListenerOptions.patient
        options.handshakeTimeout = nil
        let listener = try await self.listener(options)
        let served = Mutex(0)
        let serving = Task { try await listener.serve { _ in served.withLock { $0 += 1 } } }
        let silent = try RawSocket.connect(to: listener.localEndpoint.port)
        defer { silent.close() }
        // A good one behind it shows that the silent one is in its handshake by now.
        let good = try await self.connect(to: listener)
        #expect(try await good.receive() == nil)
        good.close()
        listener.close()
        try await serving.value
        #expect(served.withLock { $0 } == 1)
    }

    @Test func `drains when its task is cancelled: handlers end, and what they sent arrives`() async throws {
        let listener = try await self.listener()
        let serving = Task {
            try await listener.serve { socket in
                try await socket.send("sent before the end")
                _ = try await socket.receive()
            }
        }
        let socket = try await self.connect(to: listener)
        #expect(try await socket.receive(exactly: 4) == ByteBuffer(string: "sent"))
        serving.cancel()
        #expect(try await socket.receive() == ByteBuffer(string: " before the end"))
        // The handler has thrown: the client can tell that it was cut off.
        let error = await #expect(throws: SecureSocketError.self) { try await socket.receive() }
        #expect(error?.code == .truncated)
        socket.close()
        try await serving.value
        #expect(listener.isClosed)
    }

    @Test func `gives its handlers the task-local values of whoever serves`() async throws {
        enum Local { @TaskLocal static var name = "none" }
        let listener = try await self.listener()
        let serving = Task {
            try await Local.$name.withValue("of the server") {
                try await listener.serve { socket in try await socket.send(Local.name) }
            }
        }
        let socket = try await self.connect(to: listener)
        #expect(try await socket.receive(exactly: 13) == ByteBuffer(string: "of the server"))
        socket.close()
        listener.close()
        try await serving.value
    }

    @Test func `returns from serving when the last of many handlers has returned`() async throws {
        let listener = try await self.listener()
        let ended = Mutex(0)
        let serving = Task {
            try await listener.serve { socket in
                defer { ended.withLock { $0 += 1 } }
                for try await bytes in socket.incoming { try await socket.send(bytes) }
            }
            #expect(ended.withLock { $0 } == 20)
        }
        var sockets: [SecureSocket] = []
        for _ in 0..<20 {
            let socket = try await self.connect(to: listener)
            try await socket.send("served")
            _ = try await socket.receive(exactly: 6)
            sockets.append(socket)
        }
        listener.close()
        for socket in sockets { socket.close() }
        try await serving.value
    }

    @Test(arguments: [true, false])
    func `shares its port with another, if both are asked to`(isOnNIO: Bool) async throws {
        let group: any EventLoopGroup = isOnNIO ? .singletonMultiThreadedEventLoopGroup : SocketEventLoopGroup.shared
        var options = ListenerOptions.patient
        options.reusePort = true
        let tls = try self.certificates.serverConfiguration()
        let one = try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: tls, options: options, on: group)
        let port = one.localEndpoint.port
        let other = try await SecureListener.bind(host: "127.0.0.1", port: port, tls: tls, options: options, on: group)
        #expect(other.localEndpoint.port == port)
        let error = await #expect(throws: SecureSocketError.self) {
            _ = try await SecureListener.bind(host: "127.0.0.1", port: port, tls: tls, on: group)
        }
        #expect(error?.code == .addressInUse)
        one.close()
        await one.waitUntilClosed()
        async let accepted = other.accept(timeout: Encounter.patience)
        let client = try await self.connect(to: other)
        try await accepted.send("from the one that is left")
        #expect(try await client.receive(exactly: 4) == ByteBuffer(string: "from"))
        other.close()
    }

    @Test func `ends the accepts that wait when it is closed, also those in a handshake`() async throws {
        var options = ListenerOptions.patient
        options.handshakeTimeout = nil
        let listener = try await self.listener(options)
        let silent = try RawSocket.connect(to: listener.localEndpoint.port)
        defer { silent.close() }
        // The first takes the silent client, the second the good one; when the second is done, the first is in its handshake.
        await withTaskGroup(of: Result<SecureSocket, any Error>.self) { group in
            for _ in 0..<2 { group.addTask { await Result.catching { try await listener.accept() } } }
            let good = await Result.catching { try await self.connect(to: listener) }
            guard case .success = good, case .success? = await group.next() else {
                Issue.record("the good client was not accepted")
                return listener.close()
            }
            listener.close()
            guard case .failure(let error)? = await group.next() else {
                Issue.record("the silent client was accepted")
                return
            }
            #expect((error as? SecureSocketError)?.code == .closed)
        }
    }

    @Test func `takes no client from the queue that no call of accept is there for`() async throws {
        let listener = try await self.listener()
        let first = Task { try await self.connect(to: listener) }
        let accepted = try await listener.accept()
        let second = Task { try await self.connect(to: listener) }
        _ = try await first.value
        await #expect(throws: SecureSocketError.self) { try await listener.accept(timeout: .zero) }
        let other = try await listener.accept(timeout: Encounter.patience)
        #expect(accepted != other)
        _ = try await second.value
    }

    @Test(arguments: ["127.0.0.1", "0.0.0.0", "::ffff:0.0.0.0"])
    func `tells the addresses of its connections, wherever it listens`(host: String) async throws {
        let listener = try await SecureListener.bind(
            host: host, port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: .patient)
        async let accepting = listener.accept(timeout: Encounter.patience)
        let client = try await self.connect(to: listener)
        let accepted = try await accepting
        #expect(accepted.localEndpoint == client.remoteEndpoint)
        #expect(accepted.remoteEndpoint == client.localEndpoint)
        #expect(accepted.localEndpoint?.host == "127.0.0.1")
        listener.close()
    }

    @Test func `belongs to one mailbox at a time, and ends with that`() async throws {
        let listener = try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration())
        let (first, second) = (Mailbox(), Mailbox())
        try listener.setOwner(first)
        #expect(throws: SecureSocketError.self) { try listener.setOwner(second, from: second) }
        try listener.setOwner(second, from: first)
        first.close()
        #expect(!listener.isClosed)
        second.close()
        #expect(listener.isClosed)
        let error = #expect(throws: SecureSocketError.self) { try listener.setOwner(Mailbox()) }
        #expect(error?.code == .closed)
        await listener.waitUntilClosed()
    }

    @Test func `is closed by a mailbox that has been closed`() async throws {
        let listener = try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration())
        let mailbox = Mailbox()
        mailbox.close()
        try listener.setOwner(mailbox)
        #expect(listener.isClosed)
        await listener.waitUntilClosed()
    }

    @Test func `leaves a client in the queue to the next call when there is no time at all`() async throws {
        // On one loop, where a client could be taken before the time is looked at.
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: .patient,
            on: group)
        let client = try RawSocket.connect(to: listener.localEndpoint.port)
        defer { client.close() }
        for _ in 0..<3 {
            let error = await #expect(throws: SecureSocketError.self) { try await listener.accept(timeout: .zero) }
            #expect(error?.code == .timedOut)
        }
        try client.send(Array("no TLS at all".utf8))
        let error = await #expect(throws: SecureSocketError.self) { try await listener.accept(timeout: Encounter.patience) }
        #expect(error?.code == .protocolError)
        listener.close()
        try await group.shutdownGracefully()
    }

    @Test func `a socket that the program lost is closed, and its peer does not take the stream for complete`() async throws {
        let listener = try await self.listener()
        weak var forgotten: SecureSocket?
        func connectAndForget() async throws {
            async let accepted = listener.accept()
            forgotten = try await self.connect(to: listener)
            let server = try await accepted
            await expectError(.truncated) { _ = try await server.receive() }
        }
        try await connectAndForget()
        #expect(forgotten == nil)
    }
}

extension Result where Failure == any Error {
    fileprivate static func catching(_ body: () async throws -> Success) async -> Self {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }
}
