import Synchronization

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
    private let settings: Mutex<TLSClientConfiguration.Settings>

    /// - Parameter configuration: The first settings.
    public init(_ configuration: TLSClientConfiguration) {
        self.settings = Mutex(configuration.settings)
    }

    /// A configuration that always has the present settings: each connection uses those that are present when its handshake begins, to its
    /// end.
    public var configuration: TLSClientConfiguration { TLSClientConfiguration(self) }

    /// Replaces the settings. Connections and handshakes under way are not affected. Sessions are resumed only under settings that would
    /// accept the same server.
    ///
    /// - Parameter tls: The new settings, which were loaded and checked when they were created.
    public func update(tls: TLSClientConfiguration) {
        let settings = tls.settings
        self.settings.withLock { $0 = settings }
    }

    var present: TLSClientConfiguration.Settings { self.settings.withLock { $0 } }
}
