import Logging
import NIOCore
import SecureSockets
import TestSupport
import Testing

/// What a new user sees at the default log level when nothing seems to happen.
@Suite(.timeLimit(.minutes(5))) struct `A listener's log` {
    private struct Failure: Error, CustomStringConvertible {
        let description = "no such user"
    }

    private func log(
        _ handler: @escaping @Sendable (SecureSocket) async throws -> Void = { _ in },
        dialogue: (_ port: Int) async throws -> Void
    ) async throws -> [LogCapture.Line] {
        let log = LogCapture()
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TestCertificates.shared.get().serverConfiguration(), socketOptions: .patient,
            options: .patient,
            logger: log.logger)
        let serving = Task { try await listener.serve(handler) }
        try await dialogue(listener.localEndpoint.port)
        listener.close()
        try await serving.value
        return log.lines
    }

    @Test func `has a failed handshake, and why`() async throws {
        let lines = try await self.log { port in
            try await onThread {
                let socket = try RawSocket.connect(to: port)
                try socket.send("GET / HTTP/1.1\r\n\r\n")
                try socket.receiveUntilEnd()
            }
        }
        #expect(lines.count == 1)
        #expect(lines.first?.level == .info)
        #expect(lines.first?.text.hasPrefix("a client did not complete its handshake") ?? false)
        #expect(lines.first?.text.contains("it sent a plain HTTP request") ?? false)
    }

    @Test func `has a handler that throws, and what it threw`() async throws {
        let lines = try await self.log({ _ in throw Failure() }) { port in
            let client = try await SecureSocket.connect(
                to: "127.0.0.1", port: port, tls: TestCertificates.shared.get().clientConfiguration(), timeout: Encounter.patience
            )
            _ = try? await client.receive()
            client.close()
        }
        #expect(lines.map(\.level) == [.info])
        #expect(lines.first?.text.hasPrefix("a connection's handler threw an error error=no such user peer=127.0.0.1:") ?? false)
    }

    @Test func `mentions health checks only at level debug`() async throws {
        let lines = try await self.log { port in
            for _ in 0..<3 { try RawSocket.connect(to: port).close() }
            let client = try await SecureSocket.connect(
                to: "127.0.0.1", port: port, tls: TestCertificates.shared.get().clientConfiguration(), timeout: Encounter.patience
            )
            _ = try await client.receive()
            client.close()
        }
        #expect(lines.map(\.level) == [.debug, .debug, .debug])
    }

    @Test func `does not grow with the number of health checks`() async throws {
        let lines = try await self.log { port in
            for _ in 0..<50 { try RawSocket.connect(to: port).close() }
            let client = try await SecureSocket.connect(
                to: "127.0.0.1", port: port, tls: TestCertificates.shared.get().clientConfiguration(), timeout: Encounter.patience
            )
            _ = try await client.receive()
            client.close()
        }
        #expect((1...20).contains(lines.count))
    }

    @Test func `does not grow with the number of clients that fail`() async throws {
        let lines = try await self.log { port in
            for _ in 0..<50 {
                try await onThread {
                    let socket = try RawSocket.connect(to: port)
                    try socket.send("EHLO mail.example\r\n")
                    try socket.receiveUntilEnd()
                }
            }
        }
        #expect((10..<50).contains(lines.count))
    }

    @Test func `has one warning when the process has no descriptors left`() async {
        await #expect(processExitsWith: .success) {
            let log = LogCapture()
            let listener = try await SecureListener.bind(
                host: "127.0.0.1", port: 0, tls: TestCertificates.shared.get().serverConfiguration(), socketOptions: .patient,
                options: .patient,
                logger: log.logger)
            let port = listener.localEndpoint.port
            let tls = try TestCertificates.shared.get().clientConfiguration()
            let waiting = try RawSocket.connect(to: port)
            let serving = try await DescriptorLimit.withNoneLeft {
                let serving = Task { try await listener.serve { try await $0.send("at last") } }
                while log.lines.isEmpty { await Task.yield() }
                return serving
            }
            #expect(try await onThread { try RawTLSPeer(client: tls, on: waiting).receive() } == "at last")
            waiting.close()
            listener.close()
            try await serving.value
            #expect(log.lines.count == 1)
            #expect(log.lines.first?.level == .warning)
            let text = log.lines.first?.text ?? ""
            #expect(
                text.hasPrefix("new connections have to wait: no file descriptors are left error=cannot accept a connection: "))
            #expect(text.contains("Too many open files. Raise the limit of open files (ulimit -n), which is "))
        }
    }
}
