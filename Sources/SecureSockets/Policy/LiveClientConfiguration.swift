import Synchronization
import TLSEngine

/// A client configuration that can be replaced, for connection pools and other code that keeps its configuration for long.
///
/// ```swift
/// let live = LiveClientConfiguration(try TLSClientConfiguration(identity: identity))
/// let tls = live.configuration                                // For a pool of connections, for example.
/// // After the certificate was renewed:
/// let renewed = try TLSIdentity(certificateChain: "client.pem", privateKey: "client-key.pem")
/// live.update(tls: try TLSClientConfiguration(identity: renewed))
/// ```
public final class LiveClientConfiguration: Sendable {
    private let settings: PresentSettings
    let watched: WatchedPeers?

    /// - Parameters:
    ///   - configuration: The first settings.
    ///   - openConnections: What happens to an open connection when its server's certificate expires, or when ``update(tls:)`` revokes it or
    ///     withdraws the trust in its authority, as for ``ListenerOptions/openConnections``: with
    ///     ``ListenerOptions/OpenConnections/endIfRefused(grace:)``, sequences of ``StreamSocket/Incoming/untilShutdown`` end first, and
    ///     calls fail after the grace period with `certificateVerificationFailed`. A negative grace period counts as zero. It concerns
    ///     sockets, not channels. Default: connections stay open.
    public init(_ configuration: TLSClientConfiguration, openConnections: ListenerOptions.OpenConnections = .stayOpen) {
        let settings = PresentSettings(configuration.settings)
        self.settings = settings
        self.watched = WatchedPeers(openConnections) { settings.present.context }
    }

    /// A configuration that always has the present settings: each connection uses those that are present when its handshake begins, to its
    /// end.
    public var configuration: TLSClientConfiguration { TLSClientConfiguration(self) }

    /// Replaces the settings. Handshakes under way are not affected, nor are connections, unless they are to end when their server is refused.
    /// Sessions are resumed only under settings that would
    /// accept the same server.
    ///
    /// - Parameter tls: The new settings, which were loaded and checked when they were created.
    public func update(tls: TLSClientConfiguration) {
        let former = self.settings.replace(with: tls.settings)
        if !tls.settings.context.verifiesAlike(former.context) { self.watched?.check() }
    }

    var present: TLSClientConfiguration.Settings { self.settings.present }
}

/// The settings in use.
private final class PresentSettings: Sendable {
    private let settings: Mutex<TLSClientConfiguration.Settings>

    init(_ settings: TLSClientConfiguration.Settings) { self.settings = Mutex(settings) }

    var present: TLSClientConfiguration.Settings { self.settings.withLock { $0 } }

    /// Returns the former settings.
    func replace(with settings: TLSClientConfiguration.Settings) -> TLSClientConfiguration.Settings {
        self.settings.withLock { present in
            defer { present = settings }
            return present
        }
    }
}
