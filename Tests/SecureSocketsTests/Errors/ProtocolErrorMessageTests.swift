import NIOCore
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// A sentence for each breach of the protocol whose cause is likely known.
@Suite struct `Messages about breaches of the protocol` {
    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    private static let middlebox =
        "Look for a proxy or another device in between that changes bytes, and try another way to the peer"

    private func text(of engine: TLSEngine, _ role: TLSSettings.Role, _ bytes: [UInt8]) throws -> String {
        engine.receive(ByteBuffer(bytes: bytes))
        guard case .failed(let failure) = engine.handshake() else { return try #require(nil, "nothing is wrong") }
        let error = SecureSocketError(failure, role: role, step: .handshake, peer: "PEER")
        #expect(error.code == .protocolError)
        return error.description
    }

    /// What a client says of a ServerHello of TLS 1.2 with these last eight bytes of its random value, and this suite.
    private func answer(random: [UInt8], suite: [UInt8]) throws -> String {
        let engine = try TLSEngine(client: self.certificates.clientConfiguration().context, serverName: nil, expecting: nil)
        #expect(engine.handshake() == .waiting)
        let body = [3, 3] + [UInt8](repeating: 7, count: 24) + random + [0] + suite + [0]
        return try self.text(of: engine, .client, [22, 3, 3, 0, UInt8(body.count + 4), 2, 0, 0, UInt8(body.count)] + body)
    }

    /// The suites that a client offers for TLS 1.2; their order depends on the processor.
    private var olderSuites: String {
        get throws { try self.certificates.clientConfiguration().context.cipherSuites.joined(separator: ", ") }
    }

    @Test func `a server that was made to choose TLS 1_2`() throws {
        // The mark of RFC 8446 §4.1.3.
        #expect(
            try self.answer(random: Array("DOWNGRD".utf8) + [1], suite: [0xc0, 0x2b])
                == "PEER: it has TLS 1.3 and was made to choose an older version: the handshake was changed on its way "
                + "(TLS13_DOWNGRADE). \(Self.middlebox)")
    }

