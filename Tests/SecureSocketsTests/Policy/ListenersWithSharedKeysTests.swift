import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// What `A session does not cross identities` shows with engines, with listeners and connections: clients may take the sessions of one listener
/// to another one, which has the same ticket keys and another policy.
@Suite(.timeLimit(.minutes(5))) struct `Listeners that share one object of ticket keys` {
    /// The policies of the listeners.
    private enum Policy: CaseIterable {
        case plain, otherIdentity, refusesOtherNames, requiresClient, requiresOtherClient, asksForClient, revokesClient,
            rejectsClient
    }

    /// What a client learns of a server, and what the server knows of the client.
    private enum Outcome: Equatable {
        case served(as: [UInt8]?, client: ByteBuffer?)
        case refused(TLSAlert?)
    }

    private let servers: DevelopmentAuthority
    private let clients: DevelopmentAuthority
    private let client: DevelopmentIdentity

    init() throws {
        self.servers = try DevelopmentAuthority()
        self.clients = try DevelopmentAuthority(commonName: "clients")
        self.client = try self.clients.client()
    }

    private func configuration(_ policy: Policy, _ one: TLSIdentity, _ two: TLSIdentity) throws -> TLSServerConfiguration {
        switch policy {
        case .plain: return try TLSServerConfiguration(identity: one)
        case .otherIdentity: return try TLSServerConfiguration(identity: two)
        case .refusesOtherNames:
            return try TLSServerConfiguration(
                identities: [ServerIdentity(for: ["elsewhere.test"], one)], unknownServerNames: .refused)
        case .requiresClient: return try TLSServerConfiguration(identity: one, clients: .required(trust: self.clients.trust))
        case .requiresOtherClient:
            let others = try DevelopmentAuthority(commonName: "others")
            return try TLSServerConfiguration(identity: one, clients: .required(trust: others.trust))
        case .asksForClient: return try TLSServerConfiguration(identity: one, clients: .optional(trust: self.clients.trust))
        case .revokesClient:
            let lists = try RevocationLists(.text(self.clients.revocationList(of: [self.client.certificate])))
            return try TLSServerConfiguration(
                identity: one, clients: .required(trust: self.clients.trust.checkingRevocation(with: lists)))
        case .rejectsClient:
            let rule = PeerRule { _ in throw TLSRejection("no") }
            return try TLSServerConfiguration(identity: one, clients: .required(trust: self.clients.trust, allow: rule))
        }
    }

    private func client(_ version: TLSProtocolVersion) throws -> TLSClientConfiguration {
        try TLSClientConfiguration(
            trust: self.servers.trust, identity: self.client.identity, serverName: "service.test", sessions: TLSSessionCache(),
            sessionGroup: "the service", parameters: TLSParameters(version))
    }

    private func visit(_ listener: SecureListener, _ tls: TLSClientConfiguration) async -> (outcome: Outcome, isResumed: Bool) {
        do throws(SecureSocketError) {
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls, timeout: Encounter.patience)
            defer { socket.close() }
            // Tickets come before.
            let line = try await socket.receiveLine()
            let certificate = socket.information.peerCertificate
            return (.served(as: certificate?.serialNumber, client: line), socket.information.isResumed)
        } catch {
            return (.refused(error.alert), false)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `treat a client with a session as one without, for every pair of policies`(version: TLSProtocolVersion) async throws {
        let keys = TicketKeys()
        let (one, two) = (
            try self.servers.server(names: ["service.test"]).identity,
            try self.servers.server(names: ["service.test", "other.test"]).identity
        )
        var listeners: [(policy: Policy, listener: SecureListener)] = []
        for policy in Policy.allCases {
            var options = ListenerOptions.patient
            options.ticketKeys = keys
            let tls = try self.configuration(policy, one, two)
            listeners.append(
                (policy, try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: tls, options: options)))
        }
        var resumptions: [Policy: Set<Policy>] = [:]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (_, listener) in listeners {
                group.addTask {
                    try await listener.serve(handshakeFailed: { _, _ in }) { socket in
                        try await socket.send("\(socket.information.peerCertificate?.subject ?? "none")\n")
                    }
                }
            }
            for (first, origin) in listeners {
                for (second, target) in listeners {
                    let tls = try self.client(version)
                    _ = await self.visit(origin, tls)
                    let later = await self.visit(target, tls)
                    let full = try await self.visit(target, self.client(version))
                    #expect(!full.isResumed)
                    #expect(later.outcome == full.outcome, "\(first) to \(second)")
                    if later.isResumed { resumptions[first, default: []].insert(second) }
                }
            }
            for (_, listener) in listeners { listener.close() }
            try await group.waitForAll()
        }
        for policy in [Policy.plain, .otherIdentity, .requiresClient, .asksForClient] {
            #expect(resumptions[policy]?.contains(policy) == true, "\(policy)")
        }
        let refusing: Set<Policy> = [.refusesOtherNames, .requiresOtherClient, .revokesClient, .rejectsClient]
        #expect(resumptions.values.allSatisfy { $0.isDisjoint(with: refusing) })
    }
}
