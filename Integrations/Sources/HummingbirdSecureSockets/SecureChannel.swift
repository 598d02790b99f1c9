public import HummingbirdCore
public import Logging
public import NIOCore
public import SecureSockets
public import SecureSocketsNIO

/// A child channel of a Hummingbird server with TLS below another child channel, as Hummingbird's own `TLSChannel` with NIOSSL.
///
/// ```swift
/// let tls = LiveServerConfiguration(try TLSServerConfiguration(identity: identity))
/// let application = Application(router: router, server: .secure(tls))
/// // After the certificate was renewed, while the server runs:
/// try tls.update(TLSServerConfiguration(identity: renewed))
/// ```
public struct SecureChannel<Base: ServerChildChannel>: ServerChildChannel {
    public typealias Value = Base.Value

    private let base: Base
    private let tls: LiveServerConfiguration
    private let options: TLSHandlerOptions

    /// Creates a child channel with TLS.
    ///
    /// - Parameters:
    ///   - base: The child channel that receives the decrypted bytes.
    ///   - tls: The server's identity and TLS settings, which can be replaced while the server runs.
    ///   - options: The limits of the handler of each connection.
    public init(_ base: Base, tls: LiveServerConfiguration, options: TLSHandlerOptions = TLSHandlerOptions()) {
        self.base = base
        self.tls = tls
        self.options = options
    }

    /// Adds the TLS handler to an accepted channel, then the handlers of the base channel.
    public func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addTLS(self.tls, self.options, logger) }
            .flatMap { self.base.setup(channel: channel, logger: logger) }
    }

    /// Handles the connection as the base channel does.
    public func handle(value: Base.Value, logger: Logger) async {
        await self.base.handle(value: value, logger: logger)
    }
}

extension SecureChannel: HTTPChannelHandler where Base: HTTPChannelHandler {
    public var responder: Responder { self.base.responder }
}
