import Dispatch
import NIOCore
import SocketCore
import Synchronization
import TestSupport
import Testing

@testable import SecureSockets

/// Honest clients of a listener beside many that are silent, slow, or never leave.
@Suite(.timeLimit(.minutes(5))) struct `Honest clients` {
    private let certificates: TestCertificates

    init() throws { self.certificates = try TestCertificates.shared.get() }

    /// Serves with `handler` until `dialogue` has ended; the codes of the handshakes that failed by then are the answer.
    private func serve(
        _ listening: ListenerOptions, loops: Int = 2, maximumConnections: Int = .max,
        _ handler: @escaping @Sendable (SecureSocket) async throws -> Void,
        dialogue: (SecureListener) async throws -> Void
    ) async throws -> [SecureSocketError.Code] {
        let group = try SocketEventLoopGroup(numberOfLoops: loops)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: listening,
            on: group)
        let failures = Mutex<[SecureSocketError.Code]>([])
        let serving = Task {
            try await listener.serve(
                maximumConnections: maximumConnections,
                handshakeFailed: { error, _ in failures.withLock { $0.append(error.code) } }, handler)
        }
        try await dialogue(listener)
        let codes = failures.withLock { $0 }
        serving.cancel()
        try await serving.value
        try await group.shutdownGracefully()
        return codes
    }

    private static let echo: @Sendable (SecureSocket) async throws -> Void = { socket in
        for try await bytes in socket.incoming { try await socket.send(bytes) }
    }

    private func connect(to listener: SecureListener) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: self.certificates.clientConfiguration(),
            timeout: Encounter.patience)
    }

    private func echoOnce(_ listener: SecureListener) async throws {
        let socket = try await self.connect(to: listener)
        try await socket.send("hello")
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
        socket.close()
    }

    private func silentClients(_ count: Int, of listener: SecureListener) throws -> [RawSocket] {
        try (0..<count).map { _ in try RawSocket.connect(to: listener.localEndpoint.port) }
    }

    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)

        var isSet: Bool { self.value.load(ordering: .acquiring) }

        /// False if it was set before.
        @discardableResult func set() -> Bool { !self.value.exchange(true, ordering: .acquiringAndReleasing) }
    }

    @Test func `are not counted together with handshakes against the limit of connections`() async throws {
        var options = ListenerOptions.patient
        options.handshakeTimeout = nil
        let failures = try await self.serve(options, maximumConnections: 3, Self.echo) { listener in
            let silent = try self.silentClients(20, of: listener)
            for _ in 0..<3 { try await self.echoOnce(listener) }
            silent.forEach { $0.close() }
        }
        // Nobody had to leave for them.
        #expect(!failures.contains(.timedOut))
    }

    @Test func `each take the place of one silent client when there are too many, whatever the limit`() async throws {
        for limit in [1, 2, 30] {
            var options = ListenerOptions.patient
            options.handshakeTimeout = nil
            options.maximumHandshakes = limit
            let failures = try await self.serve(options, Self.echo) { listener in
                // As many again wait in the operating system's queue.
                let silent = try self.silentClients(2 * limit, of: listener)
                for _ in 0..<5 { try await self.echoOnce(listener) }
                silent.forEach { $0.close() }
            }
            #expect(failures.filter { $0 == .timedOut }.count <= 2 * limit)
        }
    }

    @Test func `are served though a silent client comes back whenever it is dropped`() async throws {
        var options = ListenerOptions.patient
        options.handshakeTimeout = nil
        options.maximumHandshakes = 4
        let isOver = Flag()
        _ = try await self.serve(options, Self.echo) { listener in
            let port = listener.localEndpoint.port
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        try await onThread {
                            while !isOver.isSet {
                                let socket = try RawSocket.connect(to: port)
                                try? socket.receiveUntilEnd()
                                socket.close()
                            }
                        }
                    }
                }
                for _ in 0..<5 { try await self.echoOnce(listener) }
                isOver.set()
                listener.close()
                while case .some = await group.nextResult() {}
            }
        }
    }

    @Test func `are served though one handler blocks the thread of its loop for ever`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let isBlocked = Flag()
        _ = try await self.serve(.patient) { socket in
            if isBlocked.set() {
                Self.wait(for: gate)
                return
            }
            try await Self.echo(socket)
        } dialogue: { listener in
            let first = try await self.connect(to: listener)
            while !isBlocked.isSet { await Task.yield() }
            // More than a blocked loop may be given.
            for _ in 0..<40 { try await self.echoOnce(listener) }
            gate.signal()
            first.close()
        }
    }

    private static func wait(for gate: DispatchSemaphore) { gate.wait() }

    @Test func `do not leave connections that linger without a bound`() async throws {
        let count = 70
        _ = try await self.serve(.patient, maximumConnections: 1) { socket in
            try await socket.send("good-bye")
        } dialogue: { listener in
            let (port, tls) = (listener.localEndpoint.port, try self.certificates.clientConfiguration())
            var sockets: [RawSocket] = []
            for _ in 0..<count {
                let (socket, word) = try await onThread {
                    let socket = try RawSocket.connect(to: port)
                    return (socket, try RawTLSPeer(client: tls, on: socket).receive())
                }
                #expect(word == "good-bye")
                sockets.append(socket)
            }
            // None of them closes. All but the last 64 are dropped for the others.
            while NetworkSocket.connections(of: port).count > AcceptMachine.fewestLingering { await Task.yield() }
            sockets.forEach { $0.close() }
        }
    }

    @Test func `that were connected before the listener was closed are served`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: .patient,
            on: group)
        let serving = Task { try await listener.serve { try await $0.send("hello") } }
        let (port, tls) = (listener.localEndpoint.port, try self.certificates.clientConfiguration())
        // The first is served when the listener is, and not before.
        let first = try RawSocket.connect(to: port)
        #expect(try await onThread { try RawTLSPeer(client: tls, on: first).receive() } == "hello")
        first.close()
        // The loop is held up until the listener has been closed: all of them wait in the operating system's queue.
        let gate = DispatchSemaphore(value: 0)
        await withCheckedContinuation { blocked in
            group.next().execute {
                blocked.resume()
                gate.wait()
            }
        }
        let sockets = try (0..<20).map { _ in try RawSocket.connect(to: port) }
        let answers = Task {
            try await withThrowingTaskGroup(of: String?.self) { clients in
                for socket in sockets {
                    clients.addTask { try await onThread { try RawTLSPeer(client: tls, on: socket).receive() } }
                }
                return try await clients.reduce(into: []) { $0.append($1) }
            }
        }
        listener.close()
        await listener.waitUntilClosed()
        gate.signal()
        #expect(try await answers.value == Array(repeating: "hello", count: 20))
        sockets.forEach { $0.close() }
        try await serving.value
        try await group.shutdownGracefully()
    }
}
