import NIOCore
import TLSEngine
import TestSupport
import Testing

@Suite struct `Two engines in memory` {
    @Test(arguments: EnginePair.Cut.all, TLSVersion.allCases)
    func `complete a handshake and exchange bytes, however the bytes are cut`(
        cut: EnginePair.Cut, version: TLSVersion
    ) throws {
        let pair = try EnginePair.make(cut: cut, client: { $0.versions = version...version })
        pair.shakeHands()
        #expect(pair.clientProgress == .complete)
        #expect(pair.serverProgress == .complete)

        try pair.client.write("question")
        #expect(pair.move(from: pair.client, to: pair.server).received == ByteBuffer(string: "question"))
        let answer = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try pair.server.write(answer)
        #expect(pair.move(from: pair.server, to: pair.client).received == ByteBuffer(bytes: answer))
        #expect(pair.client.negotiated?.version == version)
        #expect(pair.server.negotiated?.version == version)
    }

    @Test func `prefer the post-quantum group and say what they have settled`() throws {
        let pair = try EnginePair.make()
        #expect(pair.client.negotiated == nil)
        pair.shakeHands()

        let client = try #require(pair.client.negotiated)
        #expect(client.group == .x25519MLKEM768)
        #expect(client.cipherSuite >> 8 == 0x13)
        #expect(client.serverName == "localhost")
        #expect(client.peerCertificates.map(\.subject) == ["CN=localhost"])
        #expect(client.peerCertificates.first?.hostNames == ["localhost", "127.0.0.1", "::1"])
        #expect(client.verifiedChainLength == 2)
        let server = try #require(pair.server.negotiated)
        #expect(server.serverName == "localhost")
        #expect(server.peerCertificates.isEmpty)
        #expect(server.verifiedChainLength == nil)
    }

    @Test func `agree on the server's first application protocol that the client has`() throws {
        let pair = try EnginePair.make(
            client: { $0.applicationProtocols = ["http/1.1", "h2"] },
            server: { $0.applicationProtocols = ["h3", "h2", "http/1.1"] })
        pair.shakeHands()
        #expect(pair.client.negotiated?.applicationProtocol == "h2")
        #expect(pair.server.negotiated?.applicationProtocol == "h2")
    }

    @Test func `end the handshake if they have no application protocol in common`() throws {
        let pair = try EnginePair.make(
            client: { $0.applicationProtocols = ["smtp"] }, server: { $0.applicationProtocols = ["h2"] })
        pair.shakeHands()
        guard case .failed(let client) = pair.clientProgress, case .failed(let server) = pair.serverProgress else {
            Issue.record("the handshake went on")
            return
        }
        #expect(client.kind == .alertReceived(AlertDescription(code: 120)))
        #expect(server.kind == .peerUnacceptable)
    }

    @Test func `send no name for an address, and check the address`() throws {
        let pair = try EnginePair.make(serverName: nil, expecting: PeerName("127.0.0.1"))
        pair.shakeHands()
        #expect(pair.clientProgress == .complete)
        #expect(pair.server.negotiated?.serverName == nil)
    }

    @Test func `tell a finished stream from a truncated one`() throws {
        let pair = try EnginePair.make()
        pair.shakeHands()

        try pair.client.write("all")
        pair.client.writeCloseNotify()
        let finished = pair.move(from: pair.client, to: pair.server, ends: true)
        #expect(finished.received == ByteBuffer(string: "all"))
        #expect(finished.progress == .closed)

        try pair.server.write("par")
        let truncated = pair.move(from: pair.server, to: pair.client, ends: true)
        #expect(truncated.received == ByteBuffer(string: "par"))
        #expect(truncated.progress == .truncated)
    }

    @Test(arguments: TLSVersion.allCases)
    func `still send after the peer has finished`(version: TLSVersion) throws {
        let pair = try EnginePair.make(client: { $0.versions = version...version })
        pair.shakeHands()

        pair.client.writeCloseNotify()
        #expect(pair.move(from: pair.client, to: pair.server).progress == .closed)
        try pair.server.write("late")
        #expect(pair.move(from: pair.server, to: pair.client).received == ByteBuffer(string: "late"))
    }

