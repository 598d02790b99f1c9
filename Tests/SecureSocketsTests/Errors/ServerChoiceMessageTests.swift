import NIOCore
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// Messages of a client about a server that chooses what was not offered. They name the value, and what was offered.
@Suite struct `Messages about a server's choice` {
    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    /// What a client says of the server that answers its hello with this record.
    private func error(
        _ change: (inout TLSParameters) -> Void = { _ in }, of answer: ([UInt8]) throws -> [UInt8]
    ) throws -> SecureSocketError {
        var parameters = TLSParameters()
        change(&parameters)
        let client = try TLSEngine(
            client: self.certificates.clientConfiguration(parameters: parameters).context, serverName: nil,
            expecting: PeerName("localhost"))
        _ = client.handshake()
        let hello = Array(try #require(client.takeOutput()).readableBytesView)
        client.receive(ByteBuffer(bytes: try answer(hello)))
        guard case .failed(let failure) = client.handshake() else { return try #require(nil, "the handshake did not fail") }
        return SecureSocketError(failure, role: .client, step: .handshake, peer: "PEER")
    }

    private func older(_ parameters: inout TLSParameters) { parameters.versions = .tls12 ... .tls12 }

    @Test func `a version`() throws {
        var hello = RawServerHello(cipherSuite: 0x1301)
        hello.group = 29
        hello.selectedVersion = 0x0305
        let newer = try self.error { hello.record(answering: $0) }
        #expect(
            newer.description
                == "PEER: it chose 0x0305, which is not allowed here (UNSUPPORTED_PROTOCOL): this client has TLS 1.2, TLS 1.3. "
                + "Update the peer: it must have TLS 1.2 or 1.3 (RFC 8996)")
        #expect(newer.negotiation?.parameter == .version)
        #expect(newer.negotiation?.peer?.versions.map(\.codePoint) == [0x0305])
        #expect(newer.negotiation?.own.versions == [.tls12, .tls13])
    }

    @Test func `a cipher suite`() throws {
        let older = try self.error {
            self.older(&$0)
            $0.tls12CipherSuites = [.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
        } of: {
            RawServerHello(cipherSuite: 0xc02f).record(answering: $0)
        }
        #expect(
            older.description
                == "PEER: it chose the cipher suite TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, which was not offered (WRONG_CIPHER_RETURNED): "
                + "this client offers TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256. "
                + "Update the server: it must choose from what is offered (RFC 8446 §4.1.3), or add the value to "
                + "`TLSParameters.tls12CipherSuites`")
        #expect(older.negotiation?.parameter == .cipherSuite)
        #expect(older.negotiation?.peer?.cipherSuites == [.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256])

        let newer = try self.error { bytes in
            var hello = RawServerHello(cipherSuite: 0x1304)
            hello.selectedVersion = 0x0304
            hello.group = 29
            return hello.record(answering: bytes)
        }
        #expect(
            newer.description
                == "PEER: it chose the cipher suite TLS_AES_128_CCM_SHA256, which was not offered (WRONG_CIPHER_RETURNED): this client "
                + "offers TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256 for TLS 1.3. "
                + "Update the server: it must choose from what is offered (RFC 8446 §4.1.3)")
    }

