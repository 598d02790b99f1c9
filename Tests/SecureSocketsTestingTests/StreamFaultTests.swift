import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `A stream fault` {
    /// What decides how many bytes a record has, and which end sends what goes wrong.
    struct Setting: Sendable, CustomStringConvertible {
        let version: TLSProtocolVersion
        let suites: [TLSCipherSuite]?
        let isFromServer: Bool

        var description: String {
            "\(self.version), \(self.suites?.first?.description ?? "any suite"), from the \(self.isFromServer ? "server" : "client")"
        }

        static let all = [false, true].flatMap { isFromServer in
            [
                Setting(version: .tls13, suites: nil, isFromServer: isFromServer),
                Setting(
                    version: .tls12, suites: [.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], isFromServer: isFromServer),
                Setting(
                    version: .tls12, suites: [.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256], isFromServer: isFromServer),
            ]
        }

        /// Two ends: the one whose bytes meet the fault, and its peer.
        func pair(
            _ fault: StreamFault, _ fragmentation: Fragmentation = .whole, options: SocketOptions = SocketOptions()
        ) async throws -> (sender: SecureSocket, receiver: SecureSocket) {
            let certificates = try TestCertificates.shared.get()
            var parameters = TLSParameters()
            parameters.versions = self.version...self.version
            if let suites { parameters.tls12CipherSuites = suites }
            let pair = try await SecureSocket.connectedPair(
                client: certificates.clientConfiguration(parameters: parameters),
                server: certificates.serverConfiguration(parameters: parameters), options: options,
                fragmentation: fragmentation, clientToServer: self.isFromServer ? .none : fault,
                serverToClient: self.isFromServer ? fault : .none, timeout: Encounter.patience)
            return self.isFromServer ? (pair.server, pair.client) : (pair.client, pair.server)
        }
    }

    /// What arrives until the stream ends or fails.
    private func received(by socket: SecureSocket) async -> (text: String, error: SecureSocketError?) {
        var text = ""
        do throws(SecureSocketError) {
            while let bytes = try await socket.receive(timeout: Encounter.patience) { text += String(buffer: bytes) }
            return (text, nil)
        } catch {
            return (text, error)
        }
    }

    @Test(arguments: Setting.all)
    func `lets whole messages before it through, and nothing of the one in which it happens`(setting: Setting) async throws {
        for offset in -1...12 {
            let (sender, receiver) = try await setting.pair(.truncation(afterBytes: offset))
            for message in ["abcd", "efgh", "ijkl"] { try await sender.send(message) }
            let arrived = await self.received(by: receiver)
            #expect(arrived.text == "abcdefghijkl".prefix(max(offset, 0) / 4 * 4), "after \(offset) bytes")
            #expect(arrived.error?.code == .truncated)
            sender.close()
            receiver.close()
        }
    }

    @Test(arguments: Setting.all)
    func `that truncates a stream leaves the other direction as it is`(setting: Setting) async throws {
        // At once, also if nothing more is sent.
        let (sender, receiver) = try await setting.pair(.truncation(afterBytes: 5), .oneByteAtATime)
        try await sender.send("hello")
        #expect(await self.received(by: receiver).error?.code == .truncated)
        try await receiver.send("answer")
        receiver.close()
        #expect(await self.received(by: sender).text == "answer")
        try await sender.send("discarded")
        sender.close()
        try await sender.waitUntilClosed()
        try await receiver.waitUntilClosed()
    }

    @Test(arguments: Setting.all)
    func `that resets a connection ends it for both`(setting: Setting) async throws {
        let (sender, receiver) = try await setting.pair(.reset(afterBytes: 5))
        try await sender.send("hello")
        let arrived = await self.received(by: receiver)
        #expect(arrived.text == "hello")
        #expect(arrived.error?.code == .connectionReset)
        let unanswered = await self.received(by: sender)
        #expect(unanswered.text == "")
        #expect(unanswered.error?.code == .connectionReset)
        for end in [sender, receiver] {
            let error = await #expect(throws: SecureSocketError.self) { try await end.send("more") }
            #expect(error?.code == .connectionReset)
            end.close()
        }
    }

    @Test(arguments: Setting.all)
    func `that stalls a stream leaves the receiver waiting, and the sender too when its buffers are full`(
        setting: Setting
    ) async throws {
        var options = SocketOptions()
        options.sendHighWaterMark = 1000
        let (sender, receiver) = try await setting.pair(.stall(afterBytes: 5), options: options)
        try await sender.send("hello")
        #expect(try await receiver.receive(exactly: 5, timeout: Encounter.patience) == ByteBuffer(string: "hello"))
        let waiting = Task {
            await #expect(throws: SecureSocketError.self) { try await receiver.receive(timeout: .milliseconds(100)) }
        }
        var sent = 0
        let full = await #expect(throws: SecureSocketError.self) {
            while sent < 100 {
                try await sender.send([UInt8](repeating: 0, count: 1000), timeout: .milliseconds(100))
                sent += 1
            }
        }
        #expect(full?.code == .timedOut)
        #expect(sent > 0)
        #expect(await waiting.value?.code == .timedOut)
        try await receiver.send("answer")
        #expect(try await sender.receive(exactly: 6, timeout: Encounter.patience) == ByteBuffer(string: "answer"))
        // The end of the connection does not arrive either.
        sender.abort()
        let last = await #expect(throws: SecureSocketError.self) { try await receiver.receive(timeout: .milliseconds(20)) }
        #expect(last?.code == .timedOut)
        receiver.abort()
    }

    @Test(arguments: Setting.all)
    func `that changes a byte is a protocol error for the receiver, and its alert for the sender`(setting: Setting) async throws {
        for offset in 4...8 {
            let (sender, receiver) = try await setting.pair(.corruption(afterBytes: offset))
            try await sender.send("abcd")
            #expect(try await receiver.receive(exactly: 4, timeout: Encounter.patience) == ByteBuffer(string: "abcd"))
            // The alert for the first may be there before the second is sent.
            for message in ["efgh", "ijkl"] { try? await sender.send(message) }
            let arrived = await self.received(by: receiver)
            #expect(arrived.text == (offset < 8 ? "" : "efgh"))
            #expect(arrived.error?.code == .protocolError)
            #expect(arrived.error?.libraryReason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC")
            let alert = await self.received(by: sender).error
            #expect(alert?.code == .alertReceived)
            #expect(alert?.alert == .badRecordMAC)
            sender.close()
            receiver.close()
        }
    }

    @Test func `of none is none, and one that is never reached does nothing`() async throws {
        for fault in [StreamFault.none, .reset(afterBytes: 100), .corruption(afterBytes: 100)] {
            let (sender, receiver) = try await Setting.all[0].pair(fault)
            try await sender.send("hello")
            sender.close()
            let arrived = await self.received(by: receiver)
            #expect(arrived.text == "hello")
            #expect(arrived.error == nil)
            receiver.close()
        }
    }

    @Test func `can be in both directions`() async throws {
        let certificates = try TestCertificates.shared.get()
        let (client, server) = try await SecureSocket.connectedPair(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration(),
            clientToServer: .truncation(afterBytes: 0), serverToClient: .truncation(afterBytes: 0),
            timeout: Encounter.patience)
        for end in [client, server] {
            #expect(await self.received(by: end).error?.code == .truncated)
            end.close()
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct `A connected pair` {
    @Test(arguments: [Fragmentation.whole, .oneByteAtATime, .pieces(of: 7), .pieces(of: 0)])
    func `is the same with every fragmentation`(fragmentation: Fragmentation) async throws {
        let certificates = try TestCertificates.shared.get()
        let (client, server) = try await SecureSocket.connectedPair(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration(), host: "127.0.0.1",
            fragmentation: fragmentation, timeout: nil)
        try await client.send("question")
        #expect(try await server.receive(exactly: 8) == ByteBuffer(string: "question"))
        try await server.send("answer")
        server.close()
        #expect(try await client.receive(exactly: 6) == ByteBuffer(string: "answer"))
        #expect(try await client.receive() == nil)
        client.close()
    }

    @Test func `fails with the client's reason if it is for another host`() async throws {
        let certificates = try TestCertificates.shared.get()
        let error = await #expect(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connectedPair(
                client: certificates.clientConfiguration(), server: certificates.serverConfiguration(), host: "example.org")
        }
        #expect(error?.certificateProblem?.kind == .wrongName)
    }
}