    @Test func `report a record that was changed on its way, and keep what came before it`() throws {
        let pair = try EnginePair.make()
        pair.shakeHands()
        // The tickets of TLS 1.3 travel with the server's first bytes; they would count as records here.
        try pair.client.write("good")
        var bytes = try #require(pair.client.takeOutput())
        try pair.client.write("bad")
        var changed = try #require(pair.client.takeOutput())
        let last = changed.writerIndex - 1
        changed.setInteger((changed.getInteger(at: last, as: UInt8.self) ?? 0) ^ 1, at: last)
        bytes.writeBuffer(&changed)

        pair.server.receive(bytes)
        var received = ByteBuffer()
        guard case .failed(let failure) = pair.server.read(into: &received, limit: .max) else {
            Issue.record("the changed record was accepted")
            return
        }
        #expect(received == ByteBuffer(string: "good"))
        #expect(failure.reason?.name == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC")
        // The sender is told.
        guard case .failed(let told) = pair.move(from: pair.server, to: pair.client).progress else {
            Issue.record("the sender was not told")
            return
        }
        #expect(told.kind == .alertReceived(AlertDescription(code: 20)))
    }

    @Test func `stop decrypting at the limit and go on later`() throws {
        let pair = try EnginePair.make()
        pair.shakeHands()
        try pair.client.write([UInt8](repeating: 7, count: 50_000))
        let bytes = try #require(pair.client.takeOutput())
        pair.server.receive(bytes)

        var received = ByteBuffer()
        #expect(pair.server.read(into: &received, limit: 1000) == .limitReached)
        #expect(received.readableBytes == 1000)
        #expect(pair.server.read(into: &received, limit: 20_000) == .limitReached)
        #expect(received.readableBytes == 20_000)
        #expect(pair.server.read(into: &received, limit: .max) == .waiting)
        #expect(received.readableBytes == 50_000)
        #expect(pair.server.unreadInput == 0)
    }

    @Test(arguments: TLSVersion.allCases)
    func `derive the same keying material`(version: TLSVersion) throws {
        let pair = try EnginePair.make(client: { $0.versions = version...version })
        #expect(pair.client.exportKeyingMaterial(label: "EXPORTER-test", context: nil, length: 32) == nil)
        pair.shakeHands()
        let client = try #require(pair.client.exportKeyingMaterial(label: "EXPORTER-test", context: [1, 2], length: 32))
        #expect(client.count == 32)
        #expect(pair.server.exportKeyingMaterial(label: "EXPORTER-test", context: [1, 2], length: 32) == client)
        #expect(pair.server.exportKeyingMaterial(label: "EXPORTER-other", context: [1, 2], length: 32) != client)
    }

    @Test(arguments: EnginePair.Cut.all)
    func `understand a refusal that was sent in the clear`(cut: EnginePair.Cut) throws {
        let pair = try EnginePair.make(cut: cut)
        #expect(pair.client.handshake() == .waiting)
        let hello = try #require(pair.client.takeOutput())
        pair.server.receive(hello)
        #expect(pair.server.handshake() == .waiting)
        // What OpenSSL's client sends when it does not know the authority: a change of ciphers for middleboxes, and a plain alert.
        var progress = TLSEngine.HandshakeProgress.waiting
        for piece in pair.pieces(of: ByteBuffer(bytes: [20, 3, 3, 0, 1, 1, 21, 3, 3, 0, 2, 2, 48])) where progress == .waiting {
            pair.server.receive(piece)
            progress = pair.server.handshake()
        }
        guard case .failed(let failure) = progress else {
            Issue.record("the handshake went on")
            return
        }
        #expect(failure.kind == .alertReceived(AlertDescription(code: 48)))
    }

    @Test func `call garbage what it is`() throws {
        let pair = try EnginePair.make()
        pair.server.receive(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        guard case .failed(let failure) = pair.server.handshake() else {
            Issue.record("plain HTTP was taken for a handshake")
            return
        }
        #expect(failure.kind == .peerUnacceptable)
        #expect(failure.reason?.name == "HTTP_REQUEST")
    }

    @Test func `survive any garbage`() throws {
        for seed in 1...200 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            let pair = try EnginePair.make()
            let bytes = (0..<Int.random(in: 1...400, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            pair.server.receive(ByteBuffer(bytes: bytes))
            pair.server.receiveEnd()
            guard case .failed = pair.server.handshake() else {
                Issue.record("garbage was taken for a handshake, seed \(seed)")
                return
            }
        }
    }

    @Test func `end the handshake when the transport ends`() throws {
        let pair = try EnginePair.make()
        #expect(pair.client.handshake() == .waiting)
        pair.client.receiveEnd()
        #expect(pair.client.handshake() == .failed(TLSFailure(.endedInHandshake)))
    }

    @Test func `hold no buffer when idle`() throws {
        let pair = try EnginePair.make()
        pair.shakeHands()
        try pair.client.write("hello")
        _ = pair.move(from: pair.client, to: pair.server)
        #expect(pair.server.unreadInput == 0)
        #expect(pair.server.bufferCapacity == 0)
        #expect(pair.client.bufferCapacity == 0)
    }
}
