import TLSEngine

/// The numbers of connections and handshakes of a listener (``SecureListener/statistics``), or of the connections that share a
/// configuration (``LiveServerConfiguration/statistics``). Counters only increase, unless stated otherwise.
public struct ListenerStatistics: Sendable, Hashable {
    /// Handshakes that were completed.
    public internal(set) var completedHandshakes = 0
    /// Completed handshakes that resumed a session.
    public internal(set) var resumedHandshakes = 0
    /// Completed handshakes whose client offered a session that was not accepted: it had expired, was unknown, or belonged to another
    /// configuration.
    public internal(set) var declinedSessions = 0
    /// Completed handshakes that did not resume a session, by the reason.
    public internal(set) var fullHandshakes: [FullHandshakeReason: Int] = [:]
    /// Handshakes that failed, by the code of their error.
    public internal(set) var failedHandshakes: [SecureSocketError.Code: Int] = [:]
    /// Handshakes that failed because the client's certificate was not accepted, by the kind of problem. They are also among the failed ones,
    /// with the code `certificateVerificationFailed`.
    public internal(set) var refusedCertificates: [CertificateProblem.Kind: Int] = [:]
    /// Handshakes that failed because the client sent an alert. They are also among the failed ones, with the code `alertReceived`.
    public internal(set) var receivedAlerts: [TLSAlert: Int] = [:]
    /// Handshakes that were ended to make room for others, because their number had reached ``ListenerOptions/maximumHandshakes`` or the
    /// process had no file descriptors left. They are also among the failed ones, with the code `timedOut`.
    public internal(set) var displacedHandshakes = 0
    /// The handshakes that are in progress at present, including connections whose client has not sent anything.
    public internal(set) var handshakesInProgress = 0
    /// The connections at present whose handshake was completed and whose descriptor is open. Connections that are closed on this side and
    /// wait for the peer are included.
    public internal(set) var openConnections = 0
    /// Connections whose client was no longer accepted, so that their handlers were told to end them (``ListenerOptions/openConnections``).
    public internal(set) var refusedOpenConnections = 0
    /// The connections at present that are closed on this side and wait for the peer's end of stream
    /// (``ListenerOptions/maximumLingering``). Those whose handshake failed are included, those that a program accepted or iterated over
    /// are not.
    public internal(set) var lingeringConnections = 0
    /// The bytes that have arrived from clients and been passed to TLS, as they were on the network: handshakes and the overhead of records
    /// are included, and data that a closed connection discards is not.
    public internal(set) var receivedBytes = 0
    /// The bytes that TLS has produced for clients, as they are on the network. Some of them may still wait to be sent.
    public internal(set) var sentBytes = 0
    /// The number of TLS configurations so far: 1, and 1 more for each update.
    public internal(set) var configurationGeneration = 1
    /// The server's own certificate for each of its identities, the default first. Identities that a program selects are not included.
    public internal(set) var certificates: [TLSCertificate] = []
    /// The time by which the first of the revocation lists has to be replaced, in seconds since 1970-01-01 UTC; nil if there are none, or
    /// none has such a time.
    public internal(set) var revocationListsNextUpdate: Int64?
    /// The time by which the first of the stapled OCSP responses has to be replaced, in seconds since 1970-01-01 UTC; nil if there are none.
    public internal(set) var ocspResponsesNextUpdate: Int64?

    init() {}

    mutating func completed(_ information: ConnectionInformation?) {
        self.completedHandshakes += 1
        self.openConnections += 1
        if let reason = information?.fullHandshakeReason { self.fullHandshakes[reason, default: 0] += 1 }
        switch information?.resumption {
        case .resumed: self.resumedHandshakes += 1
        case .declined: self.declinedSessions += 1
        default: break
        }
    }

    mutating func failed(_ error: SecureSocketError) {
        self.failedHandshakes[error.code, default: 0] += 1
        if let problem = error.certificateProblem { self.refusedCertificates[problem.kind, default: 0] += 1 }
        if let alert = error.alert { self.receivedAlerts[alert, default: 0] += 1 }
    }

    /// Adds the certificates of a configuration, and the times by which what it was loaded from has to be replaced.
    mutating func describe(_ context: TLSContext) {
        self.certificates = context.certificates.map(TLSCertificate.init)
        self.revocationListsNextUpdate = context.settings.revocation?.lists.descriptions.compactMap(\.nextUpdate).min()
        self.ocspResponsesNextUpdate = context.earliestUpdateOfStapledResponses
    }
}
