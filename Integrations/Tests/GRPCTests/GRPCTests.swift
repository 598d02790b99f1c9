import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCSecureSockets
import NIOCore
import SecureSockets
import SecureSocketsNIO
import SecureSocketsTesting
import Testing

/// gRPC on the channel handlers, with itself and with gRPC's own transports, whose TLS is NIOSSL's.
@Suite(.timeLimit(.minutes(5))) struct `gRPC on the channel handlers` {
    private let authority: DevelopmentAuthority
    private let parameters: TLSParameters

    init() throws {
        self.authority = try DevelopmentAuthority()
        var parameters = TLSParameters()
        parameters.applicationProtocols = ["h2"]
        self.parameters = parameters
    }

    private func server(
        _ clients: TLSServerConfiguration.ClientAuthentication = .none
    ) throws -> HTTP2ServerTransport.Custom<SecureListenerFactory> {
        let tls = try TLSServerConfiguration(
            identity: self.authority.server().identity, clients: clients, parameters: self.parameters)
        return .secureSockets(host: "127.0.0.1", port: 0, tls: LiveServerConfiguration(tls))
    }

    private func client(
        _ port: Int, identity: TLSIdentity? = nil, trust: TLSTrust? = nil
    ) async throws -> HTTP2ClientTransport.WrappedChannel {
        let tls = try TLSClientConfiguration(
            trust: trust ?? self.authority.trust, identity: identity, parameters: self.parameters)
        return try await .secureSockets(host: "localhost", port: port, tls: tls)
    }

    private var trustInAuthority: TLSConfig.TrustRootsSource {
        .certificates([.bytes(Array(self.authority.certificatePEM.utf8), format: .pem)])
    }

    /// Serves until the body ends.
    private func serve(
        _ transport: HTTP2ServerTransport.Custom<SecureListenerFactory>, _ body: (_ port: Int) async throws -> Void
    ) async throws {
        try await withGRPCServer(transport: transport, services: [EchoService()]) { _ in
            let address = await transport.listeningAddress
            try await body(#require(address?.ipv4?.port))
        }
    }

    private func check(_ client: GRPCClient<some ClientTransport>) async throws {
        #expect(try await client.echo(Array("hello".utf8)) == Array("hello".utf8))
        let large = [UInt8](repeating: 7, count: 2_000_000)
        #expect(try await client.echo(large) == large)

        let messages = (0..<200).map { [UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: $0 * 100) }
        #expect(try await client.converse(messages) == messages)
    }

    @Test func `carries unary and streaming calls at both ends`() async throws {
        try await self.serve(self.server()) { port in
            try await withGRPCClient(transport: self.client(port)) { try await self.check($0) }
        }
    }

    @Test func `carries calls at the same time over one connection`() async throws {
        try await self.serve(self.server()) { port in
            try await withGRPCClient(transport: self.client(port)) { client in
                let areCorrect = try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 0..<200 {
                        let message = Array("call \(number)".utf8)
                        group.addTask { try await client.echo(message) == message }
                    }
                    return try await group.allSatisfy { $0 }
                }
                #expect(areCorrect)
            }
        }
    }

    @Test func `serves gRPC's own client`() async throws {
        try await self.serve(self.server()) { port in
            let transport = try HTTP2ClientTransport.Posix(
                target: .ipv4(address: "127.0.0.1", port: port),
                transportSecurity: .tls {
                    $0.trustRoots = self.trustInAuthority
                    $0.serverCertificateVerification = .fullVerification
                })
            try await withGRPCClient(transport: transport) { try await self.check($0) }
        }
    }

    @Test func `calls gRPC's own server`() async throws {
        let identity = try self.authority.server()
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0),
            transportSecurity: .tls(
                certificateChain: [.bytes(Array(identity.certificateChainPEM.utf8), format: .pem)],
                privateKey: .bytes(Array(identity.privateKeyPEM.utf8), format: .pem)))
        try await withGRPCServer(transport: transport, services: [EchoService()]) { _ in
            let address = try await transport.listeningAddress
            let port = try #require(address.ipv4?.port)
            try await withGRPCClient(transport: self.client(port)) { try await self.check($0) }
        }
    }

    @Test func `requires client certificates`() async throws {
        try await self.serve(self.server(.required(trust: self.authority.trust))) { port in
            let identity = try self.authority.client().identity
            try await withGRPCClient(transport: self.client(port, identity: identity)) { client in
                let answer = try await client.echo([1, 2, 3])
                #expect(answer == [1, 2, 3])
            }
            let error = await #expect(throws: RPCError.self) {
                try await withGRPCClient(transport: self.client(port)) { _ = try await $0.echo([1]) }
            }
            #expect(error?.code == .unavailable)
        }
    }

    @Test func `refuses a server that the client does not trust`() async throws {
        try await self.serve(self.server()) { port in
            let error = await #expect(throws: RPCError.self) {
                try await withGRPCClient(transport: self.client(port, trust: DevelopmentAuthority().trust)) {
                    _ = try await $0.echo([1])
                }
            }
            #expect(error?.code == .unavailable)
        }
    }

    @Test func `serves a new certificate while a call of an old connection continues`() async throws {
        let renewing = try DevelopmentAuthority(commonName: "Other authority")
        var parameters = self.parameters
        // A resumed session would not transfer the new certificate.
        parameters.sessionLifetime = .zero
        let configurations = try [self.authority, renewing].map {
            try TLSServerConfiguration(identity: $0.server().identity, parameters: parameters)
        }
        let tls = LiveServerConfiguration(configurations[0])
        try await self.serve(.secureSockets(host: "127.0.0.1", port: 0, tls: tls)) { port in
            try await withGRPCClient(transport: self.client(port)) { client in
                let messages = ["before", "after", "end"].map { Array($0.utf8) }
                let answers = try await client.converse(messages) { count in
                    guard count == 1 else { return }
                    try tls.update(configurations[1])
                    try await withGRPCClient(transport: self.client(port, trust: renewing.trust)) { newer in
                        let answer = try await newer.echo([2])
                        #expect(answer == [2])
                    }
                    // New connections do not get the former certificate.
                    let error = await #expect(throws: RPCError.self) {
                        try await withGRPCClient(transport: self.client(port)) { _ = try await $0.echo([3]) }
                    }
                    #expect(error?.code == .unavailable)
                }
                #expect(answers == messages)
                // So do further calls of the old connection.
                let answer = try await client.echo([4])
                #expect(answer == [4])
            }
        }
    }

    @Test func `refuses clients without ALPN`() async throws {
        try await self.serve(self.server()) { port in
            let tls = try TLSClientConfiguration(trust: self.authority.trust)
            let socket = try await SecureSocket.connect(to: "localhost", port: port, tls: tls)
            // What the server sent before it closed the connection: its HTTP/2 preface at most.
            var length = 0
            while let bytes = try await socket.receive(timeout: .seconds(60)) { length += bytes.readableBytes }
            #expect(length < 1000)
            socket.close()
        }
    }
}
