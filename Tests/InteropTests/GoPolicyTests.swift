import DevelopmentCertificates
import Foundation
import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// The policy of a running listener, and Go's client with its session cache.
@Suite(.serialized, .enabled(if: GoPeer.go != nil, "needs Go"), .timeLimit(.minutes(5)))
struct `A client in Go` {
    private let authority: DevelopmentAuthority
    private let folder: TemporaryDirectory
    private let trusted: String
    private let identities: [DevelopmentIdentity]

    private static let names = ["a.example", "b.example", "*.c.example"]

    init() throws {
        let authority = try DevelopmentAuthority()
        self.authority = authority
        self.folder = try TemporaryDirectory()
        self.trusted = try self.folder.write(authority.certificatePEM, to: "ca.pem")
        self.identities = try Self.names.map { try authority.server(names: [$0]) }
    }

    private func tls(
        _ identities: [DevelopmentIdentity]? = nil, clients: TLSServerConfiguration.ClientAuthentication = .none
    ) throws -> TLSServerConfiguration {
        try TLSServerConfiguration(
            identities: (identities ?? self.identities).map { ServerIdentity($0.identity) },
            unknownServerNames: .refused, clients: clients)
    }

    /// Serves the echo of a line.
    private func withServer(
        _ tls: TLSServerConfiguration, _ body: (SecureListener, HandshakeFailures) async throws -> Void
    ) async throws {
        try await withServedListener(tls, { try await $0.echoLine() }, body)
    }

    private func client(
        to listener: SecureListener, _ version: TLSProtocolVersion, _ identity: DevelopmentIdentity? = nil
    ) async throws -> GoClient {
        var options = GoPeer.Options(version: version, authority: self.trusted)
        if let identity {
            options.certificate = try self.folder.write(identity.certificateChainPEM, to: "client.pem")
            options.key = try self.folder.write(identity.privateKeyPEM, to: "client-key.pem")
        }
        return try await GoClient(to: listener.localEndpoint.port, options)
    }

