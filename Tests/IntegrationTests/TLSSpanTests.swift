#if TracingSupport
    import InMemoryTracing
    import NIOCore
    import SecureSocketsTesting
    import TestSupport
    import Testing
    import Tracing

    @testable import SecureSockets

    /// The spans of connecting and of handshakes, with the tracer with which the process was bootstrapped.
    @Suite(.timeLimit(.minutes(5))) struct `The spans of a connection` {
        /// A process has one tracer. Each test finds its spans by the port of its listener.
        private static let tracer: InMemoryTracer = {
            let tracer = InMemoryTracer()
            InstrumentationSystem.bootstrap(tracer)
            return tracer
        }()

        private let certificates: TestCertificates

        init() throws {
            self.certificates = try TestCertificates.shared.get()
            _ = Self.tracer
        }

        /// The attributes that every span of these tests must have, apart from addresses.
        private struct Expected {
            static let negotiated: [String: SpanAttribute] = [
                "tls.established": .bool(true), "tls.protocol.name": .string("tls"), "tls.protocol.version": .string("1.3"),
                "tls.resumed": .bool(false), "tls.next_protocol": .string("echo"), "tls.curve": .string("X25519"),
                "tls.client.server_name": .string("localhost"),
            ]
        }

        private func parameters() -> TLSParameters {
            var parameters = TLSParameters()
            parameters.groups = [.x25519]
            parameters.applicationProtocols = ["echo"]
            return parameters
        }

        private func listener() async throws -> SecureListener {
            try await SecureListener.bind(
                host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(parameters: self.parameters()),
                socketOptions: .patient, options: .patient)
        }

        private func connect(to port: Int, _ tls: TLSClientConfiguration? = nil) async throws -> SecureSocket {
            let tls = try tls ?? self.certificates.clientConfiguration(parameters: self.parameters())
            return try await SecureSocket.connect(
                to: "localhost", port: port, tls: tls, socketOptions: .patient, timeout: Encounter.patience)
        }

        /// Waits for the only span of this name with this port.
        private func span(_ name: String, port: Int) async throws -> FinishedInMemorySpan {
            while true {
                let spans = Self.tracer.finishedSpans.filter {
                    $0.operationName == name && $0.attributes.values["server.port"] == .int64(Int64(port))
                }
                if let span = spans.first {
                    #expect(spans.count == 1)
                    return span
                }
                await Task.yield()
            }
        }

        @Test func `have the parameters of both sides, and the context of the task as parent`() async throws {
            let listener = try await self.listener()
            let port = listener.localEndpoint.port
            async let accepted = listener.accept(timeout: Encounter.patience)
            let parent = Self.tracer.startSpan("test", context: .topLevel)
            let client = try await ServiceContext.$current.withValue(parent.context) { try await self.connect(to: port) }
            let server = try await accepted

            let connect = try await self.span("TLS connect", port: port)
            #expect(connect.kind == .client)
            #expect(connect.parentSpanID == parent.spanID)
            #expect(connect.status == nil)
            var expected = Expected.negotiated
            expected["server.address"] = .string("localhost")
            expected["server.port"] = .int64(Int64(port))
            expected["network.peer.address"] = .string("127.0.0.1")
            expected["network.peer.port"] = .int64(Int64(port))
            expected["tls.cipher"] = .string(client.information.cipherSuite.description)
            #expect(connect.attributes.values == expected)

            let handshake = try await self.span("TLS handshake", port: port)
            #expect(handshake.kind == .server)
            #expect(handshake.parentSpanID == nil)
            #expect(handshake.status == nil)
            expected["server.address"] = .string("127.0.0.1")
            expected["network.peer.port"] = .int64(Int64(try #require(server.remoteEndpoint?.port)))
            #expect(handshake.attributes.values == expected)
            parent.end()
            client.close()
            server.close()
            listener.close()
        }

        @Test func `have the code of the error`() async throws {
            let listener = try await self.listener()
            let port = listener.localEndpoint.port
            async let accepted = listener.accept(timeout: Encounter.patience)
            let stranger = try TLSClientConfiguration(trust: DevelopmentAuthority().trust, parameters: self.parameters())
            await #expect(throws: SecureSocketError.self) { try await self.connect(to: port, stranger) }
            _ = try? await accepted
            for (name, code) in [
                ("TLS connect", SecureSocketError.Code.certificateVerificationFailed), ("TLS handshake", .alertReceived),
            ] {
                let span = try await self.span(name, port: port)
                #expect(span.status?.code == .error)
                #expect(span.attributes.values["error.type"] == .string(code.description))
                #expect(span.attributes.values["tls.established"] == .bool(false))
                #expect(span.attributes.values["tls.cipher"] == nil)
                #expect(span.attributes.values["network.peer.address"] == .string("127.0.0.1"))
                #expect((span.errors.first?.error as? SecureSocketError)?.code == code)
                #expect(span.status?.message == (span.errors.first?.error as? SecureSocketError)?.message)
            }
            listener.close()
        }

        @Test func `end also if no address answers, and if the task is cancelled`() async throws {
            let listener = try await self.listener()
            let closed = listener.localEndpoint.port
            listener.close()
            await listener.waitUntilClosed()
            await #expect(throws: SecureSocketError.self) { try await self.connect(to: closed) }
            let refused = try await self.span("TLS connect", port: closed)
            #expect(refused.attributes.values["error.type"] == .string("connectionRefused"))
            #expect(refused.attributes.values["network.peer.address"] == nil)

            // A server that does not answer the hello.
            let silent = try await self.listener()
            let port = silent.localEndpoint.port
            let connecting = Task { try await self.connect(to: port) }
            while !Self.tracer.activeSpans.contains(where: { $0.attributes.values["network.peer.port"] == .int64(Int64(port)) }) {
                await Task.yield()
            }
            connecting.cancel()
            await #expect(throws: SecureSocketError.self) { try await connecting.value }
            let cancelled = try await self.span("TLS connect", port: port)
            #expect(cancelled.attributes.values["error.type"] == .string("cancelled"))
            silent.close()
        }
    }

    /// `TLSSpan` with a tracer of its own.
    @Suite struct `A span that does not record` {
        @Test func `is given no attributes, errors or status`() throws {
            let tracer = SilentTracer()
            let span = TLSSpan(connectingTo: "localhost", port: 1, tracer: tracer)
            span.setPeer(try SocketAddress(ipAddress: "127.0.0.1", port: 1))
            span.end(.failure(.listenerClosed))
            #expect(tracer.span.calls.all == ["end"])
        }
    }

    extension SpanAttributes {
        /// The attributes by their names.
        fileprivate var values: [String: SpanAttribute] {
            var values: [String: SpanAttribute] = [:]
            self.forEach { values[$0] = $1 }
            return values
        }
    }
#endif
