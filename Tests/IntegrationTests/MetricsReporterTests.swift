#if MetricsSupport
    import MetricsTestKit
    import NIOCore
    import SecureSocketsTesting
    import TestSupport
    import Testing

    @testable import SecureSockets

    /// `SecureListener.reportMetrics`.
    @Suite(.timeLimit(.minutes(5))) struct `The metrics of a listener` {
        private let metrics = TestMetrics()

        private func counter(_ name: String, _ dimensions: (String, String)...) throws -> Int64 {
            try self.metrics.expectCounter("securesockets_\(name)", dimensions).totalValue
        }

        private func meter(_ name: String, _ dimensions: (String, String)...) throws -> Double? {
            try self.metrics.expectMeter("securesockets_\(name)", dimensions).lastValue
        }

        private func hasExpiry(of subject: String) -> Bool {
            (try? self.metrics.expectMeter("securesockets_certificate_expiry_days", [("subject", subject)])) != nil
        }

        @Test func `count handshakes by outcome and sessions by reason, as differences`() throws {
            var reporter = MetricsReporter(dimensions: [], factory: self.metrics)
            var statistics = ListenerStatistics()
            statistics.completedHandshakes = 10
            statistics.resumedHandshakes = 4
            statistics.declinedSessions = 1
            statistics.fullHandshakes = [.noSession: 6, .unknownKey: 1]
            statistics.failedHandshakes = [.alertReceived: 2]
            statistics.displacedHandshakes = 3
            statistics.receivedBytes = 1000
            statistics.sentBytes = 2000
            reporter.report(statistics, at: 0)
            statistics.completedHandshakes = 12
            statistics.resumedHandshakes = 5
            statistics.failedHandshakes = [.alertReceived: 2, .timedOut: 1]
            statistics.sentBytes = 2001
            reporter.report(statistics, at: 0)
            reporter.report(statistics, at: 0)

            #expect(try self.counter("handshakes_total", ("outcome", "completed")) == 12)
            #expect(try self.counter("handshakes_total", ("outcome", "alertReceived")) == 2)
            #expect(try self.counter("handshakes_total", ("outcome", "timedOut")) == 1)
            #expect(try self.counter("sessions_total", ("resumption", "resumed")) == 5)
            #expect(try self.counter("sessions_total", ("resumption", "declined")) == 1)
            #expect(try self.counter("sessions_total", ("resumption", "not_offered")) == 6)
            #expect(try self.counter("full_handshakes_total", ("reason", "noSession")) == 6)
            #expect(try self.counter("full_handshakes_total", ("reason", "unknownKey")) == 1)
            #expect(try self.counter("displaced_handshakes_total") == 3)
            #expect(try self.counter("received_bytes_total") == 1000)
            #expect(try self.counter("sent_bytes_total") == 2001)
        }

        @Test func `have the present numbers of connections and handshakes, and the generation`() throws {
            var reporter = MetricsReporter(dimensions: [("listener", "api")], factory: self.metrics)
            var statistics = ListenerStatistics()
            statistics.handshakesInProgress = 5
            statistics.openConnections = 7
            statistics.lingeringConnections = 2
            reporter.report(statistics, at: 0)
            statistics.handshakesInProgress = 4
            statistics.openConnections = 8
            statistics.lingeringConnections = 1
            statistics.configurationGeneration = 3
            reporter.report(statistics, at: 0)
            #expect(try self.meter("handshakes_in_progress", ("listener", "api")) == 4)
            #expect(try self.meter("open_connections", ("listener", "api")) == 8)
            #expect(try self.meter("lingering_connections", ("listener", "api")) == 1)
            #expect(try self.meter("configuration_generation", ("listener", "api")) == 3)
        }

        @Test func `have the days that each certificate is still valid, until an update removes it`() throws {
            let authority = try DevelopmentAuthority()
            let first = try authority.client(commonName: "first").identity.certificates[0]
            let second = try authority.client(commonName: "second").identity.certificates[0]
            let end = try #require(first.notAfter)
            var reporter = MetricsReporter(dimensions: [], factory: self.metrics)
            var statistics = ListenerStatistics()
            statistics.certificates = [first, second]
            reporter.report(statistics, at: end - 86_400 * 3 / 2)
            #expect(try self.meter("certificate_expiry_days", ("subject", first.subject)) == 1.5)
            #expect(self.hasExpiry(of: second.subject))
            statistics.certificates = [first]
            reporter.report(statistics, at: end + 86_400)
            #expect(try self.meter("certificate_expiry_days", ("subject", first.subject)) == -1)
            #expect(!self.hasExpiry(of: second.subject))
        }

        @Test func `have the earliest end of several certificates with the same subject`() throws {
            let authority = try DevelopmentAuthority()
            let valid = try authority.client(commonName: "twice").identity.certificates[0]
            let expired = try authority.client(commonName: "twice", validity: .expired).identity.certificates[0]
            let end = try #require(expired.notAfter)
            for certificates in [[valid, expired], [expired, valid]] {
                var reporter = MetricsReporter(dimensions: [], factory: self.metrics)
                var statistics = ListenerStatistics()
                statistics.certificates = certificates
                reporter.report(statistics, at: end - 86_400)
                #expect(try self.meter("certificate_expiry_days", ("subject", expired.subject)) == 1)
            }
        }
    }

    /// `SecureListener.reportMetrics` over sockets.
    @Suite(.timeLimit(.minutes(5))) struct `Reporting metrics` {
        private let certificates: TestCertificates
        private let metrics = TestMetrics()

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

        private func completed() -> Int64? {
            try? self.metrics.expectCounter("securesockets_handshakes_total", [("outcome", "completed")]).totalValue
        }

        private func openConnections() -> Double? {
            (try? self.metrics.expectMeter("securesockets_open_connections"))?.lastValue
        }

        @Test func `repeats while the listener runs`() async throws {
            let listener = try await self.listener()
            let serving = Task { try await listener.serve { socket in _ = try await socket.receive() } }
            let reporting = Task { await listener.reportMetrics(every: .milliseconds(1), factory: self.metrics) }
            let client = try await self.connect(to: listener)
            while self.openConnections() != 1 { await Task.yield() }
            #expect(self.completed() == 1)
            client.close()
            while self.openConnections() != 0 { await Task.yield() }
            serving.cancel()
            try await serving.value
            await reporting.value
        }

        @Test func `ends with a last report when the listener is closed and its connections have ended`() async throws {
            let listener = try await self.listener()
            let (starts, start) = AsyncStream.makeStream(of: Void.self)
            let serving = Task {
                try await listener.serve { socket in
                    start.yield()
                    while try await socket.receive() != nil {}
                }
            }
            let reporting = Task { await listener.reportMetrics(every: .seconds(3600), factory: self.metrics) }
            while self.openConnections() == nil { await Task.yield() }
            let client = try await self.connect(to: listener)
            for await _ in starts { break }
            listener.close()
            await listener.waitUntilClosed()
            #expect(self.completed() == 0)
            try await client.send(ByteBuffer(repeating: 7, count: 100_000))
            client.close()
            await reporting.value
            #expect(self.completed() == 1)
            #expect(self.openConnections() == 0)
            #expect(try self.metrics.expectCounter("securesockets_received_bytes_total").totalValue > 100_000)
            try await serving.value
        }

        @Test func `ends with a last report when its task is cancelled, and the listener runs on`() async throws {
            let listener = try await self.listener()
            let serving = Task { try await listener.serve { socket in _ = try await socket.receive() } }
            let reporting = Task { await listener.reportMetrics(every: .seconds(3600), factory: self.metrics) }
            while self.openConnections() == nil { await Task.yield() }
            let client = try await self.connect(to: listener)
            while listener.statistics.openConnections != 1 { await Task.yield() }
            reporting.cancel()
            await reporting.value
            #expect(self.completed() == 1)
            #expect(!listener.isClosed)
            client.close()
            serving.cancel()
            try await serving.value
        }

        @Test func `whose task is cancelled before it begins reports once`() async throws {
            let listener = try await self.listener()
            let reporting = Task {
                while !Task.isCancelled { await Task.yield() }
                await listener.reportMetrics(every: .seconds(3600), factory: self.metrics)
            }
            reporting.cancel()
            await reporting.value
            #expect(self.openConnections() == 0)
            listener.close()
        }
    }
#endif
