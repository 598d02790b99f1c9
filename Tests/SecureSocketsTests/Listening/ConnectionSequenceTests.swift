import NIOCore
import SecureSockets
import TestSupport
import Testing

/// `SecureListener.connections`, `withConnection`, and a mailbox as a sequence.
@Suite(.timeLimit(.minutes(5))) struct `Connections as a sequence` {
    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    private func listener(_ listening: ListenerOptions = .patient) async throws -> SecureListener {
        try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: listening)
    }

    private func connect(to listener: SecureListener) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: self.certificates.clientConfiguration(),
            timeout: Encounter.patience)
    }

    @Test func `come one by one, while others are silent or fail, until the listener is closed`() async throws {
        let listener = try await self.listener()
        let serving = Task {
            var count = 0
            try await withThrowingTaskGroup(of: Void.self) { group in
                for try await socket in listener.connections {
                    count += 1
                    group.addTask {
                        for try await bytes in socket.incoming { try await socket.send(bytes) }
                        socket.close()
                    }
                }
                try await group.waitForAll()
            }
            return count
        }
        let silent = try (0..<100).map { _ in try RawSocket.connect(to: listener.localEndpoint.port) }
        let garbage = try RawSocket.connect(to: listener.localEndpoint.port)
        try garbage.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        for _ in 0..<20 {
            let socket = try await self.connect(to: listener)
            try await socket.send("echo")
            #expect(try await socket.receive(exactly: 4) == ByteBuffer(string: "echo"))
            socket.close()
        }
        listener.close()
        #expect(try await serving.value == 20)
        (silent + [garbage]).forEach { $0.close() }
    }

    @Test func `wait for the program, a bounded number of them`() async throws {
        let listener = try await self.listener()
        var iterator = listener.connections.makeAsyncIterator()
        async let first = self.connect(to: listener)
        _ = try #require(try await iterator.next())
        _ = try await first
        // More than may be established and wait: the last ones complete when the program takes the first.
        let clients = (0..<80).map { _ in Task { try await self.connect(to: listener) } }
        for _ in 0..<80 { _ = try #require(try await iterator.next()) }
        for client in clients { try await client.value.close() }
        listener.close()
        #expect(try await iterator.next() == nil)
        #expect(try await iterator.next() == nil)
    }

    @Test func `are not lost when an iteration is cancelled`() async throws {
        let listener = try await self.listener()
        let waiting = Task { () -> SecureSocketError.Code? in
            do {
                for try await _ in listener.connections {}
                return nil
            } catch {
                return (error as? SecureSocketError)?.code
            }
        }
        waiting.cancel()
        #expect(await waiting.value == .cancelled)
        let client = try await self.connect(to: listener)
        var iterator = listener.connections.makeAsyncIterator()
        let socket = try #require(try await iterator.next())
        try await socket.send("hello")
        #expect(try await client.receive() == ByteBuffer(string: "hello"))
    }

    @Test func `that were not taken are closed with the listener`() async throws {
        var listener: SecureListener? = try await self.listener()
        var iterator = listener?.connections.makeAsyncIterator()
        let port = try #require(listener).localEndpoint.port
        async let first = SecureSocket.connect(to: "127.0.0.1", port: port, tls: self.certificates.clientConfiguration())
        let one = try await iterator?.next()
        _ = try await first
        let unclaimed = try await self.connect(to: #require(listener))
        iterator = nil
        listener = nil
        #expect(try await unclaimed.receive() == nil)
        one?.close()
    }

    @Test func `are not iterated and served at the same time`() async throws {
        let listener = try await self.listener()
        var iterator = listener.connections.makeAsyncIterator()
        async let connecting = self.connect(to: listener)
        _ = try await iterator.next()
        _ = try await connecting
        let error = await #expect(throws: SecureSocketError.self) { try await listener.serve { _ in } }
        #expect(error?.code == .wrongMode)
        let other = try await self.listener()
        let serving = Task { try await other.serve { _ in } }
        let client = try await self.connect(to: other)
        var second = other.connections.makeAsyncIterator()
        await expectError(.wrongMode) { _ = try await second.next() }
        client.close()
        other.close()
        try await serving.value
    }

    // MARK: withConnection

    @Test func `a connection for a body is closed when the body returns, and cut off when it throws`() async throws {
        struct Refusal: Error {}
        let listener = try await self.listener()
        let tls = try self.certificates.clientConfiguration()
        async let whole = listener.accept(timeout: Encounter.patience)
        let count = try await SecureSocket.withConnection(to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls) {
            socket in
            try await socket.send("all of it")
            return 7
        }
        #expect(count == 7)
        let server = try await whole
        #expect(try await server.receive() == ByteBuffer(string: "all of it"))
        #expect(try await server.receive() == nil)

        async let half = listener.accept(timeout: Encounter.patience)
        await #expect(throws: Refusal.self) {
            try await SecureSocket.withConnection(to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls) { socket in
                try await socket.send("half")
                throw Refusal()
            }
        }
        let other = try await half
        #expect(try await other.receive() == ByteBuffer(string: "half"))
        await expectError(.truncated) { _ = try await other.receive() }
    }

    // MARK: Mailboxes

    @Test func `a mailbox is a sequence that ends when it is closed and empty`() async throws {
        let mailbox = Mailbox()
        for number in 0..<3 { mailbox.post(number) }
        mailbox.close()
        var numbers: [Int] = []
        for try await message in mailbox {
            if case .posted(let value) = message, let number = value as? Int { numbers.append(number) }
        }
        #expect(numbers == [0, 1, 2])
    }
}
