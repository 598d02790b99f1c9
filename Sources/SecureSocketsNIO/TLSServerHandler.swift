import NIOCore
public import SecureSockets
import TLSEngine

/// The handler of a server's TLS in a channel's pipeline. One handler serves one channel.
///
/// ```swift
/// let tls = try TLSServerConfiguration(identity: identity)
/// let bootstrap = ServerBootstrap(group: group).childChannelInitializer { channel in
///     channel.eventLoop.makeCompletedFuture {
///         try channel.pipeline.syncOperations.addHandler(TLSServerHandler(configuration: tls))
///     }
/// }
/// ```
///
/// With a ``LiveServerConfiguration``, the settings can be replaced while channels use them, and its ``LiveServerConfiguration/statistics``
/// count their handshakes.
public final class TLSServerHandler: TLSHandler {
    private enum Source {
        case fixed(TLSServerConfiguration)
        case live(LiveServerConfiguration)
    }

    private let source: Source

    /// Creates the handler of one channel.
    ///
    /// - Parameters:
    ///   - configuration: The server's identity and TLS settings. Sessions are resumed among the channels with the same configuration.
    ///   - options: The limits of the handler.
    public init(configuration: TLSServerConfiguration, options: TLSHandlerOptions = TLSHandlerOptions()) {
        self.source = .fixed(configuration)
        super.init(role: .server, options: options, decisions: configuration.decisions)
    }

    /// Creates the handler of one channel, with settings that can be replaced. The handshake uses those that are present when the client's
    /// hello has arrived.
    public init(_ configuration: LiveServerConfiguration, options: TLSHandlerOptions = TLSHandlerOptions()) {
        self.source = .live(configuration)
        super.init(role: .server, options: options, decisions: configuration.decisions)
    }

    override func makeEngine(for channel: any Channel) throws(SecureSocketError) -> TLSEngine {
        do {
            return switch self.source {
            case .fixed(let configuration): try TLSEngine(server: configuration.context)
            case .live(let configuration): try self.counting(TLSEngine(server: configuration.context), under: configuration)
            }
        } catch {
            throw SecureSocketError(error, role: .server, step: .handshake, peer: self.peerText)
        }
    }

    private func counting(_ engine: TLSEngine, under configuration: LiveServerConfiguration) -> TLSEngine {
        self.counted = configuration.shared.beginHandshake()
        return engine
    }
}
