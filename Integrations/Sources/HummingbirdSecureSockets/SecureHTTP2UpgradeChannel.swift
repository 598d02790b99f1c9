public import HummingbirdCore
public import HummingbirdHTTP2
public import Logging
public import NIOCore
import NIOHTTP2
public import SecureSockets
public import SecureSocketsNIO

/// A child channel of a Hummingbird server for HTTP/2 and HTTP/1.1 over TLS, as Hummingbird's own `HTTP2UpgradeChannel` with NIOSSL.
///
/// The version is selected by ALPN, so that the configuration needs both application protocols, and each later one as well:
///
/// ```swift
/// var parameters = TLSParameters()
/// parameters.applicationProtocols = ["h2", "http/1.1"]
/// let tls = LiveServerConfiguration(try TLSServerConfiguration(identity: identity, parameters: parameters))
/// let application = Application(router: router, server: .secureHTTP2(tls))
/// ```
///
/// A connection whose client offers no application protocol uses HTTP/1.1.
public struct SecureHTTP2UpgradeChannel: HTTPChannelHandler {
    typealias Negotiated = NIONegotiatedHTTPVersion<HTTP1Channel.Value, HTTP2Channel.Value>

    /// An accepted connection.
    public struct Value: ServerChildChannelValue {
        /// The channel of the connection.
        public let channel: any Channel
        /// The channel of its HTTP version, once that is known.
        let negotiated: EventLoopFuture<Negotiated>
    }

    private let tls: LiveServerConfiguration
    private let options: TLSHandlerOptions
    private let http1: HTTP1Channel
    private let http2: HTTP2Channel

    public var responder: Responder { self.http1.responder }

    /// Creates a child channel for both versions of HTTP.
    ///
    /// - Parameters:
    ///   - tls: The server's identity and TLS settings, which can be replaced while the server runs.
    ///   - options: The limits of the TLS handler of each connection.
    ///   - configuration: The settings of HTTP/2. Those of its streams apply to HTTP/1.1 as well.
    ///   - responder: The function that responds to requests.
    public init(
        tls: LiveServerConfiguration,
        options: TLSHandlerOptions = TLSHandlerOptions(),
        configuration: HTTP2Channel.Configuration = HTTP2Channel.Configuration(),
        responder: @escaping Responder
    ) {
        self.tls = tls
        self.options = options
        self.http1 = HTTP1Channel(responder: responder, configuration: configuration.streamConfiguration)
        self.http2 = HTTP2Channel(responder: responder, configuration: configuration)
    }

    /// Adds the TLS handler to an accepted channel, and those of HTTP when the version is known.
    public func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addTLS(self.tls, self.options, logger) }
            .flatMap {
                channel.configureHTTP2AsyncSecureUpgrade { channel in
                    self.http1.setup(channel: channel, logger: logger)
                } http2ConnectionInitializer: { channel in
                    self.http2.setup(channel: channel, logger: logger)
                }
            }
            .map { Value(channel: channel, negotiated: $0) }
    }

    /// Handles the requests of a connection until it is closed.
    public func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiated.get() {
            case .http1_1(let connection): await self.http1.handle(value: connection, logger: logger)
            case .http2(let connection): await self.http2.handle(value: connection, logger: logger)
            }
        } catch {
            // The handshake failed, which `TLSErrorLogger` has logged, or no version was agreed on.
            logger.debug("No HTTP version was negotiated", metadata: ["error": "\(error)"])
        }
    }
}
