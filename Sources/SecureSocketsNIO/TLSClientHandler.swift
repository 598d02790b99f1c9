import NIOCore
public import SecureSockets
import TLSEngine

/// The handler of a client's TLS in a channel's pipeline. One handler serves one channel.
///
/// ```swift
/// let tls = try TLSClientConfiguration()
/// let channel = try await ClientBootstrap(group: group).channelInitializer { channel in
///     channel.eventLoop.makeCompletedFuture {
///         try channel.pipeline.syncOperations.addHandler(TLSClientHandler(configuration: tls, serverHostname: "example.org"))
///     }
/// }.connect(host: "example.org", port: 443).get()
/// ```
public final class TLSClientHandler: TLSHandler {
    private let configuration: TLSClientConfiguration
    private let serverHostname: String?

    /// Creates the handler of one channel.
    ///
    /// - Parameters:
    ///   - configuration: The client's TLS settings. Sessions are resumed among the channels with the same configuration that are connected
    ///     to the same server. The configuration of a ``LiveClientConfiguration`` is read when the handshake begins.
    ///   - serverHostname: The host name or address of the server, which is requested and for which its certificate must be valid, unless
    ///     the configuration has another name or verifies none. A name is in ASCII. Nil: the channel's remote address, if that is an
    ///     internet address.
    ///   - options: The limits of the handler.
    /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if `serverHostname` is no host name or address.
    public init(
        configuration: TLSClientConfiguration, serverHostname: String?, options: TLSHandlerOptions = TLSHandlerOptions()
    ) throws(SecureSocketError) {
        if let serverHostname { try SecureSocketError.check(host: serverHostname) }
        self.configuration = configuration
        self.serverHostname = serverHostname
        super.init(role: .client, options: options, decisions: nil)
    }

    override var peerName: String? { self.serverHostname }

    override func makeEngine(for channel: any Channel) throws(SecureSocketError) -> TLSEngine {
        let address = channel.remoteAddress
        let host = self.serverHostname ?? address?.ipAddress
        let endpoint = host.map { host in address?.port.map { "\(host):\($0)" } ?? host }
        return try self.configuration.makeEngine(for: host, at: endpoint)
    }
}
