import NIOCore
import NIOPosix
import SocketCore
import TestSupport
import Testing

@testable import SecureSockets

/// The second attempt of `connect`, without ML-KEM groups, through a network that does not pass long hellos.
@Suite(.timeLimit(.minutes(5))) struct `Connecting without ML-KEM` {
    /// What a device on the path does with a long hello.
    enum Device: String, CaseIterable, Codable {
        case resets, ends, swallows

        /// Takes a connection and its hello, which it does not pass.
        func stop(_ listener: RawListener) throws {
            let socket = try listener.accept()
            // About as long as a TCP segment over Ethernet; a server name and other extensions add to it.
            #expect(try socket.receiveRecord().count > 1400)
            switch self {
            case .resets: socket.reset()
            case .ends: socket.close()
            case .swallows: try socket.receiveUntilEnd()
            }
        }
    }

    typealias Loops = Connecting.Loops

    private let names = ManualResolver()
    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    private func attempt(
        _ host: String = "127.0.0.1", at port: Int, on loops: Loops = .own, with resolver: HostResolver = .shared,
        isAllowed: Bool = true, parameters: TLSParameters = .init(), answerLimit: Duration = Encounter.patience
    ) throws -> ConnectAttempt {
        let tls = try TLSClientConfiguration(trust: self.certificates.trust, serverName: "localhost", parameters: parameters)
        return ConnectAttempt(
            host: host, target: ConnectTarget(host: try ConnectTarget.Host(host, port: port), port: port, local: nil), tls: tls,
            options: SocketOptions(), family: .any, retriesWithoutMLKEM: isAllowed, loop: loops.group.any(), resolver: resolver,
            answerLimit: answerLimit)
    }

    private func failure(of attempt: ConnectAttempt, within timeout: Duration = Encounter.patience) async throws
        -> SecureSocketError
    {
        try await #require(throws: SecureSocketError.self) { _ = try await attempt.run(timeout: timeout) }
    }

    /// Expects that nothing has connected to the listener that it has not taken.
    private func expectNoConnection(at listener: RawListener) async throws {
        try await onThread {
            let marker = try RawSocket.connect(to: listener.port)
            try marker.send("marker")
            #expect(try listener.accept().receive(exactly: 6) == Array("marker".utf8))
        }
    }

    @Test(arguments: Loops.allCases, Device.allCases)
    func `succeeds where long hellos are not passed`(_ loops: Loops, _ device: Device) async throws {
        let listener = try RawListener()
        let tls = try self.certificates.serverConfiguration()
        async let played: Void = onThread {
            try device.stop(listener)
            let server = try RawTLSPeer(server: tls, on: listener.accept())
            try server.socket.send(server.record("hello") + server.closeNotify())
        }
        // Only a device that swallows the hello makes the client wait.
        let limit: Duration = device == .swallows ? .milliseconds(10) : Encounter.patience
        let socket = try await self.attempt(at: listener.port, on: loops, answerLimit: limit).run(timeout: Encounter.patience)
            .secure()
        #expect(socket.information.group == .x25519)
        #expect(socket.information.wasRetriedWithoutMLKEM)
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
        try await played
        try await socket.closeAndWait()
    }

    @Test func `is not needed where the first hello is answered`() async throws {
        let listener = try await self.certificates.listen()
        async let accepted = listener.accept(timeout: Encounter.patience)
        let socket = try await self.attempt(at: listener.localEndpoint.port).run(timeout: Encounter.patience).secure()
        #expect(socket.information.group == .x25519MLKEM768)
        #expect(!socket.information.wasRetriedWithoutMLKEM)
        _ = try await accepted
    }

    @Test func `is an option of connect`() async throws {
        let listener = try RawListener()
        let tls = try self.certificates.serverConfiguration()
        async let played: Void = onThread {
            try Device.resets.stop(listener)
            try RawTLSPeer(server: tls, on: listener.accept()).socket.receiveUntilEnd()
        }
        var options = ConnectOptions()
        options.retriesWithoutMLKEM = true
        let socket = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.port, tls: self.certificates.clientConfiguration(), options: options,
            timeout: Encounter.patience)
        #expect(socket.information.wasRetriedWithoutMLKEM)
        socket.close()
        try await played
    }

    @Test(arguments: Loops.allCases)
    func `uses the addresses that are known, without another look-up`(_ loops: Loops) async throws {
        defer { self.names.open() }
        let resolver = self.names.hostResolver()
        let listener = try RawListener()
        let tls = try self.certificates.serverConfiguration()
        // The look-up of the other family, and a second one of this, would stay blocked.
        self.names.answer("server.test", .v4, .success([try SocketAddress(ipAddress: "127.0.0.1", port: 0)]))
        async let played: Void = onThread {
            try Device.resets.stop(listener)
            try RawTLSPeer(server: tls, on: listener.accept()).socket.receiveUntilEnd()
        }
        let socket = try await self.attempt("server.test", at: listener.port, on: loops, with: resolver)
            .run(timeout: Encounter.patience).secure()
        #expect(socket.information.wasRetriedWithoutMLKEM)
        #expect(self.names.count <= 2)
        #expect(resolver.counts.callers == 0)
        socket.close()
        try await played
    }

    @Test func `is off by default, and then advised`() async throws {
        #expect(!ConnectOptions().retriesWithoutMLKEM)
        let listener = try RawListener()
        async let played: Void = onThread { try Device.resets.stop(listener) }
        let error = try await self.failure(of: self.attempt(at: listener.port, isAllowed: false))
        #expect(error.code == .connectionReset)
        #expect(error.advice?.contains("set `ConnectOptions.retriesWithoutMLKEM`") == true)
        try await played
        try await self.expectNoConnection(at: listener)
    }

    @Test func `is not made by a client that does not offer ML-KEM, or nothing else`() async throws {
        for groups: [TLSNamedGroup] in [[.x25519], [.x25519MLKEM768]] {
            var parameters = TLSParameters()
            parameters.groups = groups
            let listener = try RawListener()
            async let played: Void = onThread {
                let socket = try listener.accept()
                _ = try socket.receiveRecord()
                socket.reset()
            }
            let error = try await self.failure(of: self.attempt(at: listener.port, parameters: parameters))
            #expect(error.code == .connectionReset)
            #expect(error.advice == nil)
            try await played
            try await self.expectNoConnection(at: listener)
        }
    }

    /// A byte is the beginning of an answer; an alert is a whole one.
    @Test(arguments: [[22], [21, 3, 3, 0, 2, 2, 40]] as [[UInt8]])
    func `is not made after an answer`(_ answer: [UInt8]) async throws {
        let listener = try RawListener()
        async let played: Void = onThread {
            let socket = try listener.accept()
            _ = try socket.receiveRecord()
            try socket.send(answer)
            // Before it ends, the client must have read the answer, or be able to.
            socket.close()
        }
        let error = try await self.failure(of: self.attempt(at: listener.port))
        #expect(error.code == (answer.count == 1 ? .endedInHandshake : .alertReceived))
        #expect(error.advice?.contains("retriesWithoutMLKEM") != true)
        try await played
        try await self.expectNoConnection(at: listener)
    }

    @Test func `is not made by the time limit once a byte has arrived`() async throws {
        let listener = try RawListener()
        async let played: Void = onThread {
            let socket = try listener.accept()
            try socket.send([22])
            try socket.receiveUntilEnd()
        }
        let error = try await self.failure(
            of: self.attempt(at: listener.port, answerLimit: .seconds(2)), within: .milliseconds(2500))
        #expect(error.code == .timedOut)
        #expect(error.step == .handshake)
        #expect(error.advice?.contains("ML-KEM") != true)
        try await played
        try await self.expectNoConnection(at: listener)
    }

    @Test func `is not made after a certificate was refused`() async throws {
        let listener = try await self.certificates.listen()
        async let accepted = try? listener.accept(timeout: Encounter.patience)
        var options = ConnectOptions()
        options.retriesWithoutMLKEM = true
        let stranger = try TestCertificates()
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: stranger.clientConfiguration(), options: options,
                timeout: Encounter.patience)
        }
        #expect(error.code == .certificateVerificationFailed)
        _ = await accepted
        listener.close()
    }

    @Test(arguments: [Device.resets, .ends])
    func `that is not answered either fails with its own error`(_ device: Device) async throws {
        let listener = try RawListener()
        async let played: Void = onThread {
            try device.stop(listener)
            let second = try listener.accept()
            #expect(try second.receiveRecord().count < 1000)
            if device == .resets { second.reset() } else { second.close() }
        }
        let error = try await self.failure(of: self.attempt(at: listener.port))
        #expect(error.code == (device == .resets ? .connectionReset : .endedInHandshake))
        #expect(
            error.advice?.hasSuffix("The server answered neither a ClientHello with X25519MLKEM768 nor one without it") == true)
        try await played
        try await self.expectNoConnection(at: listener)
    }

    @Test(arguments: Loops.allCases)
    func `has what is left of the time limit`(_ loops: Loops) async throws {
        let listener = try RawListener()
        async let played: Void = onThread {
            try Device.swallows.stop(listener)
            try listener.accept().receiveUntilEnd()
        }
        let error = try await self.failure(
            of: self.attempt(at: listener.port, on: loops, answerLimit: .milliseconds(10)), within: .milliseconds(500))
        #expect(error.code == .timedOut)
        #expect(error.step == .handshake)
        #expect(error.message == "the handshake with 127.0.0.1:\(listener.port) was not complete within 0.5 seconds")
        try await played
    }

    @Test(arguments: Loops.allCases)
    func `that cannot connect fails with the error of the first`(_ loops: Loops) async throws {
        let listener = try RawListener()
        async let played: Void = onThread {
            let socket = try listener.accept()
            _ = try socket.receiveRecord()
            listener.close()
            socket.reset()
        }
        let error = try await self.failure(of: self.attempt(at: listener.port, on: loops))
        #expect(error.code == .connectionReset)
        #expect(error.step == .handshake)
        try await played
    }
}