    @Test func `a group that it asks a key share of`() throws {
        func error(_ group: UInt16) throws -> SecureSocketError {
            try self.error { bytes in
                var hello = RawServerHello(cipherSuite: 0x1301)
                hello.selectedVersion = 0x0304
                hello.group = group
                hello.isRetryRequest = true
                return hello.record(answering: bytes)
            }
        }
        let unknown = try error(25)
        #expect(
            unknown.description
                == "PEER: it chose the key exchange group P-521, which was not offered (WRONG_CURVE): this client offers X25519MLKEM768, "
                + "X25519, P-256, P-384. Update the server: it must choose from what is offered (RFC 8446 §4.1.3), or add the value to "
                + "`TLSParameters.groups`")
        #expect(unknown.negotiation?.parameter == .group)
        #expect(unknown.negotiation?.peer?.groups == [.secp521r1])
        #expect(
            try error(0x0100).message.contains("it chose the key exchange group ffdhe2048, which was not offered (WRONG_CURVE)"))
        #expect(
            try error(29).message == "PEER: it asked for a key share of the group X25519, which it had been sent (WRONG_CURVE)")
    }

    @Test func `a group of which it has no key share`() throws {
        let error = try self.error { bytes in
            var hello = RawServerHello(cipherSuite: 0x1301)
            hello.selectedVersion = 0x0304
            hello.group = 24
            return hello.record(answering: bytes)
        }
        #expect(
            error.message
                == "PEER: it chose the key exchange group P-384, of which it had not been sent a key share (WRONG_CURVE)")
    }

    @Test func `a group, and a signature algorithm, of TLS 1.2`() throws {
        func error(_ group: UInt16, _ algorithm: UInt16) throws -> SecureSocketError {
            try self.error(self.older) { bytes in
                let chain = self.certificates.serverIdentity.certificates.map(\.derBytes)
                let hello = RawServerHello(cipherSuite: 0xc02b).message(answering: bytes)
                return RawServerHello.record(
                    hello + RawServerHello.certificate(chain)
                        + RawServerHello.keyExchange(group: group, signatureAlgorithm: algorithm))
            }
        }
        #expect(
            try error(22, 0x0403).message
                == "PEER: it chose the key exchange group secp256k1, which was not offered (WRONG_CURVE): this client offers "
                + "X25519, P-256, P-384")
        let sha1 = try error(23, 0x0203)
        #expect(
            sha1.message
                == "PEER: it signed with ecdsa_sha1, which was not offered (WRONG_SIGNATURE_TYPE): this client offers "
                + "ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, rsa_pkcs1_sha256, ed25519, ecdsa_secp384r1_sha384, rsa_pss_rsae_sha384, "
                + "rsa_pkcs1_sha384, ecdsa_secp521r1_sha512 and 2 more")
        #expect(sha1.negotiation?.parameter == .signatureScheme)
        #expect(sha1.negotiation?.peer?.signatureSchemes.map(\.codePoint) == [0x0203])
        #expect(sha1.negotiation?.own.signatureSchemes.contains(.rsaPKCS1SHA512) == true)
        // The key of the certificate is on P-256.
        #expect(
            try error(23, 0x0804).message
                == "PEER: it signed with rsa_pss_rsae_sha256, which cannot be used with its key (ECDSA on P-256) and TLS 1.2 "
                + "(WRONG_SIGNATURE_TYPE)")
    }

    @Test func `a certificate whose curve was not offered`() throws {
        let error = try self.error {
            self.older(&$0)
            $0.groups = [.x25519]
        } of: { bytes in
            let chain = self.certificates.serverIdentity.certificates.map(\.derBytes)
            return RawServerHello.record(
                RawServerHello(cipherSuite: 0xc02b).message(answering: bytes) + RawServerHello.certificate(chain))
        }
        #expect(
            error.description
                == "PEER: the key of its certificate (ECDSA on P-256) is on a curve that was not offered (BAD_ECC_CERT): this client offers "
                + "X25519. Add the curve to `TLSParameters.groups`, or have the server use a certificate with an RSA key or one on a curve "
                + "that is offered")
    }

    @Test func `an application protocol`() throws {
        let error = try self.error {
            self.older(&$0)
            $0.applicationProtocols = ["h2", "http/1.1"]
        } of: { bytes in
            var hello = RawServerHello(cipherSuite: 0xc02b)
            hello.applicationProtocol = "spdy/3"
            return hello.record(answering: bytes)
        }
        #expect(
            error.description
                == "PEER: it chose the application protocol \"spdy/3\", which was not offered (INVALID_ALPN_PROTOCOL): this client offers "
                + "\"h2\", \"http/1.1\". Update the server, or add the protocol to `TLSParameters.applicationProtocols`")
        #expect(error.negotiation?.parameter == .applicationProtocol)
        #expect(error.negotiation?.peer?.applicationProtocols == ["spdy/3"])
    }
}
