public import NIOCore
public import SecureSockets

extension Channel {
    /// The parameters that TLS has negotiated; nil until the handshake is complete.
    ///
    /// - Returns: A future that fails if the channel's pipeline has no ``TLSHandler``.
    public func tlsInformation() -> EventLoopFuture<ConnectionInformation?> {
        self.pipeline.handler(type: TLSHandler.self).map { $0.information }
    }

    /// Derives keying material that both sides share (RFC 8446 §7.5). See ``TLSHandler/exportKeyingMaterial(label:context:length:)``.
    ///
    /// - Returns: A future that fails with a ``SecureSocketError``, or if the channel's pipeline has no ``TLSHandler``.
    public func exportTLSKeyingMaterial(label: String, context: [UInt8]? = nil, length: Int) -> EventLoopFuture<[UInt8]> {
        self.pipeline.handler(type: TLSHandler.self).flatMapThrowing {
            try $0.exportKeyingMaterial(label: label, context: context, length: length)
        }
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// The parameters that TLS has negotiated; nil until the handshake is complete. Use it on the channel's event loop.
    ///
    /// - Throws: If the pipeline has no ``TLSHandler``.
    public func tlsInformation() throws -> ConnectionInformation? {
        try self.handler(type: TLSHandler.self).information
    }
}
