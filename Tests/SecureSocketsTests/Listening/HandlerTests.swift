import NIOCore
import NIOPosix
import SecureSocketsTesting
import SocketCore
import Synchronization
import TestSupport
import Testing

@testable import SecureSockets

/// What `serve` runs for each connection. Its waits have no cancellation handlers of their own (`HandlerTasks`).
@Suite(.timeLimit(.minutes(5))) struct `A handler` {
    private let certificates: TestCertificates

    init() throws { self.certificates = try TestCertificates.shared.get() }

    /// The loops that it is served on. Its own: some handlers give way again and again until something has happened.
    enum Loops: CaseIterable {
        case one, several, ofNIO

        func group() throws -> any EventLoopGroup {
            switch self {
            case .one: try SocketEventLoopGroup(numberOfLoops: 1)
            case .several: try SocketEventLoopGroup(numberOfLoops: 3)
            case .ofNIO: MultiThreadedEventLoopGroup(numberOfThreads: 1)
            }
        }
    }

    /// Serves one client with `handler` until `dialogue` has ended.
    private func serve(
        on loops: Loops = .one, _ handler: @escaping @Sendable (SecureSocket) async throws -> Void,
        dialogue: (_ client: SecureSocket, _ serving: Task<Void, any Error>) async throws -> Void
    ) async throws {
        let group = try loops.group()
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: .patient,
            on: group)
        let serving = Task { try await listener.serve(handler) }
        let client = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: self.certificates.clientConfiguration(),
            timeout: Encounter.patience)
        try await dialogue(client, serving)
        client.close()
        listener.close()
        try await serving.value
        try await group.shutdownGracefully()
    }

    @Test(arguments: Loops.allCases, [false, true])
    func `that waits for bytes ends its wait when serve is cancelled`(loops: Loops, forAnExactNumber: Bool) async throws {
        let codes = Codes()
        try await self.serve(on: loops) { socket in
            try await socket.send("hello")
            for _ in 0..<2 {
                await Self.note(in: codes) { () async throws(SecureSocketError) in
                    if forAnExactNumber { _ = try await socket.receive(exactly: 10) } else { _ = try await socket.receive() }
                }
            }
        } dialogue: { client, serving in
            _ = try await client.receive(exactly: 5)
            serving.cancel()
            #expect(try await client.receive() == nil)
        }
        #expect(codes.all.withLock { $0 } == [.cancelled, .cancelled])
    }

    @Test func `that waits at a mailbox ends its wait when serve is cancelled, and lets go of the mailbox before`() async throws {
        let codes = Mutex<[SecureSocketError.Code?]>([])
        try await self.serve { socket in
            weak var former: Mailbox?
            do {
                let mailbox = Mailbox()
                former = mailbox
                try await socket.deliver(to: mailbox, count: 1)
                try await socket.send("hello")
                let message = try await mailbox.next()
                codes.withLock { $0.append(message.socket == socket ? nil : .wrongMode) }
                let other = Mailbox()
                try await socket.setOwner(other)
                withExtendedLifetime(mailbox) {}
                try await socket.send("again")
                do throws(SecureSocketError) { _ = try await other.next() } catch { codes.withLock { $0.append(error.code) } }
            }
            codes.withLock { $0.append(former == nil ? nil : .notOwner) }
        } dialogue: { client, serving in
            _ = try await client.receive(exactly: 5)
            try await client.send("a message")
            _ = try await client.receive(exactly: 5)
            serving.cancel()
            #expect(try await client.receive() == nil)
        }
        #expect(codes.withLock { $0 } == [nil, .cancelled, nil])
    }

    @Test(arguments: Loops.allCases)
    func `that waits at a mailbox again and again ends its last wait when serve is cancelled`(loops: Loops) async throws {
        let codes = Codes()
        try await self.serve(on: loops) { socket in
            let mailbox = Mailbox()
            try await socket.deliver(to: mailbox)
            for _ in 0..<3 {
                try await socket.send("ready")
                await Self.note(in: codes) { () async throws(SecureSocketError) in _ = try await mailbox.next() }
            }
            // The task that waited last has ended by then.
            await Task {
                await Self.note(in: codes) { () async throws(SecureSocketError) in _ = try await mailbox.next(timeout: .zero) }
            }.value
        } dialogue: { client, serving in
            for _ in 0..<2 {
                _ = try await client.receive(exactly: 5)
                try await client.send("a message")
            }
            _ = try await client.receive(exactly: 5)
            serving.cancel()
            let end = try await client.receive()
            #expect(end == nil)
        }
        #expect(codes.all.withLock { $0 } == [.cancelled, .timedOut])
    }

    @Test func `that was cancelled before it waits for bytes does not wait`() async throws {
        let codes = Codes()
        try await self.serve { socket in
            try await socket.send("hello")
            // Ends when the task is cancelled.
            try? await Task.sleep(for: .seconds(60))
            await Self.note(in: codes) { () async throws(SecureSocketError) in _ = try await socket.receive() }
        } dialogue: { client, serving in
            _ = try await client.receive(exactly: 5)
            serving.cancel()
            #expect(try await client.receive() == nil)
        }
        #expect(codes.all.withLock { $0 } == [.cancelled])
    }

    @Test func `that has cancelled itself does not wait`() async throws {
        let codes = Codes()
        try await self.serve { socket in
            let mailbox = Mailbox()
            try await socket.setOwner(mailbox)
            withUnsafeCurrentTask { $0?.cancel() }
            await Self.note(in: codes) { () async throws(SecureSocketError) in _ = try await socket.receive() }
            await Self.note(in: codes) { () async throws(SecureSocketError) in _ = try await mailbox.next() }
        } dialogue: { client, _ in
            let end = try await client.receive()
            #expect(end == nil)
        }
        #expect(codes.all.withLock { $0 } == [.cancelled, .cancelled])
    }

    @Test func `that has closed its socket, or is cancelled, cannot deliver to a mailbox`() async throws {
        let codes = Codes()
        try await self.serve { socket in
            let mailbox = Mailbox()
            socket.close()
            await Self.note(in: codes) { () async throws(SecureSocketError) in try await socket.deliver(to: mailbox) }
            withUnsafeCurrentTask { $0?.cancel() }
            await Self.note(in: codes) { () async throws(SecureSocketError) in try await socket.deliver(to: mailbox) }
        } dialogue: { client, _ in
            let end = try await client.receive()
            #expect(end == nil)
        }
        #expect(codes.all.withLock { $0 } == [.closed, .cancelled])
    }

    @Test func `cancels a child that waits for bytes, and receives what comes then`() async throws {
        try await self.serve { socket in
            let child = await withThrowingTaskGroup(of: ByteBuffer?.self) { group in
                group.addTask { try await socket.receive() }
                await Self.untilSomebodyWaits(for: socket)
                group.cancelAll()
                return await group.nextResult()
            }
            try await socket.send(Self.code(child) == .cancelled ? "cancelled" : "not cancelled")
            try await socket.send(socket.receive() ?? ByteBuffer())
        } dialogue: { client, _ in
            #expect(try await client.receive(exactly: 9) == ByteBuffer(string: "cancelled"))
            try await client.send("echo")
            #expect(try await client.receive(exactly: 4) == ByteBuffer(string: "echo"))
        }
    }

    @Test func `cancels a task that began within its own, and receives what comes then`() async throws {
        guard #available(macOS 26, *) else { return }
        try await self.serve { socket in
            let other = Task.immediate { try await socket.receive() }
            await Self.untilSomebodyWaits(for: socket)
            other.cancel()
            try await socket.send(Self.code(await other.result) == .cancelled ? "cancelled" : "not cancelled")
            try await socket.send(socket.receive() ?? ByteBuffer())
        } dialogue: { client, _ in
            #expect(try await client.receive(exactly: 9) == ByteBuffer(string: "cancelled"))
            try await client.send("echo")
            #expect(try await client.receive(exactly: 4) == ByteBuffer(string: "echo"))
        }
    }

    @Test func `waits again after a wait that ran out of time, and shares what comes with a child`() async throws {
        try await self.serve { socket in
            await #expect(throws: SecureSocketError.self) { try await socket.receive(timeout: .milliseconds(1)) }
            async let first = socket.receive(exactly: 5)
            await Self.untilSomebodyWaits(for: socket)
            try await socket.send("ready")
            let second = try await socket.receive(exactly: 6)
            try await socket.send(second)
            try await socket.send(first)
        } dialogue: { client, _ in
            _ = try await client.receive(exactly: 5)
            try await client.send("first")
            try await client.send("second")
            #expect(try await client.receive(exactly: 11) == ByteBuffer(string: "secondfirst"))
        }
    }

    enum InVain: CaseIterable { case peerCloses, closedMeanwhile, timeout }

    @Test(arguments: InVain.allCases)
    func `lets go of another connection that it has waited for in vain`(why: InVain) async throws {
        let tls = try (client: self.certificates.clientConfiguration(), server: self.certificates.serverConfiguration())
        try await self.serve { socket in
            let loop = socket.connection.loop
            weak var former: Connection?
            do {
                let (client, server) = try await SecureSocket.connectedPair(client: tls.client, server: tls.server, on: loop)
                former = client.connection
                async let closing: Void = {
                    await Self.untilSomebodyWaits(for: client)
                    if why == .peerCloses { server.close() }
                    if why == .closedMeanwhile { client.close() }
                }()
                _ = try? await client.receive(timeout: why == .timeout ? .milliseconds(100) : nil)
                await closing
                client.close()
                server.close()
                try await client.waitUntilClosed()
                try await server.waitUntilClosed()
            }
            // The loop may still have the last report of the transport to make.
            for _ in 0..<100000 where former != nil { await Task.yield() }
            try await socket.send(former == nil ? "gone " : "there")
        } dialogue: { client, _ in
            let answer = try await client.receive(exactly: 5)
            #expect(answer == ByteBuffer(string: "gone "))
        }
    }

    private final class Codes: Sendable {
        let all = Mutex<[SecureSocketError.Code]>([])
    }

    /// Notes why a call has failed.
    private static func note(
        in codes: Codes, _ call: () async throws(SecureSocketError) -> Void
    ) async {
        do throws(SecureSocketError) { try await call() } catch { codes.all.withLock { $0.append(error.code) } }
    }

    /// The handler and its connection are on the same loop.
    private static func untilSomebodyWaits(for socket: SecureSocket) async {
        while socket.connection.receivers.isEmpty { await Task.yield() }
    }

    private static func code(_ result: Result<ByteBuffer?, any Error>?) -> SecureSocketError.Code? {
        guard case .failure(let error)? = result else { return nil }
        return (error as? SecureSocketError)?.code
    }
}
