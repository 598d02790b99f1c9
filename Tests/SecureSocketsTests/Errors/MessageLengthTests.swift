import NIOCore
import SecureSockets
import SecureSocketsTesting
import TLSEngine
import TestSupport
import Testing

/// Messages about handshake messages that are too long, and about versions that a server chooses.
@Suite(.timeLimit(.minutes(5))) struct `Messages about a handshake's messages` {
    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    /// An identity that sends all authorities of a bundle, and the length of the message with its certificates in TLS 1.2
    /// (RFC 5246 §7.4.2).
    private func identityWithBundle(of own: DevelopmentIdentity) throws -> (identity: TLSIdentity, length: Int) {
        let bundle = String(repeating: self.certificates.authority.certificatePEM, count: 400)
        let identity = try TLSIdentity(
            certificateChain: .text(own.certificateChainPEM + bundle), privateKey: .text(own.privateKeyPEM))
        return (identity, identity.certificates.reduce(3) { $0 + 3 + $1.derBytes.count })
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a server with too many certificates`(over version: TLSProtocolVersion) async throws {
        let (identity, length) = try self.identityWithBundle(of: self.certificates.server)
        let encounter = try await Encounter(
            of: self.certificates.clientConfiguration(parameters: .init(version)),
            with: TLSServerConfiguration(identity: identity))
        let error = try #require(await encounter.clientRefusal)
        #expect(error.code == .protocolError)
        #expect(error.libraryReason == "EXCESSIVE_MESSAGE_SIZE")
        // With TLS 1.3 the message comes encrypted.
        let text =
            version == .tls12
            ? "is \(length) bytes long, and at most 102400 are accepted" : "is longer than the 102400 bytes that are accepted"
        #expect(
            error.description.contains(
                ": its certificate message \(text) (EXCESSIVE_MESSAGE_SIZE). Have the server send its own certificate and the "
                    + "intermediates, and not all authorities that it trusts"))
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a client with too many certificates`(over version: TLSProtocolVersion) async throws {
        let (identity, length) = try self.identityWithBundle(of: self.certificates.client)
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: self.certificates.trust, identity: identity, parameters: .init(version)),
            with: TLSServerConfiguration(
                identity: self.certificates.serverIdentity, clients: .required(trust: self.certificates.trust)))
        let error = try #require(encounter.serverRefusal)
        let text =
            version == .tls12
            ? "is \(length) bytes long, and at most 102400 are accepted" : "is longer than the 102400 bytes that are accepted"
        #expect(
            error.description.contains(": its certificate message \(text) (EXCESSIVE_MESSAGE_SIZE). Have the client send"))
    }

    @Test(arguments: [1, 3, 9, 100_000])
    func `a hello that is too long`(inPiecesOf length: Int) throws {
        let engine = try TLSEngine(server: self.certificates.serverConfiguration().context)
        // The header of a hello of 65,536 bytes, behind which 4,092 of them follow in each record.
        var rest: ArraySlice<UInt8> =
            ([22, 3, 1, 16, 0, 1, 1, 0, 0] + [UInt8](repeating: 0, count: 4092) + [22, 3, 1, 0, 1, 0])[...]
        var failure: TLSFailure?
        while failure == nil, !rest.isEmpty {
            engine.receive(ByteBuffer(bytes: rest.prefix(length)))
            rest = rest.dropFirst(length)
            if case .failed(let found) = engine.handshake() { failure = found }
        }
        let error = SecureSocketError(try #require(failure), role: .server, step: .handshake, peer: "PEER")
        #expect(
            error.description
                == "PEER: its ClientHello is 65536 bytes long, and at most 16384 are accepted (EXCESSIVE_MESSAGE_SIZE)")
    }

    /// What a client says of a server that chooses this version in its hello.
    private func refusal(
        of version: UInt16, _ parameters: TLSParameters = .init(), inPiecesOf length: Int = .max
    ) throws -> String {
        let engine = try TLSEngine(
            client: self.certificates.clientConfiguration(parameters: parameters).context, serverName: nil, expecting: nil)
        #expect(engine.handshake() == .waiting)
        let body = [UInt8(version >> 8), UInt8(version & 0xff)] + [UInt8](repeating: 7, count: 32) + [0, 0xc0, 0x2f, 0]
        let message = [2, 0, 0, UInt8(body.count)] + body
        var rest = ([22, 3, 1, 0, UInt8(message.count)] + message)[...]
        while !rest.isEmpty {
            engine.receive(ByteBuffer(bytes: rest.prefix(length)))
            rest = rest.dropFirst(length)
            if case .failed(let failure) = engine.handshake() {
                return SecureSocketError(failure, role: .client, step: .handshake, peer: "PEER").description
            }
        }
        return try #require(nil, "the version was accepted")
    }

    @Test(arguments: [(0x0300, "SSL 3.0"), (0x0301, "TLS 1.0"), (0x0302, "TLS 1.1")] as [(UInt16, String)], [1, 4, .max])
    func `a server that chooses an old version`(_ version: (number: UInt16, name: String), inPiecesOf length: Int) throws {
        #expect(
            try self.refusal(of: version.number, inPiecesOf: length)
                == "PEER: it chose \(version.name), which is not allowed here (UNSUPPORTED_PROTOCOL): this client has TLS 1.2, TLS 1.3. "
                + "Update the peer: it must have TLS 1.2 or 1.3 (RFC 8996)")
    }

    @Test func `a server that has TLS 1_2 only, and a client that has not`() throws {
        #expect(
            try self.refusal(of: 0x0303, .init(.tls13))
                == "PEER: it chose TLS 1.2, which is not allowed here (UNSUPPORTED_PROTOCOL): this client has TLS 1.3. "
                + "Add one of its versions to `TLSParameters.versions`, or update the peer")
    }
}
