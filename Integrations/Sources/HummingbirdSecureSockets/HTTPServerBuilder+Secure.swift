public import HummingbirdCore
public import HummingbirdHTTP2
public import SecureSockets
public import SecureSocketsNIO

extension HTTPServerBuilder {
    /// A server for HTTP/1.1 over TLS.
    ///
    /// - Parameters:
    ///   - tls: The server's identity and TLS settings, which can be replaced while the server runs.
    ///   - options: The limits of the TLS handler of each connection.
    ///   - configuration: The settings of HTTP/1.1.
    public static func secure(
        _ tls: LiveServerConfiguration,
        options: TLSHandlerOptions = TLSHandlerOptions(),
        configuration: HTTP1Channel.Configuration = HTTP1Channel.Configuration()
    ) -> HTTPServerBuilder {
        .secure(tls, options: options) { HTTP1Channel(responder: $0, configuration: configuration) }
    }

    /// A server for another child channel over TLS, such as one that has WebSocket.
    ///
    /// It is not created from another `HTTPServerBuilder`, as Hummingbird's `tls(_:tlsConfiguration:)` is, because the function that
    /// creates a builder's child channel has the access level `package`.
    ///
    /// - Parameters:
    ///   - tls: The server's identity and TLS settings, which can be replaced while the server runs.
    ///   - options: The limits of the TLS handler of each connection.
    ///   - makeBase: Creates the child channel that receives the decrypted bytes.
    public static func secure<Base: ServerChildChannel>(
        _ tls: LiveServerConfiguration,
        options: TLSHandlerOptions = TLSHandlerOptions(),
        makeBase: @escaping @Sendable (@escaping HTTPChannelHandler.Responder) throws -> Base
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { SecureChannel(try makeBase($0), tls: tls, options: options) }
    }

    /// A server for HTTP/2 and HTTP/1.1 over TLS. The configuration needs the application protocols `h2` and `http/1.1`: see
    /// ``SecureHTTP2UpgradeChannel``.
    ///
    /// - Parameters:
    ///   - tls: The server's identity and TLS settings, which can be replaced while the server runs.
    ///   - options: The limits of the TLS handler of each connection.
    ///   - configuration: The settings of HTTP/2. Those of its streams apply to HTTP/1.1 as well.
    public static func secureHTTP2(
        _ tls: LiveServerConfiguration,
        options: TLSHandlerOptions = TLSHandlerOptions(),
        configuration: HTTP2Channel.Configuration = HTTP2Channel.Configuration()
    ) -> HTTPServerBuilder {
        HTTPServerBuilder {
            SecureHTTP2UpgradeChannel(tls: tls, options: options, configuration: configuration, responder: $0)
        }
    }
}
