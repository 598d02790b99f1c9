package import NIOCore

/// A decision of the program that a handshake waits for.
package enum HandshakeDecision: Sendable {
    /// The server appears with the identity of this context.
    case use(TLSContext)
    /// The server has no identity for this ClientHello.
    case notServed
    /// The peer is accepted.
    case accept
    /// The handshake ends with an alert.
    case refuse(ProgramRefusal)
    /// The ticket can be used, with this share.
    case useTicket(share: [UInt8])
    /// The ticket is not used.
    case declineTicket(ReasonForFullHandshake)
}

/// A refusal by the program: the alert for the peer, and the reason, which stays on this side.
package struct ProgramRefusal: Sendable, Hashable {
    package let alert: AlertDescription
    package let reason: String
    /// Whether the program has not rejected the peer, but was unable to decide.
    package let isFailureToDecide: Bool

    package init(alert: AlertDescription, reason: String, isFailureToDecide: Bool = false) {
        self.alert = alert
        self.reason = reason
        self.isFailureToDecide = isFailureToDecide
    }
}

/// Selects the identity for a ClientHello.
package typealias IdentitySelector = @Sendable (ClientHelloMessage, SocketAddress?) async -> HandshakeDecision

/// Judges a peer whose chain is good.
package typealias PeerDecision = @Sendable (PeerEvidence, SocketAddress?) async -> HandshakeDecision

/// What the program learns about a peer before it decides.
///
/// Certificates are decoded on access, so that a decision that waits keeps only what BoringSSL has in memory anyway, and nothing that a
/// peer sends beside its verified chain is decoded on the event loop.
package struct PeerEvidence: Sendable {
    private let sent: CertificateList
    private let verified: CertificateList
    /// The client's hello, for a server.
    package let clientHello: ClientHelloMessage?
    /// Whether the peer offers to resume a session, whose certificates these are.
    package let isResumption: Bool

    init(sent: [OpaquePointer], verified: [OpaquePointer], clientHello: ClientHelloMessage?, isResumption: Bool) {
        self.sent = CertificateList(sharing: sent)
        self.verified = CertificateList(sharing: verified)
        self.clientHello = clientHello
        self.isResumption = isResumption
    }

    /// The peer's own certificate; nil if it sent none.
    package var certificate: DecodedCertificate? { self.sent.pointers.first.map { DecodedCertificate(borrowing: $0) } }

    /// The certificates that the peer sent, its own first.
    package var certificates: [DecodedCertificate] { self.sent.pointers.map { DecodedCertificate(borrowing: $0) } }

    /// The verified chain, from the peer's certificate to the trusted root; empty if nothing is verified.
    package var verifiedChain: [DecodedCertificate] { self.verified.pointers.map { DecodedCertificate(borrowing: $0) } }
}

/// A decision that a handshake waits for, to be made outside the engine.
package struct PendingDecision: Sendable {
    package enum Subject: Sendable {
        /// The identity for a ClientHello, of which nothing is verified.
        case identity
        /// A single-use ticket, which is authentic.
        case ticket
        /// The certificates of an offered session.
        case session
        /// The peer's certificates, which are verified.
        case peer
    }

    package let subject: Subject
    private let make: @Sendable (SocketAddress?) async -> HandshakeDecision

    fileprivate init(_ subject: Subject, _ make: @escaping @Sendable (SocketAddress?) async -> HandshakeDecision) {
        self.subject = subject
        self.make = make
    }

    /// Makes the decision.
    ///
    /// - Parameter remoteAddress: The peer's address, if it has one.
    package func callAsFunction(remoteAddress: SocketAddress?) async -> HandshakeDecision { await self.make(remoteAddress) }
}

/// The decisions of one handshake. It exists only in an engine whose handshake has asked for one.
///
///     state      BoringSSL's callback      `decide`
///     open       asks: pending             ignored
///     pending    waits                     made
///     made       continues or refuses      ignored
///
/// A decision about an offered session is never one about the certificates of a full handshake: BoringSSL may decline the session for other
/// reasons afterwards, and the client may then present other certificates. The program decides again in that handshake.
final class HandshakeDecisions {
    enum State {
        case open
        case pending(PendingDecision)
        case made(HandshakeDecision)
    }

