import NIOCore
import Synchronization
import TLSEngine

/// The open connections whose peers have certificates, and that end when these are no longer accepted (`ListenerOptions.openConnections`, and
/// those of live configurations). Each connection has its own checks and timers: `Connection+PeerCheck.swift`.
///
/// Bounded by the number of open connections.
final class WatchedPeers: Sendable {
    private struct State {
        var connections: [ObjectIdentifier: Connection] = [:]
        /// The number of checks of all of them so far.
        var lastCheck = 0
    }

    private let grace: TimeAmount
    private let present: @Sendable () -> TLSContext
    private let state = Mutex(State())

    /// - Parameters:
    ///   - options: nil is returned if connections stay open.
    ///   - present: Returns the present policy.
    init?(_ options: ListenerOptions.OpenConnections, under present: @escaping @Sendable () -> TLSContext) {
        guard let grace = options.grace else { return nil }
        self.grace = TimeAmount(grace)
        self.present = present
    }

    /// Watches an established connection, if its peer has sent a certificate. On its loop.
    ///
    /// - Parameter refused: A function that is called on the loop when the connection begins to end, with the reason.
    func watch(
        _ connection: Connection, _ information: ConnectionInformation, refused: @escaping @Sendable (SecureSocketError) -> Void
    ) {
        guard information.peerCertificate != nil, connection.isOpen else { return }
        self.state.withLock { $0.connections[ObjectIdentifier(connection)] = connection }
        connection.watchPeer(PeerWatch(grace: self.grace, present: self.present, refused: refused))
    }

    func gone(_ connection: Connection) {
        self.state.withLock { _ = $0.connections.removeValue(forKey: ObjectIdentifier(connection)) }
    }

    /// Checks all connections, because the policy verifies certificates by other rules now.
    func check() {
        let (connections, check) = self.state.withLock { state in
            state.lastCheck += 1
            return (Array(state.connections.values), state.lastCheck)
        }
        for onOneLoop in Dictionary(grouping: connections, by: { ObjectIdentifier($0.loop) }).values {
            self.check(onOneLoop[...], check)
        }
    }

    /// The number of open connections that are checked in one round of an event loop. Each check verifies a chain.
    static let checksPerRound = 4

    /// Checks open connections of one loop, a few in each of its rounds. Another check, of all of them, takes its place.
    private func check(_ connections: ArraySlice<Connection>, _ number: Int) {
        guard let first = connections.first else { return }
        first.onLoop {
            guard self.state.withLock({ $0.lastCheck }) == number else { return }
            for connection in connections.prefix(Self.checksPerRound) { connection.checkPeer() }
            let rest = connections.dropFirst(Self.checksPerRound)
            if !rest.isEmpty { first.executor.inNextRound { self.check(rest, number) } }
        }
    }
}
