import NIOCore
import SecureSockets
import TestSupport
import Testing

/// No descriptor stays open after an error.
///
/// Each dialogue is played in a process of its own (an exit test), where nothing else opens or closes anything: there all
/// descriptors can be counted.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Descriptors` {
    @Test(arguments: Dialogue.allCases)
    func `none is left behind after`(_ dialogue: Dialogue) async {
        await #expect(processExitsWith: .success) { [dialogue] in
            let before = OpenDescriptors.count
            for _ in 1...10 { try await dialogue.play() }
            let after = await OpenDescriptors.count(comingDownTo: before)
            #expect(after <= before, "\(after - before) descriptors are left behind")
        }
    }

    @Test func `one that is left behind would be noticed`() async {
        await #expect(processExitsWith: .success) {
            let before = OpenDescriptors.count
            let left = try RawListener()
            #expect(OpenDescriptors.count == before + 1)
            left.close()
            #expect(await OpenDescriptors.count(comingDownTo: before) == before)
        }
    }

    /// A dialogue of the other suites that opens something.
    enum Dialogue: String, Codable, CaseIterable, CustomTestStringConvertible {
        case takenPort = "a port that is taken"
        case stoppedGroup = "loops that have been shut down"
        case notOurAddress = "an address that is not this machine's"
        case unknownHost = "a host that does not exist"
        case deadPort = "a port on which no program listens"
        case httpServer = "a server that speaks plain HTTP"
        case garbageServer = "a server that sends garbage"
        case silentServer = "a server that stays silent"
        case serverHangsUp = "a server that hangs up in mid-handshake"
        case serverResets = "a server that resets the connection in mid-handshake"
        case serverVanishes = "a server that vanishes in mid-record"
        case serverResetsWhileRead = "a server that resets the connection while it is read from"
        case changedRecord = "a server whose record was changed on its way"
        case httpClient = "a client that speaks plain HTTP"
        case garbageClient = "a client that sends garbage"
        case silentClient = "a client that stays silent"
        case clientHangsUp = "a client that hangs up before it has said anything"
        case clientResets = "a client that resets the connection in mid-handshake"
        case clientVanishes = "a client that vanishes in mid-record"
        case clientsOfAllKinds = "good clients among bad ones"
        case refusedServer = "a server whose certificate is refused"
        case refusedClient = "a client whose certificate is refused"
        case cancelledConnect = "a call of connect that is cancelled"
        case forgottenSocket = "a socket that nobody refers to any more"
        case forgottenListener = "a listener that nobody refers to any more, and whose client waits"
        case badFile = "a file that is a folder"
        case conversation = "a conversation"

        var testDescription: String { self.rawValue }

        private static func bindOnStoppedGroup() async throws {
            let group = try SocketEventLoopGroup(numberOfLoops: 2)
            try await group.shutdownGracefully()
            let tls = try TestCertificates.shared.get().serverConfiguration()
            await #expect(throws: (any Error).self) {
                _ = try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: tls, on: group)
            }
        }

        func play() async throws {
            let (addresses, servers, clients) = (try `Unusable addresses`(), try `Bad servers`(), try `Bad clients`())
            switch self {
            case .stoppedGroup: try await Self.bindOnStoppedGroup()
            case .takenPort: try await addresses.`a port that is taken`()
            case .notOurAddress: try await addresses.`an address that is not this machine's`()
            case .unknownHost: try await addresses.`a host that does not exist`()
            case .deadPort: try await addresses.`a port on which no program listens`("localhost")
            case .httpServer: try await servers.`a server that speaks plain HTTP`()
            case .garbageServer: try await servers.`a server that sends garbage`("220 mail.example ESMTP\r\n")
            case .silentServer: _ = try await servers.meetSilentServer(within: .milliseconds(200))
            case .serverHangsUp: try await servers.`a server that hangs up in mid-handshake`()
            case .serverResets: try await servers.`a server that resets the connection in mid-handshake`()
            case .serverVanishes: try await servers.`a server that vanishes in mid-record`(over: .tls13)
            case .serverResetsWhileRead: try await servers.`a server that resets the connection while it is read from`()
            case .changedRecord: try await servers.`a server whose record was changed on its way`(over: .tls13)
            case .httpClient: try await clients.`a client that speaks plain HTTP`("GET / HTTP/1.1\r\n\r\n")
            case .garbageClient: try await clients.`a client that sends garbage`("EHLO mail.example\r\n")
            case .silentClient: try await clients.`a client that stays silent`()
            case .clientHangsUp: try await clients.`a client that hangs up before it has said anything`()
            case .clientResets: try await clients.`a client that resets the connection in mid-handshake`()
            case .clientVanishes: try await clients.`a client that vanishes in mid-record`()
            case .clientsOfAllKinds: try await clients.`bad clients do not keep good ones waiting`()
            case .refusedServer:
                try await `Certificates that are refused`().`a client refuses a server's`(.names[0], over: .tls13)
            case .refusedClient:
                try await `Certificates that are refused`().`a server refuses a client's`(.chains[0], over: .tls13)
            case .cancelledConnect: try await Self.cancelConnect()
            case .forgottenSocket: try await Self.forgetSockets()
            case .forgottenListener: try await Self.forgetListener()
            case .badFile: try `Files that cannot be read`().`a folder in place of a file`(.chain)
            case .conversation: try await Conversation.play()
            }
        }

        private static func cancelConnect() async throws {
            let certificates = try TestCertificates.shared.get()
            let server = try RawListener()
            let connecting = Task {
                try await SecureSocket.connect(
                    to: "127.0.0.1", port: server.port, tls: certificates.clientConfiguration())
            }
            try await server.play { socket in
                // It waits for the answer to its hello.
                _ = try socket.receiveRecord()
                connecting.cancel()
                try socket.receiveUntilEnd()
            }
            let error = await #expect(throws: SecureSocketError.self) { _ = try await connecting.value }
            #expect(error?.code == .cancelled)
            server.close()
        }

        private static func forgetSockets() async throws {
            let certificates = try TestCertificates.shared.get()
            let encounter = try await Encounter(
                of: certificates.clientConfiguration(), with: certificates.serverConfiguration())
            _ = try (encounter.client.get(), encounter.server.get())
        }

        private static func forgetListener() async throws {
            let certificates = try TestCertificates.shared.get()
            let listener = try await SecureListener.bind(
                host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), socketOptions: .patient, options: .patient)
            let client = try RawSocket.connect(to: listener.localEndpoint.port)
            client.close()
        }
    }
}
