import NIOCore
import NIOPosix
import SecureSockets
import TestSupport
import Testing

/// `shutDown(deadline:)`.
@Suite(.timeLimit(.minutes(5))) struct `A graceful shutdown` {
    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    enum Loops: CaseIterable {
        case ours, nios

        var group: any EventLoopGroup { self == .ours ? SocketEventLoopGroup.shared : .singletonMultiThreadedEventLoopGroup }
    }

    private func listener(on loops: Loops = .ours, framing: PacketFraming = .none) async throws -> SecureListener {
        var options = SocketOptions.patient
        options.framing = framing
        return try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: options, options: .patient,
            on: loops.group)
    }

    private func connect(to listener: SecureListener, framing: PacketFraming = .none) async throws -> SecureSocket {
        var options = SocketOptions.patient
        options.framing = framing
        return try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: self.certificates.clientConfiguration(),
            socketOptions: options,
            timeout: Encounter.patience)
    }

    @Test(arguments: Loops.allCases)
    func `ends handlers that wait for the next request, and completes those that work on one`(on loops: Loops) async throws {
        let listener = try await self.listener(on: loops, framing: .line)
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let (mayFinish, finish) = AsyncStream.makeStream(of: Void.self)
        let serving = Task {
            try await listener.serve { socket in
                for try await request in socket.incoming.untilShutdown {
                    if String(buffer: request) == "slow" {
                        start.yield()
                        for await _ in mayFinish { break }
                    }
                    try await socket.send("done: \(String(buffer: request))")
                }
                try await socket.send("goodbye")
            }
        }
        let idle = try await self.connect(to: listener, framing: .line)
        try await idle.send("quick")
        #expect(try await idle.receive() == ByteBuffer(string: "done: quick"))
        let busy = try await self.connect(to: listener, framing: .line)
        try await busy.send("slow")
        for await _ in started { break }

        async let shutdown: Void = listener.shutDown(deadline: Encounter.patience)
        #expect(try await idle.receive() == ByteBuffer(string: "goodbye"))
        #expect(try await idle.receive() == nil)
        #expect(listener.isShuttingDown)
        finish.yield()
        #expect(try await busy.receive() == ByteBuffer(string: "done: slow"))
        #expect(try await busy.receive() == ByteBuffer(string: "goodbye"))
        #expect(try await busy.receive() == nil)
        idle.close()
        busy.close()
        await shutdown
        try await serving.value
    }

    @Test(arguments: Loops.allCases)
    func `cancels the handlers that have not ended by the deadline`(on loops: Loops) async throws {
        let listener = try await self.listener(on: loops)
        let (outcomes, outcome) = AsyncStream.makeStream(of: SecureSocketError.Code?.self)
        let (starts, start) = AsyncStream.makeStream(of: Void.self)
        let serving = Task {
            try await listener.serve { socket in
                start.yield()
                do {
                    _ = try await socket.receive()
                    outcome.yield(nil)
                } catch {
                    outcome.yield((error as? SecureSocketError)?.code)
                }
            }
        }
        let client = try await self.connect(to: listener)
        for await _ in starts { break }
        await listener.shutDown(deadline: .milliseconds(1))
        var iterator = outcomes.makeAsyncIterator()
        #expect(await iterator.next() == .cancelled)
        try await serving.value
        client.close()
    }

    @Test func `whose task is cancelled does not wait for the deadline`() async throws {
        let listener = try await self.listener()
        let (starts, start) = AsyncStream.makeStream(of: Void.self)
        let serving = Task {
            try await listener.serve { socket in
                start.yield()
                _ = try await socket.receive()
            }
        }
        let client = try await self.connect(to: listener)
        for await _ in starts { break }
        let shutdown = Task { await listener.shutDown(deadline: .seconds(3600)) }
        shutdown.cancel()
        await shutdown.value
        try await serving.value
        client.close()
    }

    @Test func `returns at once where nothing is served, also if serving begins later`() async throws {
        let listener = try await self.listener()
        await listener.shutDown()
        await listener.shutDown()
        #expect(listener.isClosed)
        // A program that is told to stop while it starts has nothing to serve, and has not failed.
        try await listener.serve { _ in }
    }

    @Test func `waits for the rest of a request that has begun to arrive`() async throws {
        let listener = try await self.listener()
        let serving = Task {
            try await listener.serve { socket in
                for try await line in socket.lines().untilShutdown { try await socket.send("done: \(line)\n") }
            }
        }
        let client = try await self.connect(to: listener)
        try await client.send("one\ntw")
        #expect(try await client.receiveLine() == ByteBuffer(string: "done: one"))
        async let shutdown: Void = listener.shutDown(deadline: Encounter.patience)
        while !listener.isShuttingDown { await Task.yield() }
        try await client.send("o\n")
        #expect(try await client.receiveLine() == ByteBuffer(string: "done: two"))
        #expect(try await client.receiveLine() == nil)
        client.close()
        await shutdown
        try await serving.value
    }
}
