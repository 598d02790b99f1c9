public import Logging
import NIOCore
import Synchronization
package import TLSEngine

/// A server configuration that can be replaced while it is in use, with the keys of its session tickets, which remain: for plain sockets
/// that are upgraded (``PlainSocket/upgrade(tls:socketOptions:timeout:)-(LiveServerConfiguration,_,_)``), and for the channel handlers of
/// SecureSocketsNIO. A ``SecureListener`` has ``SecureListener/update(tls:)``.
///
/// ```swift
/// let tls = LiveServerConfiguration(try TLSServerConfiguration(identity: identity))
/// // After the certificate was renewed:
/// try tls.update(TLSServerConfiguration(identity: renewed))
/// ```
public final class LiveServerConfiguration: Sendable {
    package let context: LiveServerContext
    package let decisions: DecisionLimits
    package let shared = SharedStatistics()
    let watched: WatchedPeers?
    private let logger: Logger
    private let log: Mutex<ListenerLog>

    /// Creates a configuration that can be replaced.
    ///
    /// - Parameters:
    ///   - configuration: The first settings.
    ///   - ticketKeys: The keys that protect session tickets. Default: new ones.
    ///   - maximumDecisions: The maximum number of decisions about hellos, and of those about peers, that are under way at the same time
    ///     (``ListenerOptions/maximumDecisions``). Further handshakes wait. Values below 1 count as 1. Default: 256.
    ///   - openConnections: What happens to open connections of upgraded sockets when an update refuses their client or its certificate
    ///     expires, as for ``ListenerOptions/openConnections``. Channels stay open. A negative grace period counts as zero. Default: they
    ///     stay open.
    ///   - logger: The logger for certificates that clients will refuse, and for connections that are ended.
    public init(
        _ configuration: TLSServerConfiguration, ticketKeys: TicketKeys = TicketKeys(), maximumDecisions: Int = 256,
        openConnections: ListenerOptions.OpenConnections = .stayOpen, logger: Logger = Logger(label: "SecureSockets")
    ) {
        self.context = LiveServerContext(configuration.context, ticketKeys: ticketKeys.ring)
        self.decisions = DecisionLimits(max(maximumDecisions, 1))
        self.watched = WatchedPeers(openConnections) { [context] in context.current }
        self.logger = logger
        self.log = Mutex(ListenerLog(logger))
        configuration.logUnusableIdentities(logger)
    }

    /// Replaces the settings.
    ///
    /// A handshake uses the settings that are present when its ClientHello has arrived, to its end. Connections and handshakes under way
    /// are not affected. Sessions remain valid unless the new settings would refuse the client.
    ///
    /// - Parameter configuration: The new settings, which were loaded and checked when they were created.
    /// - Throws: ``SecureSocketError`` with the code `certificateUnusable` if the default identity's certificate has expired or is not valid
    ///   yet. The former settings remain then.
    public func update(_ configuration: TLSServerConfiguration) throws(SecureSocketError) {
        try configuration.checkDates(replacing: self.context.current)
        configuration.logUnusableIdentities(self.logger)
        let former = self.context.replace(with: configuration.context)
        if !configuration.context.verifiesAlike(former) { self.watched?.check() }
    }

    /// Counts and logs a connection that was ended because its client is no longer accepted.
    func openConnectionRefused(_ error: SecureSocketError, peer: String) {
        self.shared.openConnectionRefused()
        for line in self.log.withLock({ $0.peerRefused(error, peer: peer, at: .now()) }) { line.write() }
    }

    /// The numbers of handshakes and connections with these settings: of upgraded sockets and of channels. Bytes, lingering connections and
    /// displaced handshakes are not counted.
    public var statistics: ListenerStatistics {
        var statistics = self.shared.present
        statistics.configurationGeneration = self.generation
        statistics.describe(self.context.current)
        return statistics
    }

    /// The number of configurations so far: 1, and 1 more for each update.
    public var generation: Int { self.context.generation }
}
