import NIOCore
import SecureSockets
import TestSupport
import Testing

/// The errors of a client whose server is silent, leaves, or does not speak TLS.
@Suite(.timeLimit(.minutes(5))) struct `Bad servers` {
    private let certificates: TestCertificates

    init() throws { self.certificates = try TestCertificates.shared.get() }

    private static let adviceOnMLKEM =
        "A ClientHello with X25519MLKEM768 seldom fits into one TCP segment, and some devices on the path drop it: to try once more without "
        + "it, set `ConnectOptions.retriesWithoutMLKEM`, or remove it from `TLSParameters.groups`"

    @Test func `a server that speaks plain HTTP`() async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in
            _ = try socket.receiveRecord()
            try socket.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            try socket.receiveUntilEnd()
        }
        let error = try await self.certificates.refusal(at: server.port)
        #expect(error.code == .protocolError)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(error.libraryReason == "WRONG_VERSION_NUMBER")
        #expect(
            error.description
                == "127.0.0.1:\(server.port): it does not speak TLS on this port: it sent a plain HTTP answer, "
                + "\"HTTP/1.1 400 Bad Request\". Use the port for HTTPS, usually 443")
        try await played
        server.close()
    }

    @Test(arguments: ["220 mail.example ESMTP\r\n", "SSH-2.0-OpenSSH_9.2\r\n", String(repeating: "\0", count: 64)])
    func `a server that sends garbage`(_ garbage: String) async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in
            try socket.send(garbage)
            try socket.receiveUntilEnd()
        }
        let error = try await self.certificates.refusal(at: server.port)
        #expect(error.code == .protocolError)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(error.message.hasPrefix("127.0.0.1:\(server.port): it does not speak TLS on this port: it sent "))
        try await played
        server.close()
    }

    @Test func `a server that stays silent`() async throws {
        let (error, port) = try await self.meetSilentServer(within: .seconds(2))
        #expect(error.blame == .network)
        #expect(error.step == .handshake)
        #expect(error.message == "the handshake with 127.0.0.1:\(port) was not complete within 2 seconds")
        #expect(
            error.advice
                == "Does this port speak TLS? A server that waits to be spoken to stays silent. \(Self.adviceOnMLKEM)")
    }

    func meetSilentServer(within timeout: Duration) async throws -> (error: SecureSocketError, port: Int) {
        let server = try RawListener()
        async let played: Void = server.play { try $0.receiveUntilEnd() }
        let error = try await self.certificates.refusal(at: server.port, timeout: timeout)
        #expect(error.code == .timedOut)
        try await played
        server.close()
        return (error, server.port)
    }

    @Test func `a server that hangs up in mid-handshake`() async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in _ = try socket.receiveRecord() }
        let error = try await self.certificates.refusal(at: server.port)
        #expect(error.code == .endedInHandshake)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(
            error.description
                == "127.0.0.1:\(server.port) ended the connection in mid-handshake. "
                + "Does this port speak TLS? Its log may say why it hung up. \(Self.adviceOnMLKEM)")
        try await played
        server.close()
    }

    @Test func `a server that resets the connection in mid-handshake`() async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in
            _ = try socket.receiveRecord()
            socket.reset()
        }
        let error = try await self.certificates.refusal(at: server.port)
        #expect(error.code == .connectionReset)
        #expect(error.blame == .network)
        #expect(error.step == .handshake)
        #expect(error.errorNumber == RawSocket.connectionReset)
        #expect(error.message.hasPrefix("the connection to 127.0.0.1:\(server.port) was lost: "))
        #expect(error.advice == Self.adviceOnMLKEM)
        try await played
        server.close()
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a server that vanishes in mid-record`(over version: TLSProtocolVersion) async throws {
        let tls = try self.certificates.serverConfiguration(parameters: .init(version))
        let server = try RawListener()
        async let played: Void = server.play { socket in
            let peer = try RawTLSPeer(server: tls, on: socket)
            try socket.send(peer.record("whole"))
            try socket.send(peer.record("never complete").dropLast())
        }
        let socket = try await self.certificates.connect(to: server.port)
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "whole"))
        // Every later call throws the same error.
        for _ in 1...2 {
            let error = try await #require(throws: SecureSocketError.self) {
                _ = try await socket.receive(timeout: Encounter.patience)
            }
            #expect(error.code == .truncated)
            #expect(error.blame == .peer)
            #expect(error.step == .receiving)
            #expect(
                error.description
                    == "127.0.0.1:\(server.port) ended the connection without saying that it had finished; "
                    + "data may be missing. "
                    + "If the protocol has its own way to tell a complete message, this can be ignored")
        }
        try await played
        try await socket.closeAndWait()
        server.close()
    }

    @Test func `a server that vanishes between records`() async throws {
        let tls = try self.certificates.serverConfiguration()
        let server = try RawListener()
        async let played: Void = server.play { socket in
            try socket.send(RawTLSPeer(server: tls, on: socket).record("whole"))
        }
        let socket = try await self.certificates.connect(to: server.port)
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "whole"))
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await socket.receive(timeout: Encounter.patience)
        }
        #expect(error.code == .truncated)
        try await played
        try await socket.closeAndWait()
        server.close()
    }

    @Test func `a server that sends close_notify ends the stream without an error`() async throws {
        let tls = try self.certificates.serverConfiguration()
        let server = try RawListener()
        async let played: Void = server.play { socket in
            try socket.send(RawTLSPeer(server: tls, on: socket).closeNotify())
        }
        let socket = try await self.certificates.connect(to: server.port)
        #expect(try await socket.receive(timeout: Encounter.patience) == nil)
        try await played
        try await socket.closeAndWait()
        server.close()
    }

    @Test func `a server that resets the connection while it is read from`() async throws {
        let tls = try self.certificates.serverConfiguration()
        let server = try RawListener()
        async let played: Void = server.play { socket in
            let peer = try RawTLSPeer(server: tls, on: socket)
            try socket.send(peer.record("hello"))
            #expect(try peer.receive() == "now")
            socket.reset()
        }
        let socket = try await self.certificates.connect(to: server.port)
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
        let receiving = Task { try await socket.receive(timeout: Encounter.patience) }
        try await socket.send("now")
        let error = try await #require(throws: SecureSocketError.self) { _ = try await receiving.value }
        #expect(error.code == .connectionReset)
        #expect(error.blame == .network)
        #expect(error.step == .receiving)
        #expect(error.errorNumber == RawSocket.connectionReset)
        #expect(error.message.hasPrefix("the connection to 127.0.0.1:\(server.port) was lost: "))

        let atSending = try await #require(throws: SecureSocketError.self) { try await socket.send("too late") }
        #expect(atSending.code == .connectionReset)
        #expect(atSending.step == .sending)
        try await played
        try await socket.closeAndWait()
        server.close()
    }

    @Test func `a server that finishes in the middle of a packet`() async throws {
        let tls = try self.certificates.serverConfiguration()
        let server = try RawListener()
        async let played: Void = server.play { socket in
            let peer = try RawTLSPeer(server: tls, on: socket)
            try socket.send(peer.record("\u{5}whole\u{5}cut") + peer.closeNotify())
        }
        var options = SocketOptions()
        options.framing = .oneByteLength
        let socket = try await SecureSocket.connect(
            to: "127.0.0.1", port: server.port, tls: self.certificates.clientConfiguration(), socketOptions: options,
            timeout: Encounter.patience)
        #expect(try await socket.receive() == ByteBuffer(string: "whole"))
        for _ in 0..<2 {
            let error = try await #require(throws: SecureSocketError.self) { _ = try await socket.receive() }
            #expect(error.code == .truncated)
            #expect(error.message.hasSuffix(" finished in the middle of a packet"))
        }
        try await played
        try await socket.closeAndWait()
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `a server whose record was changed on its way`(over version: TLSProtocolVersion) async throws {
        let tls = try self.certificates.serverConfiguration(parameters: .init(version))
        let server = try RawListener()
        async let played: Void = server.play { socket in
            let peer = try RawTLSPeer(server: tls, on: socket)
            var record = try peer.record("changed")
            record[record.count - 1] ^= 1
            try socket.send(record)
            try socket.receiveUntilEnd()
        }
        let socket = try await self.certificates.connect(to: server.port)
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await socket.receive(timeout: Encounter.patience)
        }
        #expect(error.code == .protocolError)
        #expect(error.blame == .peer)
        #expect(error.step == .receiving)
        #expect(error.libraryReason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC")
        #expect(
            error.message
                == "127.0.0.1:\(server.port): a record was changed on its way, or encrypted with another key "
                + "(DECRYPTION_FAILED_OR_BAD_RECORD_MAC)")
        try await socket.closeAndWait()
        try await played
        server.close()
    }
}
