#if TracingSupport
    import NIOCore
    import Tracing

    /// The span of swift-distributed-tracing for a call of `connect`, or for a handshake of a listener.
    ///
    /// The attributes are those of OpenTelemetry's semantic conventions. None is computed for a span that does not record, such as those of
    /// `NoOpTracer`.
    struct TLSSpan: Sendable {
        private let span: any Span

        /// Begins the span of a call of `connect`. Its parent is the task's context.
        init(connectingTo host: String, port: Int, tracer: any Tracer = InstrumentationSystem.tracer) {
            self.span = tracer.startSpan("TLS connect", ofKind: .client)
            guard self.span.isRecording else { return }
            self.span.updateAttributes { attributes in
                attributes["server.address"] = host
                // A Unix domain socket has none.
                if port != 0 { attributes["server.port"] = port }
            }
        }

        /// Begins the span of a handshake of a listener. It has no parent: the event loop may run it within the task of another connection.
        init(handshakeOf connection: Connection, tracer: any Tracer = InstrumentationSystem.tracer) {
            self.span = tracer.startSpan("TLS handshake", context: .topLevel, ofKind: .server)
            guard self.span.isRecording else { return }
            if let local = connection.localEndpoint {
                self.span.updateAttributes { attributes in
                    attributes["server.address"] = local.unixPath ?? local.host
                    if local.unixPath == nil { attributes["server.port"] = local.port }
                }
            }
            self.setPeer(connection.remoteAddress)
        }

        /// Records the address that a transport is connected to.
        func setPeer(_ address: SocketAddress?) {
            guard self.span.isRecording, let peer = SocketEndpoint(address) else { return }
            self.span.updateAttributes { attributes in
                attributes["network.peer.address"] = peer.unixPath ?? peer.host
                if peer.unixPath == nil { attributes["network.peer.port"] = peer.port }
            }
        }

        /// Ends the span with the outcome of the handshake.
        func end(_ outcome: Result<StreamSocket, SecureSocketError>) {
            defer { self.span.end() }
            guard self.span.isRecording else { return }
            switch outcome {
            case .success(let socket):
                guard let information = (socket as? SecureSocket)?.information else { return }
                self.span.updateAttributes { $0.set(information) }
            case .failure(let error):
                self.span.updateAttributes { attributes in
                    attributes["error.type"] = error.code.description
                    attributes["tls.established"] = false
                }
                self.span.recordError(error)
                self.span.setStatus(SpanStatus(code: .error, message: error.message))
            }
        }
    }

    extension SpanAttributes {
        fileprivate mutating func set(_ information: ConnectionInformation) {
            self["tls.established"] = true
            self["tls.protocol.name"] = "tls"
            self["tls.protocol.version"] = information.version.number
            self["tls.cipher"] = information.cipherSuite.description
            self["tls.resumed"] = information.isResumed
            if let group = information.group { self["tls.curve"] = group.description }
            if let applicationProtocol = information.applicationProtocol { self["tls.next_protocol"] = applicationProtocol }
            if let serverName = information.serverName { self["tls.client.server_name"] = serverName }
        }
    }

    extension TLSProtocolVersion {
        /// The version without the name of the protocol, for example `1.3`.
        fileprivate var number: String { self.description.split(separator: " ").last.map(String.init) ?? self.description }
    }
#endif
