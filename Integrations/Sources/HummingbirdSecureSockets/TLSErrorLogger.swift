import Logging
import NIOCore
import SecureSockets
import SecureSocketsNIO

extension ChannelPipeline.SynchronousOperations {
    /// Adds the TLS handler of an accepted channel, and one that logs its errors.
    func addTLS(_ tls: LiveServerConfiguration, _ options: TLSHandlerOptions, _ logger: Logger) throws {
        try self.addHandler(TLSServerHandler(tls, options: options))
        try self.addHandler(TLSErrorLogger(logger))
    }
}

/// Logs why TLS failed, which Hummingbird's channels do at most at the level `trace`. The level is `debug`, because every client can cause
/// such errors.
final class TLSErrorLogger: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? SecureSocketError { self.logger.debug("TLS failed", metadata: ["error": "\(error)"]) }
        context.fireErrorCaught(error)
    }
}
