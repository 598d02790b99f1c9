import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// `SecureListener.update` while the program decides about a client.
@Suite(.timeLimit(.minutes(5))) struct `A handshake during which the policy is replaced` {
    private let authority: DevelopmentAuthority
    private let formerClients: DevelopmentAuthority
    private let newClients: DevelopmentAuthority

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.formerClients = try DevelopmentAuthority(commonName: "former clients")
        self.newClients = try DevelopmentAuthority(commonName: "new clients")
    }

    private func identity(_ name: String) throws -> TLSIdentity {
        try self.authority.server(names: ["localhost", "127.0.0.1"], uris: ["test:\(name)"]).identity
    }

    /// Serves with one policy, and replaces it by one with another certificate and other clients while a former client's handshake waits at
    /// the gate.
    private func replace(
        _ former: TLSServerConfiguration, at gate: Gate, _ version: TLSProtocolVersion,
        _ dialogue: (_ waiting: Task<SecureSocket, any Error>) async throws -> Void
    ) async throws {
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: former, socketOptions: .patient, options: .patient)
        async let serving: Void = listener.serve(handshakeFailed: { _, _ in }) { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        @Sendable func connect(_ clients: DevelopmentAuthority) async throws -> SecureSocket {
            try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port,
                tls: TLSClientConfiguration(
                    trust: self.authority.trust, identity: clients.client().identity, sessions: TLSSessionCache(),
                    parameters: TLSParameters(version)),
                timeout: Encounter.patience)
        }
        let waiting = Task { [formerClients] in try await connect(formerClients) }
        await gate.hasBeenAsked(1)
        try await listener.update(
            tls: TLSServerConfiguration(
                identity: self.identity("new"), clients: .required(trust: self.newClients.trust),
                parameters: TLSParameters(version)))
        // Other hellos do not wait for that handshake.
        try await self.expectService(of: "new", to: connect(self.newClients))
        try await dialogue(waiting)
        // What the former policy decided does not outlive its handshake.
        try await self.expectService(of: "new", to: connect(self.newClients))
        let error = await #expect(throws: SecureSocketError.self) { _ = try await connect(self.formerClients).receive() }
        #expect(error?.alert == .unknownCA)
        #expect(gate.count == 1)
        listener.close()
        try await serving
    }

    private func expectService(of name: String, to socket: SecureSocket) async throws {
        #expect(socket.information.peerCertificate?.uris == ["test:\(name)"])
        try await socket.send("hello")
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
        socket.close()
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is completed by the former one, if the program was selecting an identity`(version: TLSProtocolVersion) async throws {
        let gate = Gate()
        let selected = try self.identity("selected")
        let former = try TLSServerConfiguration(
            identities: [ServerIdentity(for: [], self.identity("former"))],
            selectIdentity: { _ in
                await gate.wait()
                return selected
            },
            clients: .required(trust: self.formerClients.trust), parameters: TLSParameters(version))
        try await self.replace(former, at: gate, version) { waiting in
            gate.open()
            try await self.expectService(of: "selected", to: waiting.value)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is completed by the former one, if its rule was deciding about the client`(version: TLSProtocolVersion) async throws {
        let gate = Gate()
        let former = try TLSServerConfiguration(
            identity: self.identity("former"), clients: .required(trust: self.formerClients.trust, allow: gate.rule),
            parameters: TLSParameters(version))
        try await self.replace(former, at: gate, version) { waiting in
            gate.open()
            try await self.expectService(of: "former", to: waiting.value)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused by the former rule, although the new policy has none`(version: TLSProtocolVersion) async throws {
        let gate = Gate()
        let rule = PeerRule { _ in
            await gate.wait()
            throw TLSRejection("not by the former policy")
        }
        let former = try TLSServerConfiguration(
            identity: self.identity("former"), clients: .required(trust: self.formerClients.trust, allow: rule),
            parameters: TLSParameters(version))
        try await self.replace(former, at: gate, version) { waiting in
            gate.open()
            let error = await #expect(throws: SecureSocketError.self) { _ = try await waiting.value.receive() }
            #expect(error?.alert == .accessDenied)
        }
    }
}
