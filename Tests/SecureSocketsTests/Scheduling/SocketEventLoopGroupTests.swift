import Foundation
import NIOCore
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

@testable import SecureSockets

/// Event loops of this library behave as NIO's do.
@Suite(.timeLimit(.minutes(5))) struct `A group of event loops` {
    @Test func `runs tasks on its threads, in their order, from wherever they come`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 2)
        let loop = group.next()
        #expect(!loop.inEventLoop)
        let order = Mutex<[Int]>([])
        for number in 0..<100 {
            loop.execute { order.withLock { $0.append(number) } }
        }
        let isInside = try await loop.submit { loop.inEventLoop && !group.next().inEventLoop }.get()
        #expect(isInside)
        #expect(order.withLock { $0 } == Array(0..<100))
        try await group.shutdownGracefully()
    }

    @Test func `spreads what asks for a loop over all of them`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 3)
        let loops = Set((0..<6).map { _ in ObjectIdentifier(group.next()) })
        #expect(loops.count == 3)
        try await group.shutdownGracefully()
    }

    @Test func `keeps timers, and forgets those that are cancelled`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        let loop = group.next()
        let order = Mutex<[String]>([])
        let late = loop.scheduleTask(in: .milliseconds(30)) { order.withLock { $0.append("late") } }
        let early = loop.scheduleTask(in: .milliseconds(10)) { order.withLock { $0.append("early") } }
        let never = loop.scheduleTask(in: .milliseconds(20)) { order.withLock { $0.append("never") } }
        never.cancel()
        try await early.futureResult.get()
        try await late.futureResult.get()
        await #expect(throws: EventLoopError.cancelled) { try await never.futureResult.get() }
        #expect(order.withLock { $0 } == ["early", "late"])
        try await group.shutdownGracefully()
    }

    @Test func `tells what a timer's task throws`() async throws {
        struct Refusal: Error {}
        let loop = SocketEventLoopGroup.shared.next()
        let failing = loop.scheduleTask(in: .zero) { throw Refusal() }
        await #expect(throws: Refusal.self) { try await failing.futureResult.get() }
    }

    @Test func `has at least one loop`() throws {
        let error = #expect(throws: SecureSocketError.self) { try SocketEventLoopGroup(numberOfLoops: 0) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func `closes its sockets when it is shut down, and the peer hears of it`() async throws {
        let certificates = try TestCertificates.shared.get()
        let group = try SocketEventLoopGroup(numberOfLoops: 2)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), socketOptions: .patient, options: .patient,
            on: group
        )
        async let accepted = listener.accept()
        let client = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: certificates.clientConfiguration())
        let server = try await accepted
        try await group.shutdownGracefully()
        await #expect(throws: SecureSocketError.self) { while try await client.receive() != nil {} }
        _ = server
    }

    #if os(Linux)
        @Test func `leaves nothing behind when it has been shut down`() async throws {
            let certificates = try TestCertificates.shared.get()
            weak var loop: EpollEventLoop?
            do {
                let group = try SocketEventLoopGroup(numberOfLoops: 1)
                loop = group.next() as? EpollEventLoop
                #expect(loop != nil)
                let listener = try await SecureListener.bind(
                    host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), socketOptions: .patient,
                    options: .patient,
                    on: group)
                let serving = Task {
                    try await listener.serve { socket in for try await bytes in socket.incoming { try await socket.send(bytes) } }
                }
                let client = try await SecureSocket.connect(
                    to: "127.0.0.1", port: listener.localEndpoint.port, tls: certificates.clientConfiguration(),
                    timeout: Encounter.patience, on: group)
                try await client.send("echo")
                _ = try await client.receive(exactly: 4)
                try await group.shutdownGracefully()
                _ = try? await serving.value
            }
            // What is left of a loop runs on a queue of its own.
            let deadline = ContinuousClock.now + Encounter.patience
            while loop != nil, ContinuousClock.now < deadline { await Task.yield() }
            #expect(loop == nil)
        }
    #endif

    @Test func `that is shut down twice at a time tells both callers`() async throws {
        for _ in 0..<20 {
            let group = try SocketEventLoopGroup(numberOfLoops: 2)
            async let once: Void = group.shutdownGracefully()
            async let twice: Void = group.shutdownGracefully()
            _ = try await (once, twice)
            try await group.shutdownGracefully()
        }
    }

    @Test func `that has been shut down answers whoever asks it for something`() async throws {
        let certificates = try TestCertificates.shared.get()
        let (server, client) = (try certificates.serverConfiguration(), try certificates.clientConfiguration())
        let group = try SocketEventLoopGroup(numberOfLoops: 2)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: server, socketOptions: .patient, options: .patient, on: group)
        let port = listener.localEndpoint.port
        async let accepted = listener.accept()
        let socket = try await SecureSocket.connect(to: "127.0.0.1", port: port, tls: client, on: group)
        _ = try await accepted
        let waiting = Task { try await listener.accept() }
        let task = group.next().scheduleTask(in: .hours(1)) {}
        try await group.shutdownGracefully()

        await #expect(throws: SecureSocketError.self) { _ = try await waiting.value }
        await #expect(throws: EventLoopError.shutdown) { try await task.futureResult.get() }
        await #expect(throws: SecureSocketError.self) { _ = try await socket.receive() }
        await #expect(throws: SecureSocketError.self) { try await socket.send("is anybody there?") }
        try await socket.waitUntilClosed()
        await listener.waitUntilClosed()
        await #expect(throws: SecureSocketError.self) { _ = try await listener.accept() }
        for host in ["127.0.0.1", "localhost"] {
            await #expect(throws: SecureSocketError.self) {
                _ = try await SecureSocket.connect(to: host, port: port, tls: client, on: group)
            }
        }
        await #expect(throws: SecureSocketError.self) {
            _ = try await SecureListener.bind(
                host: "127.0.0.1", port: 0, tls: server, socketOptions: .patient, options: .patient, on: group)
        }
        #expect(try await group.next().submit { 42 }.get() == 42)
    }

    @Test func `that has been shut down ends what waits for a time, also what is asked for meanwhile`() async throws {
        let certificates = try TestCertificates.shared.get()
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        let loop = group.next()
        let again = loop.makePromise(of: Void.self)
        loop.scheduleTask(in: .hours(1)) {}.futureResult.whenFailure { _ in
            loop.scheduleTask(in: .hours(1)) {}.futureResult.cascade(to: again)
        }
        let pair = try await SecureSocket.connectedPair(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration(), on: group)
        // A connection in memory has nothing to be closed by the group; its calls keep their time.
        let waiting = Task { try await pair.client.receive(timeout: .milliseconds(200)) }
        try await group.shutdownGracefully()
        await #expect(throws: EventLoopError.shutdown) { try await again.futureResult.get() }
        let error = await #expect(throws: SecureSocketError.self) { _ = try await waiting.value }
        #expect(error?.code == .timedOut)
        _ = pair.server
    }

    @Test func `ends serving when it is shut down`() async throws {
        let certificates = try TestCertificates.shared.get()
        let group = try SocketEventLoopGroup(numberOfLoops: 2)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), socketOptions: .patient, options: .patient,
            on: group
        )
        let serving = Task {
            try await listener.serve { socket in for try await bytes in socket.incoming { try await socket.send(bytes) } }
        }
        var clients: [SecureSocket] = []
        for _ in 0..<4 {
            let client = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: certificates.clientConfiguration())
            try await client.send("x")
            _ = try await client.receive(exactly: 1)
            clients.append(client)
        }
        try await group.shutdownGracefully()
        try await serving.value
        for client in clients {
            await #expect(throws: SecureSocketError.self) { while try await client.receive() != nil {} }
        }
    }

    @Test func `keeps its timers when one that is cancelled lets go of something that sets another`() async throws {
        /// Sets a timer in its last moment, as a closing connection does.
        final class Last: Sendable {
            let loop: any EventLoop
            init(_ loop: any EventLoop) { self.loop = loop }
            deinit { self.loop.scheduleTask(in: .hours(1)) {} }
        }
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        let loop = group.next()
        for count in 1...40 {
            var expected: [Scheduled<Void>] = []
            var cancelled: [Scheduled<Void>] = []
            try await loop.submit {}.get()
            for index in 0..<count {
                let last = Last(loop)
                cancelled.append(loop.scheduleTask(in: .minutes(Int64(index))) { withExtendedLifetime(last) {} })
                expected.append(loop.scheduleTask(in: .milliseconds(Int64(index % 3))) {})
            }
            for timer in cancelled.dropFirst() { timer.cancel() }
            for timer in expected { try await timer.futureResult.get() }
        }
        try await group.shutdownGracefully()
    }

    @Test func `of the program is never shut down`() async throws {
        await #expect(throws: EventLoopError.unsupportedOperation) { try await SocketEventLoopGroup.shared.shutdownGracefully() }
        let answer = try await SocketEventLoopGroup.shared.next().submit { 42 }.get()
        #expect(answer == 42)
    }

    #if os(Linux)
        @Test func `of the program reports a lack of descriptors, and starts when there are some`() async {
            await #expect(processExitsWith: .success) {
                let certificates = try TestCertificates.shared.get()
                let (server, client) = (try certificates.serverConfiguration(), try certificates.clientConfiguration())
                let dead = try RawListener(isListening: false)
                let shared = SocketEventLoopGroup.shared
                func expect(_ step: SecureSocketError.Step, _ body: () async throws -> Void) async {
                    let error = await #expect(throws: SecureSocketError.self) { try await body() }
                    #expect(error?.code == .tooManyOpenFiles)
                    #expect(error?.blame == .system)
                    #expect(error?.step == step)
                }
                let early = try await DescriptorLimit.withNoneLeft {
                    for _ in 1...3 {
                        for host in ["127.0.0.1", "localhost"] {
                            for group in [shared, shared.next()] as [any EventLoopGroup] {
                                await expect(.connecting) {
                                    _ = try await SecureSocket.connect(to: host, port: dead.port, tls: client, on: group)
                                }
                            }
                        }
                        await expect(.listening) { _ = try await SecureListener.bind(port: 0, tls: server) }
                        await expect(.connecting) { _ = try await SecureSocket.connectedPair(client: client, server: server) }
                        await expect(.receiving) { _ = try await Mailbox().next(timeout: .seconds(1)) }
                    }
                    // What cannot throw has loops all the same, without timers.
                    let answer = try await shared.next().submit { 42 }.get()
                    #expect(answer == 42)
                    #expect(Array(shared.makeIterator()).count == 1)
                    await #expect(throws: EventLoopError.shutdown) {
                        try await shared.any().scheduleTask(in: .milliseconds(1)) {}.futureResult.get()
                    }
                    let task = Task(executorPreference: shared.nextLoopTask().taskExecutor) { 43 }
                    let taskAnswer = await task.value
                    #expect(taskAnswer == 43)
                    return shared.next()
                }
                try await Conversation.play()
                #expect(shared.next() is EpollEventLoop)
                #expect(shared.next() !== early)
                // A loop of that time stands for the others.
                let error = await #expect(throws: SecureSocketError.self) {
                    _ = try await SecureSocket.connect(to: "127.0.0.1", port: dead.port, tls: client, on: early)
                }
                #expect(error?.code == .connectionRefused)
                let answer = try await early.submit { 44 }.get()
                #expect(answer == 44)
            }
        }

        @Test func `gives its descriptors back`() async {
            await #expect(processExitsWith: .success) {
                _ = try await SocketEventLoopGroup.shared.next().submit {}.get()
                // Dispatch opens a descriptor for its first timer, at a time of its own if it is not made to do so now.
                await withCheckedContinuation { timer in
                    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(1)) { timer.resume() }
                }
                // Of all kinds, not only sockets and files.
                func count() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
                let before = try count()
                for _ in 0..<5 {
                    let group = try SocketEventLoopGroup(numberOfLoops: 2)
                    _ = try await group.next().submit {}.get()
                    try await group.shutdownGracefully()
                }
                // Nor does a loop that has ended keep what it cannot use.
                let tls = try TestCertificates.shared.get()
                let listener = try await SecureListener.bind(
                    host: "127.0.0.1", port: 0, tls: tls.serverConfiguration(), socketOptions: .patient, options: .patient)
                let group = try SocketEventLoopGroup(numberOfLoops: 1)
                try await group.shutdownGracefully()
                await #expect(throws: SecureSocketError.self) {
                    _ = try await SecureSocket.connect(
                        to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls.clientConfiguration(), on: group)
                }
                listener.close()
                await listener.waitUntilClosed()
                #expect(try count() == before)
            }
        }
    #endif
}