    @Test func `a server that chooses what was not offered`() throws {
        #expect(
            try self.answer(random: [UInt8](repeating: 7, count: 8), suite: [0, 0x2f])
                == "PEER: it chose the cipher suite TLS_RSA_WITH_AES_128_CBC_SHA, which was not offered (WRONG_CIPHER_RETURNED): this "
                + "client offers \(self.olderSuites) for TLS 1.2. Update the server: it must choose from what is offered "
                + "(RFC 8446 §4.1.3), or add the value to `TLSParameters.tls12CipherSuites`")
    }

    @Test func `a client that falls back`() throws {
        var hello = RawClientHello()
        hello.cipherSuites = [0xc02b, 0x5600]
        let engine = try TLSEngine(server: self.certificates.serverConfiguration().context)
        #expect(
            try self.text(of: engine, .server, hello.record)
                == "PEER: it tries again with an older version of TLS than this server has, as clients do after a failed attempt "
                + "(INAPPROPRIATE_FALLBACK). Find out why its first attempt failed: it, or something in between, may not tolerate TLS 1.3"
        )
    }

    @Test func `records and messages that are not due, or cannot be read`() throws {
        func server(_ bytes: [UInt8]) throws -> String {
            try self.text(of: TLSEngine(server: self.certificates.serverConfiguration().context), .server, bytes)
        }
        #expect(try server([23, 3, 3, 0, 1, 0]) == "PEER: it sent a record of an unexpected type (UNEXPECTED_RECORD)")
        #expect(try server([22, 3, 3, 0, 4, 2, 0, 0, 0]) == "PEER: it sent an unexpected message (UNEXPECTED_MESSAGE)")
        #expect(
            try server([22, 3, 3, 0, 5, 1, 0, 0, 1, 0])
                == "PEER: it sent a message, or a certificate in one, that cannot be read (CLIENTHELLO_PARSE_FAILED)")
        #expect(try server([21, 3, 3, 0, 1, 2]) == "PEER: it sent an alert that cannot be read (BAD_ALERT)")
        #expect(
            try server([22, 3, 3, 0xff, 0xff])
                == "PEER: it sent a record that is longer than 16384 bytes and its overhead, the limit of TLS "
                + "(ENCRYPTED_LENGTH_TOO_LONG)")
        let empty = [[UInt8]](repeating: [22, 3, 3, 0, 0], count: 40).flatMap { $0 }
        #expect(
            try server(empty) == "PEER: it sent too many records without content in a row (TOO_MANY_EMPTY_FRAGMENTS)")
        let warnings = [[UInt8]](repeating: [21, 3, 3, 0, 2, 1, 90], count: 40).flatMap { $0 }
        #expect(try server(warnings) == "PEER: it sent too many warning alerts in a row (TOO_MANY_WARNING_ALERTS)")
    }

    @Test func `a handshake that was changed on its way`() throws {
        let client = try TLSEngine(
            client: self.certificates.clientConfiguration(parameters: .init(.tls12)).context, serverName: nil, expecting: nil)
        let server = try TLSEngine(server: self.certificates.serverConfiguration().context)
        _ = client.handshake()
        server.receive(try #require(client.takeOutput()))
        _ = server.handshake()
        // The last byte of ServerKeyExchange is one of the signature. ServerHelloDone follows, in a record of its own.
        var flight = Array(try #require(server.takeOutput()).readableBytesView)
        flight[flight.count - 10] ^= 1
        #expect(
            try self.text(of: client, .client, flight)
                == "PEER: its signature does not match its certificate: it has another private key, or the handshake was changed on its "
                + "way (BAD_SIGNATURE). Have the peer check that its key belongs to its certificate")
    }

    /// Of those that are not played above.
    @Test(arguments: [
        ("DIGEST_CHECK_FAILED", "the two sides saw different handshake messages"),
        ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "a record was changed on its way, or encrypted with another key"),
        ("TOO_MANY_KEY_UPDATES", "it changed its keys too many times"),
        ("EXCESS_HANDSHAKE_DATA", "it sent more handshake data"),
        ("CANNOT_PARSE_LEAF_CERT", "its certificate cannot be read"), ("MISSING_EXTENSION", "an extension that TLS requires"),
        ("DUPLICATE_EXTENSION", "its message has an element twice that may occur once"),
        ("BAD_ECPOINT", "its part of the key exchange"),
        ("INVALID_COMPRESSION_LIST", "it offers compression"), ("RENEGOTIATION_MISMATCH", "its handshake is the second one"),
        ("WRONG_CURVE", "it chose a key exchange group"), ("WRONG_SIGNATURE_TYPE", "it signed with an algorithm"),
        ("WRONG_CERTIFICATE_TYPE", "the key of its certificate does not fit"),
        ("INVALID_ALPN_PROTOCOL", "it chose an application protocol"),
        ("UNEXPECTED_EXTENSION", "it answered an extension"),
        ("UNSUPPORTED_COMPRESSION_ALGORITHM", "it chose compression"),
        ("SERVER_ECHOED_INVALID_SESSION_ID", "it resumes an earlier session with other parameters"),
        ("UNKNOWN_CERTIFICATE_TYPE", "it asks for a client certificate, and accepts none with a key of the kind"),
    ])
    func `the library's reason is explained`(_ reason: String, _ text: String) {
        let failure = TLSFailure(.peerUnacceptable, reason: LibraryReason(library: 16, code: 0, name: reason))
        let error = SecureSocketError(failure, role: .client, step: .handshake, peer: "PEER")
        #expect(error.message.hasPrefix("PEER: \(text)"))
        #expect(error.message.hasSuffix(" (\(reason))"))
        #expect(error.libraryReason == reason)
    }

    @Test func `what comes after the handshake is another matter`() {
        func text(_ reason: String, _ role: TLSSettings.Role) -> String {
            let failure = TLSFailure(.peerUnacceptable, reason: LibraryReason(library: 16, code: 0, name: reason))
            return SecureSocketError(failure, role: role, step: .receiving, peer: "PEER").description
        }
        #expect(
            text("UNEXPECTED_MESSAGE", .client)
                == "PEER: after the handshake it sent an unexpected message, such as a request for a client certificate "
                + "(UNEXPECTED_MESSAGE). If the server asks for client certificates, have it ask in the handshake")
        #expect(text("UNEXPECTED_MESSAGE", .server) == "PEER: it sent an unexpected message (UNEXPECTED_MESSAGE)")
        #expect(
            text("WRONG_VERSION_NUMBER", .server)
                == "PEER: it sent something that is not a TLS record (WRONG_VERSION_NUMBER). "
                + "Something may write to the connection beside TLS, or the peer may have continued without it")
        #expect(text("A_NEW_REASON", .client) == "PEER: it broke the rules of TLS (A_NEW_REASON)")
    }

    @Test(
        arguments: [
            (10, "it received an unexpected message (unexpected_message)"),
            (20, "a record that this client sent arrived changed, or was encrypted with another key (bad_record_mac)"),
            (47, "it found a value in a message of this client that is not allowed (illegal_parameter)"),
            (50, "it could not read a message of this client (decode_error)"),
            (80, "it failed for an internal reason (internal_error)"),
            (86, "it has a newer version of TLS than the one offered in a second attempt (inappropriate_fallback)"),
            (109, "it requires an extension that this client does not send (missing_extension)"),
            (112, "it does not know the server name that was asked for (unrecognized_name)"),
            (200, "it sent a fatal alert (number 200)"),
        ] as [(UInt8, String)])
    func `an alert is explained`(_ code: UInt8, _ text: String) throws {
        let engine = try TLSEngine(client: self.certificates.clientConfiguration().context, serverName: nil, expecting: nil)
        #expect(engine.handshake() == .waiting)
        engine.receive(ByteBuffer(bytes: [21, 3, 3, 0, 2, 2, code]))
        guard case .failed(let failure) = engine.handshake() else { return try #require(nil, "the alert was not fatal") }
        let error = SecureSocketError(failure, role: .client, step: .handshake, peer: "PEER")
        #expect(error.message == "PEER refused the connection: \(text)")
        #expect(error.code == .alertReceived)
    }
}
