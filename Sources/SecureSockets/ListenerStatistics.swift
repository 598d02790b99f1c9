/// The numbers of connections and handshakes of a listener (``SecureListener/statistics``). Counters only increase, unless stated otherwise.
public struct ListenerStatistics: Sendable, Hashable {
    /// Handshakes that were completed.
    public internal(set) var completedHandshakes = 0
    /// Completed handshakes that resumed a session.
    public internal(set) var resumedHandshakes = 0
    /// Completed handshakes whose client offered a session that was not accepted: it had expired, was unknown, or belonged to another
    /// configuration.
    public internal(set) var declinedSessions = 0
    /// Handshakes that failed, by the code of their error.
    public internal(set) var failedHandshakes: [SecureSocketError.Code: Int] = [:]
    /// The connections at present whose handshake was completed and whose descriptor is open. Connections that are closed on this side and
    /// wait for the peer are included.
    public internal(set) var openConnections = 0
    /// The number of TLS configurations so far: 1, and 1 more for each ``SecureListener/update(tls:)``.
    public internal(set) var configurationGeneration = 1
    /// The server's own certificate for each of its identities, the default first. Identities that a program selects are not included.
    public internal(set) var certificates: [TLSCertificate] = []

    init() {}

    mutating func completed(_ information: ConnectionInformation) {
        self.completedHandshakes += 1
        self.openConnections += 1
        switch information.resumption {
        case .resumed: self.resumedHandshakes += 1
        case .declined: self.declinedSessions += 1
        default: break
        }
    }

    mutating func failed(_ error: SecureSocketError) {
        self.failedHandshakes[error.code, default: 0] += 1
    }
}
