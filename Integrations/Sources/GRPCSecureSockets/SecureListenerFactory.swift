public import GRPCCore
public import GRPCNIOTransportHTTP2
public import NIOCore
public import NIOPosix
public import SecureSockets
public import SecureSocketsNIO

/// Listens for gRPC connections over TLS, for gRPC's custom server transport.
///
/// The configuration needs the application protocol `h2`, and each later one as well:
///
/// ```swift
/// var parameters = TLSParameters()
/// parameters.applicationProtocols = ["h2"]
/// let tls = LiveServerConfiguration(try TLSServerConfiguration(identity: identity, parameters: parameters))
/// let server = GRPCServer(transport: .secureSockets(host: "0.0.0.0", port: 8443, tls: tls), services: [service])
/// try await server.serve()
/// ```
///
/// A client that offers no application protocol is refused: gRPC requires HTTP/2 and its negotiation.
public struct SecureListenerFactory: HTTP2ServerTransport.ListenerFactory {
    private let host: String
    private let port: Int
    private let tls: LiveServerConfiguration
    private let options: TLSHandlerOptions
    public let eventLoopGroup: any EventLoopGroup

    /// Creates a factory of listening channels.
    ///
    /// - Parameters:
    ///   - host: The host name or address to listen on.
    ///   - port: The port, 0 to 65535; 0 lets the system choose (`listeningAddress` of the transport).
    ///   - tls: The server's identity and TLS settings, which can be replaced while the server runs.
    ///   - options: The limits of the TLS handler of each connection.
    ///   - eventLoopGroup: The event loops of the connections. Default: NIO's.
    public init(
        host: String,
        port: Int,
        tls: LiveServerConfiguration,
        options: TLSHandlerOptions = TLSHandlerOptions(),
        eventLoopGroup: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup
    ) {
        self.host = host
        self.port = port
        self.tls = tls
        self.options = options
        self.eventLoopGroup = eventLoopGroup
    }

    /// Binds the listening channel.
    ///
    /// - Throws: If the address cannot be bound.
    public func makeListeningChannel(
        listenerConfigurator: HTTP2ServerTransport.ListenerConfigurator,
        connectionConfigurator: HTTP2ServerTransport.ConnectionConfigurator
    ) async throws -> NIOAsyncChannel<HTTP2ServerTransport.ConnectionConfigurator.ConnectionChannel, Never> {
        let (tls, options) = (self.tls, self.options)
        return try await ServerBootstrap(group: self.eventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { listenerConfigurator.configure(channel: $0) }
            .bind(host: self.host, port: self.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TLSServerHandler(tls, options: options))
                }.flatMap {
                    connectionConfigurator.configure(channel: channel, tls: .configured(requireALPN: true))
                }
            }
    }
}

extension ServerTransport where Self == HTTP2ServerTransport.Custom<SecureListenerFactory> {
    /// A transport of a gRPC server over TLS. See ``SecureListenerFactory``.
    ///
    /// - Parameters:
    ///   - host: The host name or address to listen on.
    ///   - port: The port, 0 to 65535; 0 lets the system choose.
    ///   - tls: The server's identity and TLS settings, which can be replaced while the server runs.
    ///   - options: The limits of the TLS handler of each connection.
    ///   - config: The settings of gRPC.
    ///   - eventLoopGroup: The event loops of the connections. Default: NIO's.
    public static func secureSockets(
        host: String,
        port: Int,
        tls: LiveServerConfiguration,
        options: TLSHandlerOptions = TLSHandlerOptions(),
        config: Self.Config = .defaults,
        eventLoopGroup: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup
    ) -> Self {
        Self(
            listenerFactory: SecureListenerFactory(
                host: host, port: port, tls: tls, options: options, eventLoopGroup: eventLoopGroup),
            config: config)
    }
}
