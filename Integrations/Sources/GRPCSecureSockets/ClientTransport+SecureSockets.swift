public import GRPCCore
public import GRPCNIOTransportHTTP2
public import NIOCore
public import NIOPosix
public import SecureSockets
public import SecureSocketsNIO

extension ClientTransport where Self == HTTP2ClientTransport.WrappedChannel {
    /// Connects to a gRPC server, over TLS.
    ///
    /// ```swift
    /// var parameters = TLSParameters()
    /// parameters.applicationProtocols = ["h2"]
    /// let tls = try TLSClientConfiguration(parameters: parameters)
    /// try await withGRPCClient(transport: .secureSockets(host: "example.org", port: 443, tls: tls)) { client in
    ///     // …
    /// }
    /// ```
    ///
    /// The transport has one connection, and does not connect again when that is closed. Calls wait for the handshake; if it fails, they
    /// fail with the code `unavailable`.
    ///
    /// - Parameters:
    ///   - host: The host name or address, which the server's certificate must be valid for.
    ///   - port: The port, 1 to 65535.
    ///   - tls: The client's TLS settings, with the application protocol `h2`.
    ///   - options: The limits of the TLS handler.
    ///   - config: The settings of gRPC.
    ///   - serviceConfig: The settings of methods and retries.
    ///   - eventLoopGroup: The event loops from which one is chosen. Default: NIO's.
    /// - Throws: If the server cannot be reached, or ``SecureSocketError`` if `host` is no host name or address.
    public static func secureSockets(
        host: String,
        port: Int,
        tls: TLSClientConfiguration,
        options: TLSHandlerOptions = TLSHandlerOptions(),
        config: Self.Config = .defaults,
        serviceConfig: ServiceConfig = ServiceConfig(),
        eventLoopGroup: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup
    ) async throws -> Self {
        try await .wrapping(config: config, serviceConfig: serviceConfig) { configure in
            try await ClientBootstrap(group: eventLoopGroup).connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        TLSClientHandler(configuration: tls, serverHostname: host, options: options))
                }.flatMap { configure(channel) }
            }
        }
    }
}
