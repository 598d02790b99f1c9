#if ServiceLifecycleSupport
    import Logging
    import NIOCore
    import SecureSockets
    import ServiceLifecycle
    import TestSupport
    import Testing

    /// `SecureListener.service`.
    @Suite(.timeLimit(.minutes(5))) struct `A listener as a service` {
        private let certificates: TestCertificates

        init() throws { self.certificates = try TestCertificates.shared.get() }

        private func listener() async throws -> SecureListener {
            try await SecureListener.bind(
                host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient,
                options: .patient)
        }

        private func connect(to listener: SecureListener) async throws -> SecureSocket {
            try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: self.certificates.clientConfiguration(),
                socketOptions: .patient, timeout: Encounter.patience)
        }

        private func group(_ service: ListenerService) -> ServiceGroup {
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            return ServiceGroup(services: [service], logger: logger)
        }

        @Test func `tells its handlers of a graceful shutdown, refuses new connections, and returns`() async throws {
            let listener = try await self.listener()
            let group = self.group(
                listener.service(shutdownDeadline: Encounter.patience) { socket in
                    for try await bytes in socket.incoming.untilShutdown { try await socket.send(bytes) }
                    try await socket.send("goodbye")
                })
            let running = Task { try await group.run() }
            let client = try await self.connect(to: listener)
            try await client.send("hello")
            #expect(try await client.receive(exactly: 5) == ByteBuffer(string: "hello"))

            await group.triggerGracefulShutdown()
            #expect(try await client.receive(exactly: 7) == ByteBuffer(string: "goodbye"))
            #expect(try await client.receive() == nil)
            await #expect { try await self.connect(to: listener) } throws: {
                ($0 as? SecureSocketError)?.code == .connectionRefused
            }
            client.close()
            try await running.value
            #expect(listener.isShuttingDown)
        }

        @Test func `cancels the handlers that have not returned by the deadline`() async throws {
            let listener = try await self.listener()
            let (outcomes, outcome) = AsyncStream.makeStream(of: SecureSocketError.Code?.self)
            let (starts, start) = AsyncStream.makeStream(of: Void.self)
            let group = self.group(
                listener.service(shutdownDeadline: .milliseconds(1)) { socket in
                    start.yield()
                    do {
                        _ = try await socket.receive()
                        outcome.yield(nil)
                    } catch {
                        outcome.yield((error as? SecureSocketError)?.code)
                    }
                })
            let running = Task { try await group.run() }
            let client = try await self.connect(to: listener)
            for await _ in starts { break }
            await group.triggerGracefulShutdown()
            var iterator = outcomes.makeAsyncIterator()
            #expect(await iterator.next() == .cancelled)
            try await running.value
            client.close()
        }

        @Test func `returns without an error if the listener was closed before a graceful shutdown`() async throws {
            let listener = try await self.listener()
            let (starts, start) = AsyncStream.makeStream(of: Void.self)
            let service = listener.service(shutdownDeadline: Encounter.patience) { socket in
                start.yield()
                for try await _ in socket.incoming.untilShutdown {}
            }
            let group = self.group(service)
            let running = Task { try await group.run() }
            let client = try await self.connect(to: listener)
            for await _ in starts { break }
            listener.close()
            await group.triggerGracefulShutdown()
            #expect(try await client.receive() == nil)
            client.close()
            try await running.value
        }

        @Test func `serves nothing if the shutdown begins before it, also if the listener is closed`() async throws {
            let listener = try await self.listener()
            listener.close()
            let service = listener.service(shutdownDeadline: Encounter.patience) { _ in }
            let starting = StartingLate(service: service)
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let group = ServiceGroup(services: [starting], logger: logger)
            let running = Task { try await group.run() }
            await group.triggerGracefulShutdown()
            try await running.value
        }

        @Test func `fails with closed if the listener was closed and no shutdown has begun`() async throws {
            let listener = try await self.listener()
            listener.close()
            await #expect { try await listener.service { _ in }.run() } throws: { ($0 as? SecureSocketError)?.code == .closed }
        }

        @Test func `ends when its task is cancelled, and cancels its handlers`() async throws {
            let listener = try await self.listener()
            let (starts, start) = AsyncStream.makeStream(of: Void.self)
            let service = listener.service(shutdownDeadline: .seconds(3600)) { socket in
                start.yield()
                _ = try await socket.receive()
            }
            let running = Task { try await service.run() }
            let client = try await self.connect(to: listener)
            for await _ in starts { break }
            running.cancel()
            try await running.value
            #expect(listener.isClosed)
            client.close()
        }
    }

    /// Runs a service when the graceful shutdown has begun.
    private struct StartingLate: Service {
        let service: ListenerService

        func run() async throws {
            try await gracefulShutdown()
            try await self.service.run()
        }
    }
#endif
