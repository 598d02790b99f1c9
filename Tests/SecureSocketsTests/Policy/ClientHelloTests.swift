import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// What a program learns of a ClientHello before it selects an identity.
@Suite(.timeLimit(.minutes(5))) struct `The ClientHello` {
    /// Sends a ClientHello to a listener. Returns what the listener's program was given, and the client's port.
    private func received(_ hello: RawClientHello) async throws -> (hello: ClientHello, port: Int) {
        let (hellos, seen) = AsyncStream.makeStream(of: ClientHello.self)
        let certificates = try TestCertificates.shared.get()
        let tls = try TLSServerConfiguration(
            identities: [ServerIdentity(for: [], certificates.server.identity)],
            selectIdentity: { hello in
                seen.yield(hello)
                throw TLSRejection("seen")
            })
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: .patient)
        async let serving: Void = listener.serve(handshakeFailed: { _, _ in }) { _ in }
        let port = listener.localEndpoint.port
        let client = try await onThread {
            let socket = try RawSocket.connect(to: port)
            try socket.send(hello.record)
            return socket
        }
        let received = try #require(await hellos.first { _ in true })
        let clientPort = try client.localPort
        client.close()
        listener.close()
        try await serving
        return (received, clientPort)
    }

    @Test func `has what the client offers, in the client's order, without the values of GREASE`() async throws {
        var raw = RawClientHello()
        raw.cipherSuites = [0x2a2a, 0x1303, 0xc02b, 0x1301, 0x1234, 0x00ff]
        raw.supportedVersions = [0xfafa, 0x0303, 0x0304, 0x0302]
        raw.groups = [0x0a0a, 25, 0x11ec, 29]
        raw.signatureAlgorithms = [0x0804, 0x0403, 0x0904]
        raw.serverName = "WWW.Example.ORG."
        raw.applicationProtocols = [Array("http/1.1".utf8), Array("h2".utf8)]
        raw.emptyExtensions = [0x6a6a]
        let (hello, port) = try await self.received(raw)
        #expect(hello.cipherSuites.map(\.codePoint) == [0x1303, 0xc02b, 0x1301, 0x1234])
        #expect(hello.versions.map(\.codePoint) == [0x0303, 0x0304, 0x0302])
        #expect(hello.groups == [.secp521r1, .x25519MLKEM768, .x25519])
        #expect(hello.signatureSchemes.map(\.codePoint) == [0x0804, 0x0403, 0x0904])
        #expect(hello.serverName == "www.example.org")
        #expect(hello.applicationProtocols == ["http/1.1", "h2"])
        #expect(hello.remoteEndpoint?.host == "127.0.0.1" && hello.remoteEndpoint?.port == port)
        #expect(hello.fingerprint.hasPrefix("t13d0505h1_"))
    }

    @Test func `may be without extensions`() async throws {
        var raw = RawClientHello()
        raw.cipherSuites = [0xc02b, 0x002f]
        let (hello, _) = try await self.received(raw)
        #expect(hello.versions.map(\.codePoint) == [0x0303, 0x0302, 0x0301])
        #expect(hello.cipherSuites.map(\.codePoint) == [0xc02b, 0x002f])
        #expect(hello.groups == [] && hello.signatureSchemes == [] && hello.applicationProtocols == [])
        #expect(hello.serverName == nil)
        #expect(hello.fingerprint.hasPrefix("t12i020000_") && hello.fingerprint.hasSuffix("_000000000000"))
    }

    // MARK: The fingerprint

    /// The example of the specification, from Chrome.
    private var chrome: RawClientHello {
        var raw = RawClientHello()
        raw.cipherSuites = [
            0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
            0x002f,
            0x0035,
        ]
        raw.supportedVersions = [0x1a1a, 0x0304, 0x0303]
        raw.groups = [0x3a3a, 29, 23, 24]
        raw.signatureAlgorithms = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]
        raw.serverName = "www.example.org"
        raw.applicationProtocols = [Array("h2".utf8), Array("http/1.1".utf8)]
        raw.emptyExtensions = [
            0x4a4a, 0x001b, 0x0033, 0x4469, 0x0017, 0x002d, 0x0005, 0x0023, 0x0012, 0xff01, 0x000b, 0x0015, 0x7a7a,
        ]
        return raw
    }

    @Test func `has the fingerprint of the JA4 specification's example`() async throws {
        #expect(try await self.received(self.chrome).hello.fingerprint == "t13d1516h2_8daaf6152771_e5627efa2ab1")
        // The order of extensions and suites changes from one connection of Chrome to the next.
        var other = self.chrome
        other.emptyExtensions.reverse()
        other.cipherSuites.reverse()
        #expect(try await self.received(other).hello.fingerprint == "t13d1516h2_8daaf6152771_e5627efa2ab1")
        // That of the signature algorithms is a property of the client.
        other.signatureAlgorithms.reverse()
        #expect(try await self.received(other).hello.fingerprint.hasPrefix("t13d1516h2_8daaf6152771_") == true)
        #expect(try await self.received(other).hello.fingerprint != "t13d1516h2_8daaf6152771_e5627efa2ab1")
    }

    /// The examples of the specification: the ends of a name, or of its hexadecimal form if one of them is not a letter or digit of ASCII.
    @Test(
        arguments: [
            ([0x68], "hh"), ([0xab], "ab"), ([0xab, 0xcd], "ad"), ([0x30, 0xab], "3b"), ([0x30, 0x31, 0xab, 0xcd], "3d"),
            ([0x30, 0xab, 0xcd, 0x31], "01"), ([0x2f, 0x68, 0x32], "22"),
        ] as [([UInt8], String)])
    func `has a fingerprint with the ends of the first protocol's name`(name: [UInt8], ends: String) async throws {
        var raw = self.chrome
        raw.applicationProtocols = [name, Array("h2".utf8)]
        #expect(try await self.received(raw).hello.fingerprint == "t13d1516\(ends)_8daaf6152771_e5627efa2ab1")
    }
}
