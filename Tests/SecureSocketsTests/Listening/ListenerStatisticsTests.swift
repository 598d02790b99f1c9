import NIOCore
import NIOPosix
import SecureSockets
import TestSupport
import Testing

/// `SecureListener.statistics`.
@Suite(.timeLimit(.minutes(5))) struct `The statistics of a listener` {
    private let certificates: TestCertificates

    init() throws { self.certificates = try TestCertificates.shared.get() }

    private func serve(
        _ options: ListenerOptions = .patient, on group: any EventLoopGroup = SocketEventLoopGroup.shared,
        dialogue: (SecureListener) async throws -> Void
    ) async throws {
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: options,
            on: group)
        let serving = Task {
            try await listener.serve(handshakeFailed: { _, _ in }) { socket in
                for try await bytes in socket.incoming.untilShutdown { try await socket.send(bytes) }
            }
        }
        try await dialogue(listener)
        serving.cancel()
        try await serving.value
    }

    private func connect(to listener: SecureListener) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: self.certificates.clientConfiguration(),
            timeout: Encounter.patience)
    }

    private func until(_ condition: () -> Bool) async { while !condition() { await Task.yield() } }

    @Test func `tell clients that have sent nothing, and those that were displaced for others`() async throws {
        var options = ListenerOptions.patient
        options.handshakeTimeout = nil
        options.maximumHandshakes = 3
        try await self.serve(options) { listener in
            let silent = try (0..<3).map { _ in try RawSocket.connect(to: listener.localEndpoint.port) }
            await self.until { listener.statistics.handshakesInProgress == 3 }
            #expect(listener.statistics.displacedHandshakes == 0)
            let honest = try await self.connect(to: listener)
            await self.until { listener.statistics.handshakesInProgress == 2 }
            #expect(listener.statistics.displacedHandshakes == 1)
            #expect(listener.statistics.failedHandshakes == [.timedOut: 1])
            #expect(listener.statistics.openConnections == 1)
            honest.close()
            silent.forEach { $0.close() }
        }
    }

    @Test(arguments: [false, true])
    func `count the bytes of both directions as they are on the network`(onNIOsLoops: Bool) async throws {
        let group: any EventLoopGroup = onNIOsLoops ? MultiThreadedEventLoopGroup.singleton : SocketEventLoopGroup.shared
        let length = 100_000
        try await self.serve(on: group) { listener in
            let socket = try await self.connect(to: listener)
            try await socket.send("a")
            _ = try await socket.receive(exactly: 1)
            let before = listener.statistics
            // The handshake, at least the server's certificate.
            #expect(before.receivedBytes > 300 && before.sentBytes > 700)
            try await socket.send(ByteBuffer(repeating: 7, count: length))
            _ = try await socket.receive(exactly: length)
            let after = listener.statistics
            let overhead = 1...2000
            #expect(overhead.contains(after.receivedBytes - before.receivedBytes - length))
            #expect(overhead.contains(after.sentBytes - before.sentBytes - length))
            socket.close()
        }
    }

    @Test func `tell the connections that wait for their client's end`() async throws {
        try await self.serve { listener in
            let tls = try self.certificates.clientConfiguration()
            let socket = try RawSocket.connect(to: listener.localEndpoint.port)
            try await onThread { _ = try RawTLSPeer(client: tls, on: socket) }
            await self.until { listener.statistics.openConnections == 1 }
            #expect(listener.statistics.lingeringConnections == 0)
            let shutDown = Task { await listener.shutDown(deadline: .seconds(60)) }
            await self.until { listener.statistics.lingeringConnections == 1 }
            #expect(listener.statistics.openConnections == 1)
            socket.close()
            await shutDown.value
            #expect(listener.statistics.lingeringConnections == 0)
            #expect(listener.statistics.openConnections == 0)
        }
    }
}
