import Foundation
import NIOCore
import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSockets

/// Listeners that derive their ticket keys from one secret, as those of several machines do.
@Suite(.timeLimit(.minutes(2))) struct `Listeners with a secret in common` {
    private let authority: DevelopmentAuthority
    private let identity: TLSIdentity
    private let secret: TicketKeys.Secret
    private let other: TicketKeys.Secret

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.identity = try self.authority.server(names: ["service.test"]).identity
        self.secret = try .init(Array(0..<48))
        self.other = try .init(Array(50..<98))
    }

    private func listener(_ keys: TicketKeys, clients: TLSServerConfiguration.ClientAuthentication = .none) async throws
        -> SecureListener
    {
        var options = ListenerOptions.patient
        options.ticketKeys = keys
        return try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: self.identity, clients: clients), options: options)
    }

    /// Connects to one listener and then to the other, as if both had the same endpoint.
    private func resumption(from first: SecureListener, at second: SecureListener, _ version: TLSProtocolVersion) async throws
        -> ConnectionInformation.Resumption
    {
        let client = try TLSClientConfiguration(
            trust: self.authority.trust, serverName: "service.test", parameters: .init(version))
        // A session belongs to the address and port to which the client connects: a relay takes the place of a load balancer.
        let balancer = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        defer { balancer.close() }
        var information: [ConnectionInformation] = []
        for target in [first, second] {
            async let served: Void = {
                let socket = try await target.accept(timeout: Encounter.patience)
                try await socket.send("x")
                try await socket.closeWriting()
                _ = try await socket.receive()
                socket.close()
            }()
            async let relayed: RelayedBytes = {
                let front = try await balancer.accept(timeout: Encounter.patience)
                let back = try await PlainSocket.connect(
                    to: "127.0.0.1", port: target.localEndpoint.port, timeout: Encounter.patience)
                return try await front.relay(to: back)
            }()
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: balancer.localEndpoint.port, tls: client, timeout: Encounter.patience)
            information.append(socket.information)
            // The ticket comes before.
            #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
            socket.close()
            try await served
            _ = try await relayed
        }
        #expect(information.first?.isResumed == false)
        return try #require(information.last).resumption
    }

    @Test(arguments: [TLSProtocolVersion.tls12, .tls13]) func `resume each other's sessions`(
        version: TLSProtocolVersion
    ) async throws {
        let (one, two) = try (
            await self.listener(TicketKeys(derivedFrom: self.secret)), await self.listener(TicketKeys(derivedFrom: self.secret))
        )
        #expect(try await self.resumption(from: one, at: two, version) == .resumed)
        one.close()
        two.close()
    }

    @Test(arguments: [TLSProtocolVersion.tls12, .tls13]) func `resume no session of another secret, until they are to open it`(
        version: TLSProtocolVersion
    ) async throws {
        let keys = try TicketKeys(derivedFrom: self.other)
        let (one, two) = try (await self.listener(TicketKeys(derivedFrom: self.secret)), await self.listener(keys))
        #expect(try await self.resumption(from: one, at: two, version) == .declined)
        #expect(two.statistics.fullHandshakes == [.unknownKey: 1])
        try keys.replaceSecret(with: self.other, alsoOpening: [self.secret])
        #expect(try await self.resumption(from: one, at: two, version) == .resumed)
        one.close()
        two.close()
    }

    @Test(arguments: [TLSProtocolVersion.tls12, .tls13])
    func `resume no session of a server that asks for no certificate, if they require one`(
        version: TLSProtocolVersion
    ) async throws {
        let one = try await self.listener(TicketKeys(derivedFrom: self.secret))
        let two = try await self.listener(TicketKeys(derivedFrom: self.secret), clients: .required(trust: self.authority.trust))
        await #expect(throws: SecureSocketError.self) { _ = try await self.resumption(from: one, at: two, version) }
        one.close()
        two.close()
    }

    @Test func `know the same keys, and tell their names and times`() throws {
        let (one, two) = try (TicketKeys(derivedFrom: self.secret), TicketKeys(derivedFrom: self.secret))
        #expect(one.keys == two.keys)
        #expect(one.keys.count == 6)
        let sealing = try #require(one.keys.first)
        let now = Int64(Date().timeIntervalSince1970)
        #expect(sealing.sealsFrom <= now && now <= sealing.sealsUntil)
        #expect(sealing.opensUntil - sealing.sealsUntil == 48 * 3600)
        #expect(one.keys.allSatisfy { $0.name.utf8.count == 16 })
        #expect("\(one)" == "6 ticket keys")
    }

    // MARK: The number of tickets

    @Test(arguments: [0, 1, 3]) func `give a client as many tickets as they are told to`(tickets: Int) async throws {
        var parameters = TLSParameters(.tls13)
        parameters.sessionTickets = tickets
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: self.identity, parameters: parameters),
            options: .patient)
        let client = try TLSClientConfiguration(trust: self.authority.trust, serverName: "service.test")
        // Tickets come with the first bytes of a server. Only the first connection gets any.
        var isResumed: [Bool] = []
        var sockets: [SecureSocket] = []
        for number in 0..<tickets + 2 {
            async let accepted = listener.accept(timeout: Encounter.patience)
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: client, timeout: Encounter.patience)
            let server = try await accepted
            if number == 0 {
                try await server.send("x")
                #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
            }
            isResumed.append(socket.information.isResumed)
            sockets += [socket, server]
        }
        #expect(isResumed == [false] + Array(repeating: true, count: tickets) + [false])
        for socket in sockets { socket.close() }
        listener.close()
    }

    @Test(arguments: [-1, 17]) func `refuse a number of tickets that is not possible`(tickets: Int) async {
        var parameters = TLSParameters()
        parameters.sessionTickets = tickets
        await expectError(.invalidArgument, containing: "sessionTickets is \(tickets)") {
            _ = try TLSServerConfiguration(identity: self.identity, parameters: parameters)
        }
    }

    // MARK: The secret

    private static let unusable: [(bytes: [UInt8], fault: String)] = [
        ([], "has 0 bytes"), (Array(0..<31), "has 31 bytes"), (Array(repeating: 0, count: 48), "is not random"),
        (Array(repeating: 7, count: 1025), "has 1025 bytes"),
    ]

    @Test(arguments: 0..<4) func `refuse a secret that is none`(index: Int) async {
        let (bytes, fault) = Self.unusable[index]
        await expectError(.invalidArgument, containing: fault) { _ = try TicketKeys.Secret(bytes) }
    }

    @Test func `read their secret from a file or the environment`() async throws {
        let directory = try TemporaryDirectory()
        let text = "cm5kb20gYnl0ZXMgb2YgYSBnb29kIGdlbmVyYXRvciwgcmVhbGx5IQ=="
        let secret = try TicketKeys.Secret(Array(text.utf8))
        for ending in ["", "\n", "\r\n"] {
            let path = try directory.write(Array((text + ending).utf8), to: "secret")
            #expect(try TicketKeys.Secret(file: path) == secret)
        }
        await expectError(.invalidConfiguration, containing: "secret for sessions") {
            _ = try TicketKeys.Secret(file: directory.path(of: "missing"))
        }
        await expectError(.invalidArgument, containing: "SECURE_SOCKETS_MISSING") {
            _ = try TicketKeys.Secret(environment: "SECURE_SOCKETS_MISSING")
        }
    }

    @Test func `are not too many, and are not given to generated keys`() async throws {
        await expectError(.invalidArgument, containing: "4 further secrets") {
            _ = try TicketKeys(derivedFrom: self.secret, alsoOpening: Array(repeating: self.other, count: 4))
        }
        await expectError(.invalidArgument, containing: "not derived") { try TicketKeys().replaceSecret(with: self.secret) }
    }
}