    var identity = State.open
    /// About an offered single-use ticket.
    var ticket = State.open
    /// About the certificates of an offered session.
    var session = State.open
    /// About the certificates that the peer presents in this handshake.
    var peer = State.open
}

extension TLSEngine {
    var identityDecision: HandshakeDecisions.State { self.decisions?.identity ?? .open }
    var ticketDecision: HandshakeDecisions.State { self.decisions?.ticket ?? .open }
    var sessionDecision: HandshakeDecisions.State { self.decisions?.session ?? .open }
    var peerDecision: HandshakeDecisions.State { self.decisions?.peer ?? .open }

    /// The decision that the handshake waits for.
    package var pendingDecision: PendingDecision? {
        if case .pending(let decision) = self.identityDecision { return decision }
        if case .pending(let decision) = self.ticketDecision { return decision }
        if case .pending(let decision) = self.sessionDecision { return decision }
        if case .pending(let decision) = self.peerDecision { return decision }
        return nil
    }

    /// Takes the outcome of the pending decision. `handshake` then continues.
    package func decide(_ decision: HandshakeDecision) {
        guard let pending = self.pendingDecision, let decisions = self.decisions else { return }
        switch pending.subject {
        case .identity: decisions.identity = .made(decision)
        case .ticket: decisions.ticket = .made(decision)
        case .session: decisions.session = .made(decision)
        case .peer: decisions.peer = .made(decision)
        }
    }

    func askForIdentity(_ select: @escaping IdentitySelector) {
        let hello = ClientHelloMessage(self.clientHello)
        self.makeDecisions().identity = .pending(PendingDecision(.identity) { await select(hello, $0) })
    }

    func askForShare(of ticket: [UInt8], isRecent: Bool, from store: any SingleUseTicketStore) {
        self.makeDecisions().ticket = .pending(
            PendingDecision(.ticket) { _ in
                switch await store.take(ticket, isRecent: isRecent) {
                case .success(let share): .useTicket(share: share)
                case .failure(let failure): .declineTicket(failure.reason)
                }
            })
    }

    /// - Parameters:
    ///   - sent: The peer's certificates, its own first. The list is not empty.
    ///   - verified: The verified chain; empty if nothing is verified.
    func askAboutPeer(sent: [OpaquePointer], verified: [OpaquePointer], isResumption: Bool) {
        guard let decide = self.context.settings.peerDecision else { return }
        let evidence = PeerEvidence(
            sent: sent, verified: verified,
            clientHello: self.clientHello.isEmpty ? nil : ClientHelloMessage(self.clientHello), isResumption: isResumption)
        let decisions = self.makeDecisions()
        if isResumption {
            decisions.session = .pending(PendingDecision(.session) { await decide(evidence, $0) })
        } else {
            decisions.peer = .pending(PendingDecision(.peer) { await decide(evidence, $0) })
        }
    }

    private func makeDecisions() -> HandshakeDecisions {
        if let decisions = self.decisions { return decisions }
        let decisions = HandshakeDecisions()
        self.decisions = decisions
        return decisions
    }

    /// The refusal that ends the handshake, if the program has made one.
    var programRefusal: ProgramRefusal? {
        if case .made(.refuse(let refusal)) = self.identityDecision { return refusal }
        if case .made(.refuse(let refusal)) = self.peerDecision { return refusal }
        return nil
    }

    /// The alert that refuses the requested server name or the ClientHello; nil if it is served.
    var refusalOfClientHello: AlertDescription? {
        if case .made(.refuse(let refusal)) = self.identityDecision { return refusal.alert }
        if self.isServerNameRefused { return .unrecognizedName }
        return self.offersNoApplicationProtocol ? .noApplicationProtocol : nil
    }

    /// Whether the client requests a name that this server does not serve.
    var isServerNameRefused: Bool {
        if case .made(.use) = self.identityDecision { return false }
        guard let names = self.context.serverNames, names.refusesOthers, let name = self.requestedServerName else { return false }
        return names.context(for: name) == nil
    }

    /// Whether the client offers no application protocol to a server that requires one.
    var offersNoApplicationProtocol: Bool {
        self.context.settings.requiresApplicationProtocol && TLSOffer(clientHello: self.clientHello).applicationProtocols.isEmpty
    }
}