    private func connected(_ identity: DevelopmentIdentity, isResumed: Bool = false) -> GoClient.Outcome {
        .connected(isResumed: isResumed, serialNumber: identity.certificate.hexadecimalSerialNumber)
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `gets the identity of the name that it requests, also after an update`(version: TLSProtocolVersion) async throws {
        try await self.withServer(self.tls()) { listener, failures in
            let renewed = try Self.names.map { try self.authority.server(names: [$0]) }
            for identities in [self.identities, renewed] {
                if identities[0].certificate != self.identities[0].certificate {
                    try await listener.update(tls: self.tls(identities))
                }
                var client = try await self.client(to: listener, version)
                for (name, identity) in zip(["a.example", "B.example", "x.c.example"], identities) {
                    #expect(try await client.connect(as: name) == self.connected(identity))
                }
                for name in ["d.example", "c.example", "x.y.c.example"] {
                    #expect(try await client.connect(as: name) == .failed("remote error: tls: unrecognized name"))
                }
            }
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `resumes its session after updates that change nothing for it`(version: TLSProtocolVersion) async throws {
        let clients = TLSServerConfiguration.ClientAuthentication.optional(trust: self.authority.trust)
        try await self.withServer(self.tls()) { listener, failures in
            var client = try await self.client(to: listener, version)
            #expect(try await client.connect(as: "a.example") == self.connected(self.identities[0]))
            #expect(try await client.connect(as: "a.example") == self.connected(self.identities[0], isResumed: true))
            // The cache is by name.
            #expect(try await client.connect(as: "b.example") == self.connected(self.identities[1]))

            try await listener.update(tls: self.tls())
            #expect(try await client.connect(as: "a.example") == self.connected(self.identities[0], isResumed: true))

            // A renewed certificate is the same identity. The session keeps the certificate with which it began.
            let renewed = try Self.names.map { try self.authority.server(names: [$0]) }
            try await listener.update(tls: self.tls(renewed))
            #expect(try await client.connect(as: "a.example") == self.connected(self.identities[0], isResumed: true))

            try await listener.update(tls: self.tls(renewed, clients: clients))
            #expect(try await client.connect(as: "a.example") == self.connected(renewed[0]))
            #expect(try await client.connect(as: "a.example") == self.connected(renewed[0], isResumed: true))
            #expect(listener.statistics.declinedSessions == 1)
            #expect(listener.statistics.resumedHandshakes == 4)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused when a new list revokes its certificate, also with a session`(version: TLSProtocolVersion) async throws {
        let own = try self.authority.client(commonName: "own")
        let other = try self.authority.client(commonName: "other")
        func tls(revoking revoked: [DevelopmentIdentity]) throws -> TLSServerConfiguration {
            let list = try self.authority.revocationList(of: revoked.map(\.certificate))
            let trust = try self.authority.trust.checkingRevocation(with: RevocationLists(.text(list)))
            return try self.tls(clients: .required(trust: trust))
        }
        try await self.withServer(tls(revoking: [])) { listener, failures in
            var client = try await self.client(to: listener, version, own)
            #expect(try await client.connect(as: "a.example") == self.connected(self.identities[0]))
            try await listener.update(tls: tls(revoking: [other]))
            #expect(try await client.connect(as: "a.example") == self.connected(self.identities[0], isResumed: true))
            try await listener.update(tls: tls(revoking: [other, own]))
            let refusal = GoClient.Outcome.failed("remote error: tls: revoked certificate")
            try #require(try await client.connect(as: "a.example") == refusal)
            try #require(try await client.connect(as: "b.example") == refusal)
            for _ in 1...2 { #expect(await failures.next()?.certificateProblem?.kind == .revoked) }
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `receives the response that the server staples`(version: TLSProtocolVersion) async throws {
        let stapled = try StapledServer()
        let response = try stapled.response()
        let stapling = try stapled.identity.stapling(ocspResponse: .bytes(response))
        let options = GoPeer.Options(version: version, authority: try self.folder.write(stapled.root.pem, to: "root.pem"))
        try await self.withServer(TLSServerConfiguration(identity: stapling)) { listener, failures in
            for expected in [response, []] {
                var client = try await GoClient(to: listener.localEndpoint.port, options)
                guard case .connected = try await client.connect(as: "localhost") else {
                    Issue.record("the client was refused")
                    return
                }
                #expect(await client.stapledResponse(of: 1) == expected.hexadecimalDigits)
                try await listener.update(tls: TLSServerConfiguration(identity: stapled.identity))
            }
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused without a certificate if the server requires one`(version: TLSProtocolVersion) async throws {
        try await self.withServer(self.tls(clients: .required(trust: self.authority.trust))) { listener, failures in
            var client = try await self.client(to: listener, version)
            let alert = version == .tls13 ? "certificate required" : "handshake failure"
            try #require(try await client.connect(as: "a.example") == .failed("remote error: tls: \(alert)"))
            #expect(await failures.next()?.libraryReason == "PEER_DID_NOT_RETURN_A_CERTIFICATE")
        }
    }
}

/// Go's server, whose certificates our client checks.
@Suite(.serialized, .enabled(if: GoPeer.go != nil, "needs Go"), .timeLimit(.minutes(5)))
struct `A server in Go` {
    private let folder: TemporaryDirectory

    init() throws { self.folder = try TemporaryDirectory() }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `chooses the certificate for the name, and refuses a name that it does not have`(
        version: TLSProtocolVersion
    ) async throws {
        let authority = try DevelopmentAuthority()
        let identities = try ["a.example", "b.example"].map { try (name: $0, identity: authority.server(names: [$0])) }
        var options = GoPeer.Options(version: version)
        options.identities = try identities.map { name, identity in
            let files = try identity.files(in: self.folder)
            return (name, files.chain, files.key)
        }
        let server = try await GoServer(options)
        func connect(as name: String) async throws(SecureSocketError) -> SecureSocket {
            try await SecureSocket.connect(
                to: "127.0.0.1", port: server.port, tls: TLSClientConfiguration(trust: authority.trust, serverName: name),
                timeout: Encounter.patience)
        }
        for (name, identity) in identities {
            let socket = try await connect(as: name)
            #expect(socket.information.peerCertificate == identity.certificate)
            try await socket.closeWriting()
            #expect(try await socket.receive(timeout: Encounter.patience) == nil)
            socket.close()
        }
        let error = await #expect(throws: SecureSocketError.self) { try await connect(as: "c.example") }
        #expect(error?.code == .alertReceived)
        #expect(error?.alert == .unrecognizedName)
        for connection in 1...2 { #expect(await server.end(of: connection) == "<nil>") }
        #expect(await server.end(of: 3) == "tls: no certificates configured")
    }

    private func server(
        chain: String, key: String, stapling response: [UInt8]? = nil, _ version: TLSProtocolVersion
    ) async throws -> GoServer {
        try await GoServer(
            GoPeer.Options(
                version: version, certificate: self.folder.write(chain, to: "server.pem"),
                key: self.folder.write(key, to: "server-key.pem"),
                response: response.map { try self.folder.write($0, to: "response.der") }))
    }

    /// Connects, and expects the echo of a line. Returns our error, if there is one.
    private func connect(to server: GoServer, _ tls: TLSClientConfiguration) async throws -> SecureSocketError? {
        do throws(SecureSocketError) {
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: server.port, tls: tls, timeout: Encounter.patience)
            try await socket.send("hello\n")
            #expect(try await socket.receiveLine(timeout: Encounter.patience) == ByteBuffer(string: "hello"))
            try await socket.closeWriting()
            #expect(try await socket.receive(timeout: Encounter.patience) == nil)
            socket.close()
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is admitted by the pin of its key or of its authority's`(version: TLSProtocolVersion) async throws {
        let authority = try DevelopmentAuthority()
        let identity = try authority.server()
        let server = try await self.server(chain: identity.certificateChainPEM, key: identity.privateKeyPEM, version)
        let other = try authority.server().certificate.publicKeyPin
        for pin in [identity.certificate.publicKeyPin, authority.certificate.publicKeyPin] {
            let tls = try TLSClientConfiguration(trust: authority.trust, allow: .publicKey(pin: other, backup: pin))
            #expect(try await self.connect(to: server, tls) == nil)
        }
        let tls = try TLSClientConfiguration(trust: authority.trust, allow: .publicKey(pin: other, backup: other))
        let error = try await self.connect(to: server, tls)
        #expect(error?.code == .rejected)
        #expect(
            error?.message.contains("no certificate of the chain has a pinned public key") == true, "\(String(describing: error))"
        )
        #expect(await server.end(of: 1) == "<nil>")
        #expect(await server.end(of: 2) == "<nil>")
        #expect(await server.end(of: 3) == "remote error: tls: access denied")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is refused when a list revokes its certificate`(version: TLSProtocolVersion) async throws {
        let authority = try DevelopmentAuthority()
        let identity = try authority.server()
        let server = try await self.server(chain: identity.certificateChainPEM, key: identity.privateKeyPEM, version)
        func connect(revoking revoked: [TLSCertificate]) async throws -> SecureSocketError? {
            let lists = try RevocationLists(.text(authority.revocationList(of: revoked)))
            return try await self.connect(
                to: server, TLSClientConfiguration(trust: authority.trust.checkingRevocation(with: lists)))
        }
        #expect(try await connect(revoking: [authority.server().certificate]) == nil)
        #expect(try await connect(revoking: [identity.certificate])?.certificateProblem?.kind == .revoked)
        #expect(await server.end(of: 1) == "<nil>")
        #expect(await server.end(of: 2) == "remote error: tls: revoked certificate")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `staples the response that our client requires`(version: TLSProtocolVersion) async throws {
        let stapled = try StapledServer(mustStaple: true)
        let tls = try TLSClientConfiguration(trust: stapled.trust)
        func connect(with response: [UInt8]?) async throws -> (CertificateProblem.Kind?, String?) {
            let server = try await self.server(chain: stapled.leaf.pem, key: stapled.leaf.key.pem, stapling: response, version)
            let error = try await self.connect(to: server, tls)
            return (error?.certificateProblem?.kind, await server.end(of: 1))
        }
        #expect(try await connect(with: stapled.response()) == (nil, "<nil>"))
        #expect(try await connect(with: stapled.response(.revoked(.now))) == (.revoked, "remote error: tls: revoked certificate"))
        let (problem, alert) = try await connect(with: nil)
        #expect(problem == .statusResponseMissing)
        #expect(alert?.hasPrefix("remote error: tls: ") == true, "\(alert ?? "")")
    }
}

extension TLSCertificate {
    /// The serial number in hexadecimal digits, two for each byte, without leading zero bytes.
    var hexadecimalSerialNumber: String { Array(self.serialNumber.drop { $0 == 0 }).hexadecimalDigits }
}

extension [UInt8] {
    fileprivate var hexadecimalDigits: String {
        self.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count < 2 ? "0\(digits)" : digits
        }.joined()
    }
}
