package import TLSEngine

/// The reason for which a handshake did not resume a session. New values may be added in any release.
public struct FullHandshakeReason: Sendable, Hashable {
    package let reason: ReasonForFullHandshake

    package init(_ reason: ReasonForFullHandshake) { self.reason = reason }

    // MARK: At clients and servers

    /// The client offered no session. At a client: it had none for this server.
    public static let noSession = Self(.noSession)
    /// Resumption is switched off at this side (``TLSParameters/sessionLifetime``).
    public static let disabled = Self(.disabled)
    /// The session's lifetime is over.
    public static let expired = Self(.expired)
    /// The session belongs to another server name: at a server, to one whose identity is another; at a client, to one for which other names
    /// are expected.
    public static let differentName = Self(.differentName)
    /// The session belongs to other settings: identity, client authentication, versions, cipher suites or application protocols. Also if the
    /// settings were replaced between the beginning of the connection and its ClientHello, and if the server accepts single-use tickets
    /// only and this is none.
    public static let differentPolicy = Self(.differentPolicy)
    /// The session belongs to another version of TLS than the negotiated one.
    public static let differentVersion = Self(.differentVersion)
    /// The program's rule refused the peer of the session (``PeerRule``). A client with a rule does not resume sessions.
    public static let refusedByDecision = Self(.refusedByDecision)
    /// The certificates of the session's peer are not accepted any more: they have expired or were revoked, or the trusted certificates or
    /// the rules of verification are others.
    public static let peerNotAccepted = Self(.peerNotAccepted)

    // MARK: At servers

    /// The ticket is too short, or its content was changed. (Tickets of other programs usually appear as ``unknownKey``.)
    public static let invalidTicket = Self(.invalidTicket)
    /// No key with the ticket's name is known: it was issued by a server with other keys.
    public static let unknownKey = Self(.unknownKey)
    /// The ticket's key is too old, was displaced by newer ones, or is no longer given by its source.
    public static let retiredKey = Self(.retiredKey)
    /// The session was made worthless: with ``TicketKeys/removeAll()``, or by a ring in which all keys are new.
    public static let forgotten = Self(.forgotten)
    /// The client identified a TLS 1.2 session, without a ticket, that this server does not keep.
    public static let unknownSession = Self(.unknownSession)
    /// The ticket was issued at a time that this server's clock has not reached.
    public static let issuedInFuture = Self(.issuedInFuture)
    /// Another parameter is not that of the session: the cipher suite, the extended master secret (RFC 7627 §5.3), or the key exchange
    /// mode (RFC 8446 §4.2.9).
    public static let differentParameters = Self(.differentParameters)
    /// A single-use ticket has no share in the store: it was used before, the store has dropped the share, or it never had it.
    public static let alreadyUsed = Self(.alreadyUsed)
    /// The store of single-use tickets did not answer in time.
    public static let storeTimedOut = Self(.storeTimedOut)
    /// The store of single-use tickets failed, or is not asked because it failed before or too many requests are under way. Also for a
    /// single-use ticket at a server without a store.
    public static let storeUnavailable = Self(.storeUnavailable)

    // MARK: At clients

    /// The server has not issued a session in earlier connections.
    public static let notIssued = Self(.notIssued)
    /// All sessions for this server are used up. A session of TLS 1.3 is used once (RFC 8446 §C.4).
    public static let usedUp = Self(.usedUp)
    /// The server declined the session, for a reason that is not known here.
    public static let declinedByServer = Self(.declinedByServer)
}

extension FullHandshakeReason: CustomStringConvertible {
    /// The name of the value, such as `unknownKey`.
    public var description: String { "\(self.reason)" }

    /// A sentence for people, such as `the ticket's key is not known to this server`.
    public var explanation: String {
        switch self.reason {
        case .noSession: "no session was offered"
        case .disabled: "resumption is switched off"
        case .expired: "the session has expired"
        case .differentName: "the session belongs to another server name"
        case .differentPolicy: "the session belongs to other settings"
        case .differentVersion: "the session belongs to another version of TLS"
        case .refusedByDecision: "the program's rule does not admit the session's peer"
        case .peerNotAccepted: "the certificates of the session's peer are not accepted any more"
        case .invalidTicket: "the ticket is not valid"
        case .unknownKey: "the ticket's key is not known to the server"
        case .retiredKey: "the ticket's key is too old"
        case .forgotten: "all sessions of that time were made worthless"
        case .unknownSession: "the server does not keep the session"
        case .issuedInFuture: "the server's clock is behind that of the server which issued the ticket"
        case .differentParameters: "the cipher suite or another parameter differs"
        case .alreadyUsed: "the ticket was used before, or is not in the store"
        case .storeTimedOut: "the store of tickets did not answer in time"
        case .storeUnavailable: "the store of tickets is not available"
        case .notIssued: "the server has issued no session"
        case .usedUp: "all sessions for the server are used up"
        case .declinedByServer: "the server declined the session"
        }
    }
}
