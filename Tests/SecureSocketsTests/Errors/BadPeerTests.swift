import NIOCore
import SecureSockets
import TestSupport
import Testing

/// Peers that are absent, silent, gone, or no TLS peers at all.
@Suite(.timeLimit(.minutes(5))) struct `Bad peers` {
    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    // MARK: Nobody there

    @Test func `a port that is taken`() async throws {
        let listener = try await self.listen()
        let port = listener.localEndpoint.port
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureListener.bind(host: "127.0.0.1", port: port, tls: self.certificates.serverConfiguration())
        }
        #expect(error.code == .addressInUse)
        #expect(error.blame == .configuration)
        #expect(error.step == .listening)
        #expect(
            error.description
                == "cannot listen on 127.0.0.1:\(port): Address already in use. "
                + "Choose another port, or end the program that has this one")
        listener.close()
        await listener.waitUntilClosed()
    }

    @Test func `an address that is not this machine's`() async throws {
        let error = try await #require(throws: SecureSocketError.self) {
            // TEST-NET-1 (RFC 5737): nobody's.
            _ = try await SecureListener.bind(host: "192.0.2.1", port: 0, tls: self.certificates.serverConfiguration())
        }
        #expect(error.code == .addressNotAvailable)
        #expect(error.blame == .configuration)
        #expect(error.step == .listening)
        #expect(error.message.hasPrefix("cannot listen on 192.0.2.1:0: "))
        #expect(error.advice == "Bind to an address of this machine")
    }

    @Test func `a host that does not exist`() async throws {
        // RFC 6761 §6.4: a name that never is one.
        let error = try await self.refusal(at: 443, of: "no-such-host.invalid")
        #expect(error.code == .nameNotFound)
        #expect(error.blame == .configuration)
        #expect(error.step == .resolving)
        #expect(error.message.hasPrefix("the host name no-such-host.invalid is not known"))
        #expect(error.advice == "Check its spelling, and that this machine can resolve names")
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func `a port where nobody listens`(_ host: String) async throws {
        let dead = try RawListener(isListening: false)
        let port = dead.port
        let error = try await self.refusal(at: port, of: host)
        #expect(error.code == .connectionRefused)
        #expect(error.blame == .peer)
        #expect(error.step == .connecting)
        #expect(
            error.description
                == "cannot connect to \(host):\(port): Connection refused. "
                + "Check that the server is running and listens on this port")
    }

    // MARK: Servers

    @Test func `a server that speaks plain HTTP`() async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in
            _ = try socket.receiveRecord()
            try socket.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            try socket.receiveUntilEnd()
        }
        let error = try await self.refusal(at: server.port)
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
        let error = try await self.refusal(at: server.port)
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
    }

    func meetSilentServer(within timeout: Duration) async throws -> (error: SecureSocketError, port: Int) {
        let server = try RawListener()
        async let played: Void = server.play { try $0.receiveUntilEnd() }
        let error = try await self.refusal(at: server.port, timeout: timeout)
        #expect(error.code == .timedOut)
        try await played
        server.close()
        return (error, server.port)
    }

    @Test func `a server that hangs up in mid-handshake`() async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in _ = try socket.receiveRecord() }
        let error = try await self.refusal(at: server.port)
        #expect(error.code == .endedInHandshake)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(
            error.description
                == "127.0.0.1:\(server.port) ended the connection in mid-handshake. "
                + "Does this port speak TLS? Its log may say why it hung up")
        try await played
        server.close()
    }

    @Test func `a server that resets the connection in mid-handshake`() async throws {
        let server = try RawListener()
        async let played: Void = server.play { socket in
            _ = try socket.receiveRecord()
            socket.reset()
        }
        let error = try await self.refusal(at: server.port)
        #expect(error.code == .connectionReset)
        #expect(error.blame == .network)
        #expect(error.step == .handshake)
        #expect(error.errorNumber == RawSocket.connectionReset)
        #expect(error.message.hasPrefix("the connection to 127.0.0.1:\(server.port) was lost: "))
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
        let socket = try await self.connect(to: server.port)
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "whole"))
        // Truncated it stays, however often it is asked for.
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
        try await self.close(socket)
        server.close()
    }

    @Test func `a server that vanishes between records`() async throws {
        let tls = try self.certificates.serverConfiguration()
        let server = try RawListener()
        async let played: Void = server.play { socket in
            try socket.send(RawTLSPeer(server: tls, on: socket).record("whole"))
        }
        let socket = try await self.connect(to: server.port)
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "whole"))
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await socket.receive(timeout: Encounter.patience)
        }
        #expect(error.code == .truncated)
        try await played
        try await self.close(socket)
        server.close()
    }

    @Test func `a server that says goodbye is no bad peer`() async throws {
        let tls = try self.certificates.serverConfiguration()
        let server = try RawListener()
        async let played: Void = server.play { socket in
            try socket.send(RawTLSPeer(server: tls, on: socket).closeNotify())
        }
        let socket = try await self.connect(to: server.port)
        #expect(try await socket.receive(timeout: Encounter.patience) == nil)
        try await played
        try await self.close(socket)
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
        let socket = try await self.connect(to: server.port)
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
        try await self.close(socket)
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
            to: "127.0.0.1", port: server.port, tls: self.certificates.clientConfiguration(), options: options,
            timeout: Encounter.patience)
        #expect(try await socket.receive() == ByteBuffer(string: "whole"))
        for _ in 0..<2 {
            let error = try await #require(throws: SecureSocketError.self) { _ = try await socket.receive() }
            #expect(error.code == .truncated)
            #expect(error.message.hasSuffix(" finished in the middle of a packet"))
        }
        try await played
        try await self.close(socket)
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
        let socket = try await self.connect(to: server.port)
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
        try await self.close(socket)
        try await played
        server.close()
    }

    // MARK: Clients

    @Test(arguments: ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST /form HTTP/1.1\r\n\r\n"])
    func `a client that speaks plain HTTP`(_ request: String) async throws {
        let error = try await self.handshakeFailure { client in
            try client.send(request)
            try client.receiveUntilEnd()
        }
        #expect(error.code == .protocolError)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(error.libraryReason == "HTTP_REQUEST")
        #expect(error.message.contains(": it does not speak TLS on this port: it sent a plain HTTP request, \""))
        #expect(error.message.hasSuffix(" HTTP/1.1\""))
        #expect(error.advice == "Use https:// there")
    }

    @Test(arguments: ["EHLO mail.example\r\n", "SSH-2.0-OpenSSH_9.2\r\n", String(repeating: "\0", count: 64)])
    func `a client that sends garbage`(_ garbage: String) async throws {
        let error = try await self.handshakeFailure { client in
            try client.send(garbage)
            try client.receiveUntilEnd()
        }
        #expect(error.code == .protocolError)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(error.message.contains(": it does not speak TLS on this port: it sent "))
    }

    @Test func `a client that stays silent`() async throws {
        let error = try await self.handshakeFailure(within: .milliseconds(200)) { try $0.receiveUntilEnd() }
        #expect(error.code == .timedOut)
        #expect(error.step == .handshake)
        #expect(error.message.hasSuffix(" did not complete the handshake within 0.2 seconds"))
    }

    @Test func `a client that keeps sending is not given more time`() async throws {
        let error = try await self.handshakeFailure(within: .milliseconds(200)) { client in
            // The first bytes of a handshake message of 64 KiB, in records of one byte each: TLS, and no end in sight.
            try client.send([22, 3, 1, 0, 1, 1] + [22, 3, 1, 0, 1, 0])
            try client.receiveUntilEnd()
        }
        #expect(error.code == .timedOut)
        #expect(error.step == .handshake)
    }

    @Test func `a client that hangs up before it has said anything`() async throws {
        let error = try await self.handshakeFailure { $0.close() }
        #expect(error.code == .endedBeforeHandshake)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(error.message.hasSuffix(" connected and left without sending anything"))
        #expect(error.advice == "Health checks and port scans do this")
    }

    @Test func `a client that hangs up in the middle of its hello`() async throws {
        let error = try await self.handshakeFailure { client in try client.send([22, 3, 1, 2, 0, 1, 0]) }
        #expect(error.code == .endedInHandshake)
    }

    @Test func `a client that resets the connection in mid-handshake`() async throws {
        let error = try await self.handshakeFailure { client in
            try client.send([22, 3, 1, 2, 0, 1, 0])
            client.reset()
        }
        #expect(error.code == .connectionReset)
        #expect(error.step == .handshake)
    }

    /// With TLS 1.3, OpenSSL's clients do so when they refuse a certificate: they have no keys to write with before they answer.
    @Test(arguments: [(48, "unknown_ca"), (42, "bad_certificate"), (45, "certificate_expired")])
    func `a client that refuses the server in the clear`(_ alert: (code: UInt8, name: String)) async throws {
        let tls = try self.certificates.clientConfiguration(parameters: .init(.tls13))
        let error = try await self.handshakeFailure { client in
            try RawTLSPeer.greet(client, with: tls)
            try client.send([21, 3, 3, 0, 2, 2, alert.code])
            try client.receiveUntilEnd()
        }
        #expect(error.code == .alertReceived)
        #expect(error.alert?.description == alert.name)
        #expect(error.blame == .peer)
        #expect(error.step == .handshake)
        #expect(error.message.contains(" refused the connection: "))
    }

    @Test func `a client that says goodbye in mid-handshake and stays`() async throws {
        let tls = try self.certificates.clientConfiguration(parameters: .init(.tls12))
        let error = try await self.handshakeFailure { client in
            try RawTLSPeer.greet(client, with: tls)
            // A warning: close_notify.
            try client.send([21, 3, 3, 0, 2, 1, 0])
            try client.receiveUntilEnd()
        }
        #expect(error.code == .endedInHandshake)
        #expect(error.blame == .peer)
    }

    @Test func `a client that sends garbage in mid-handshake`() async throws {
        let tls = try self.certificates.clientConfiguration(parameters: .init(.tls13))
        let error = try await self.handshakeFailure { client in
            try RawTLSPeer.greet(client, with: tls)
            try client.send([23, 3, 3, 0, 32] + [UInt8](repeating: 0, count: 32))
            try client.receiveUntilEnd()
        }
        #expect(error.code == .protocolError)
        #expect(error.alert == nil)
        #expect(error.step == .handshake)
    }

    @Test func `a client that vanishes in mid-record`() async throws {
        let tls = try self.certificates.clientConfiguration()
        let listener = try await self.listen()
        let port = listener.localEndpoint.port
        async let accepted = listener.accept(timeout: Encounter.patience)
        async let played: Void = onThread {
            let client = try RawSocket.connect(to: port)
            let peer = try RawTLSPeer(client: tls, on: client)
            try client.send(peer.record("whole"))
            try client.send(peer.record("never complete").dropLast())
            client.close()
        }
        let socket = try await accepted
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "whole"))
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await socket.receive(timeout: Encounter.patience)
        }
        #expect(error.code == .truncated)
        #expect(error.step == .receiving)
        try await played
        try await self.close(socket)
        listener.close()
        await listener.waitUntilClosed()
    }

    @Test func `bad clients do not keep good ones waiting`() async throws {
        let listener = try await self.listen()
        let port = listener.localEndpoint.port
        async let serving: Void = listener.serve { socket in
            for try await message in socket.incoming { try await socket.send(message) }
        }
        let silent = try RawSocket.connect(to: port)
        let rude = try RawSocket.connect(to: port)
        try rude.send("GET / HTTP/1.1\r\n\r\n")
        let gone = try RawSocket.connect(to: port)
        gone.reset()

        let socket = try await self.connect(to: port)
        try await socket.send("hello")
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
        try await self.close(socket)
        silent.close()
        rude.close()
        listener.close()
        try await serving
    }

    // MARK: Helpers

    private func listen(_ listening: ListenerOptions = .patient) async throws -> SecureListener {
        try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), options: .patient, listening: listening)
    }

    private func connect(to port: Int) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: port, tls: self.certificates.clientConfiguration(), timeout: Encounter.patience)
    }

    private func close(_ socket: SecureSocket) async throws {
        socket.close()
        try await socket.waitUntilClosed()
    }

    /// Why a client cannot connect.
    private func refusal(
        at port: Int, of host: String = "127.0.0.1", timeout: Duration = Encounter.patience
    ) async throws -> SecureSocketError {
        try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(
                to: host, port: port, tls: self.certificates.clientConfiguration(), timeout: timeout)
        }
    }

    /// What a server says of a client that plays this.
    private func handshakeFailure(
        within timeout: Duration = Encounter.patience, _ client: @escaping @Sendable (RawSocket) throws -> Void
    ) async throws -> SecureSocketError {
        var listening = ListenerOptions()
        listening.handshakeTimeout = timeout
        let listener = try await self.listen(listening)
        let port = listener.localEndpoint.port
        let (failures, continuation) = AsyncStream.makeStream(of: (SecureSocketError, SocketEndpoint?).self)
        async let serving: Void = listener.serve(handshakeFailed: { continuation.yield(($0, $1)) }) { _ in
            Issue.record("a client was served that should not have been")
        }
        try await onThread { try client(RawSocket.connect(to: port)) }
        var reports = failures.makeAsyncIterator()
        let (error, endpoint) = try #require(await reports.next())
        // One that is gone before it was accepted has no address any more.
        #expect(endpoint == nil || endpoint?.host == "127.0.0.1")
        listener.close()
        try await serving
        return error
    }
}
