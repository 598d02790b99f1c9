import NIOCore
import NIOEmbedded
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// Arguments that make no sense are refused before anything is opened, with a message that names the value.
@Suite(.timeLimit(.minutes(5))) struct `Wrong arguments` {
    private let client: TLSClientConfiguration
    private let server: TLSServerConfiguration

    init() throws {
        let certificates = try TestCertificates.shared.get()
        self.client = try certificates.clientConfiguration()
        self.server = try certificates.serverConfiguration()
    }

    @Test(arguments: [-1, 0, 65_536, Int.max, Int.min])
    func `a port that is none cannot be connected to`(_ port: Int) async throws {
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(to: "localhost", port: port, tls: self.client)
        }
        self.expect(error, .connecting, "\(port) is not a port; 1 to 65535 are")
    }

    @Test(arguments: [-1, 65_536, Int.max])
    func `a port that is none cannot be listened on`(_ port: Int) async throws {
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureListener.bind(host: "127.0.0.1", port: port, tls: self.server)
        }
        self.expect(error, .listening, "\(port) is not a port; 0 to 65535 are")
    }

    /// Texts that are no names, and what is said of them.
    static let badNames = [
        ("", "is empty"),
        ("local\0host", "\"local\\u{0}host\" has a control character (\\u{0})"),
        ("localhost\r\nX: y", "\"localhost\\u{d}\\u{a}X: y\" has a control character (\\u{d})"),
        (
            "münchen.example",
            "\"münchen.example\" has characters outside ASCII. "
                + "Give its ASCII form (A-label, RFC 5890), in which such labels begin with xn--"
        ),
        (
            "a\u{202E}b",
            "\"a\\u{202e}b\" has characters outside ASCII. "
                + "Give its ASCII form (A-label, RFC 5890), in which such labels begin with xn--"
        ),
        ("local host", "\"local host\" has a blank"),
        (
            "https://localhost/",
            "\"https://localhost/\" has the character :, which host names do not have. "
                + "Give the host alone, without scheme, port or path"
        ),
        ("localhost..", "\"localhost..\" has an empty label. Check its dots"),
        (
            String(repeating: "a", count: 64) + ".example",
            "\"\(String(repeating: "a", count: 64)).example\" has a label of 64 bytes; 63 is the maximum"
        ),
        (
            String(repeating: "a.", count: 500) + "a",
            "\"\(String(repeating: "a.", count: 128))…\" is 1001 bytes long; 253 is the maximum"
        ),
    ]

    @Test(arguments: Self.badNames)
    func `a host that is no name cannot be connected to`(_ host: String, _ fault: String) async throws {
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(to: host, port: 443, tls: self.client)
        }
        self.expect(error, .resolving, "the host name \(fault)")
        let inMemory = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connectedPair(client: self.client, server: self.server, host: host)
        }
        #expect(inMemory.description == error.description)
    }

    @Test(arguments: Self.badNames)
    func `a server name that is no name cannot be asked for`(_ name: String, _ fault: String) throws {
        let error = try #require(throws: SecureSocketError.self) {
            _ = try TLSClientConfiguration(trust: TestCertificates.shared.get().trust, serverName: name)
        }
        self.expect(error, .configuring, "the server name \(fault)")
    }

    @Test(arguments: ["localhost.", "_dns.resolver.example", "xn--mnchen-3ya.example", "127.0.0.1", "::1"])
    func `other server names can`(_ name: String) throws {
        _ = try TLSClientConfiguration(trust: TestCertificates.shared.get().trust, serverName: name)
    }

    @Test(arguments: ["fe80::1%no-such-link", "[fe80::1%no-such-link]", "127.0.0.1%lo", "::1%\n"])
    func `an address with an unknown zone cannot be connected to`(_ host: String) async throws {
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(to: host, port: 443, tls: self.client)
        }
        #expect(error.code == .addressNotAvailable)
        #expect(error.step == .resolving)
        #expect(error.message.hasSuffix(" has a zone that is not a network interface of this machine"))
    }

    @Test(arguments: ["localhost", "256.0.0.1", "", "127.0.0.1:80", "127.0.0.1\0x", "fe80::1%no-such-link"])
    func `only an address can be listened on`(_ host: String) async throws {
        let shown = host.replacing("\0", with: "\\u{0}")
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureListener.bind(host: host, port: 0, tls: self.server)
        }
        self.expect(error, .configuring, "\(shown) is not an internet address")
    }

    @Test func `a NUL character does not end an address or a protocol`() async throws {
        var options = ConnectOptions()
        options.localEndpoint = SocketEndpoint(host: "127.0.0.1\0", port: 0)
        let connecting = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(to: "127.0.0.1", port: 443, tls: self.client, options: options)
        }
        self.expect(connecting, .configuring, "127.0.0.1\\u{0} is not an internet address")

        let trust = try TestCertificates.shared.get().trust
        var parameters = TLSParameters()
        parameters.applicationProtocols = ["h2\0x"]
        let chosen = try #require(throws: SecureSocketError.self) {
            try TLSClientConfiguration(trust: trust, parameters: parameters)
        }
        #expect(chosen.message == "the application protocol \"h2\\u{0}x\" must not contain a NUL character")
    }

    /// Options with one value that makes no sense, and what is said of it.
    struct BadOption: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let options: SocketOptions

        init(_ message: String, _ change: (inout SocketOptions) -> Void) {
            var options = SocketOptions()
            change(&options)
            self.testDescription = message
            self.options = options
        }

        static let all = [
            BadOption("maximumPacketSize is -1; 0 to 1073741824 are possible") { $0.maximumPacketSize = -1 },
            BadOption("maximumPacketSize is \(Int.max); 0 to 1073741824 are possible") { $0.maximumPacketSize = .max },
            BadOption("readAhead is 0; 1 to 1073741824 are possible") { $0.readAhead = 0 },
            BadOption("sendHighWaterMark is 0; 1 to 1073741824 are possible") { $0.sendHighWaterMark = 0 },
            BadOption("sendHighWaterMark is \(Int.max); 1 to 1073741824 are possible") { $0.sendHighWaterMark = .max },
            BadOption("mailboxHighWaterMark is 0; it must be positive") { $0.mailboxHighWaterMark = 0 },
            BadOption("lingerTimeout is -1 seconds; it must not be negative") { $0.lingerTimeout = .seconds(-1) },
        ]
    }

    @Test(arguments: BadOption.all)
    func `options are checked at both ends`(_ bad: BadOption) async throws {
        let connecting = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(to: "localhost", port: 443, tls: self.client, socketOptions: bad.options)
        }
        self.expect(connecting, .configuring, bad.testDescription)
        let listening = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureListener.bind(port: 0, tls: self.server, socketOptions: bad.options)
        }
        #expect(listening == connecting)
    }

    /// A listener's options with one value that makes no sense, and what is said of it.
    struct BadListenerOption: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let options: ListenerOptions

        init(_ message: String, _ change: (inout ListenerOptions) -> Void) {
            var options = ListenerOptions()
            change(&options)
            self.testDescription = message
            self.options = options
        }

        static let all = [
            BadListenerOption("backlog is -1; it must not be negative") { $0.backlog = -1 },
            BadListenerOption("handshakeTimeout is 0 seconds; it must be positive") { $0.handshakeTimeout = .zero },
            BadListenerOption("maximumHandshakes is 0; it must be positive") { $0.maximumHandshakes = 0 },
            BadListenerOption("maximumLingering is 0; it must be positive") { $0.maximumLingering = 0 },
        ]
    }

    @Test(arguments: BadListenerOption.all)
    func `a listener's options are checked`(_ bad: BadListenerOption) async throws {
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureListener.bind(port: 0, tls: self.server, options: bad.options)
        }
        self.expect(error, .configuring, bad.testDescription)
    }

    @Test func `a local endpoint must be an address`() async throws {
        var options = ConnectOptions()
        options.localEndpoint = SocketEndpoint(host: "localhost", port: 0)
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(to: "127.0.0.1", port: 443, tls: self.client, options: options)
        }
        self.expect(error, .configuring, "localhost is not an internet address")
    }

    @Test func `TLS settings are checked when the configuration is made`() throws {
        let identity = try TestCertificates.shared.get().serverIdentity
        let trust = try TestCertificates.shared.get().trust

        let depth = try #require(throws: SecureSocketError.self) {
            var parameters = TLSParameters()
            parameters.maximumChainDepth = -1
            return try TLSClientConfiguration(trust: trust, parameters: parameters)
        }
        self.expect(depth, .configuring, "maximumChainDepth is -1; it must not be negative")

        for (suites, message) in [
            ([TLSCipherSuite](), "the list of cipher suites is empty"),
            (
                [.TLS_AES_128_GCM_SHA256],
                "TLS_AES_128_GCM_SHA256 is a cipher suite of TLS 1.3; those are always offered and cannot be listed"
            ),
        ] {
            var parameters = TLSParameters()
            parameters.tls12CipherSuites = suites
            let error = try #require(throws: SecureSocketError.self) {
                try TLSServerConfiguration(identity: identity, parameters: parameters)
            }
            #expect(error.code == .cipherSuitesUnusable)
            #expect(error.message == message)
        }

        var noGroups = TLSParameters()
        noGroups.groups = []
        let groups = try #require(throws: SecureSocketError.self) {
            try TLSServerConfiguration(identity: identity, parameters: noGroups)
        }
        #expect(groups.code == .invalidConfiguration)

        var longProtocol = TLSParameters()
        longProtocol.applicationProtocols = [String(repeating: "x", count: 256)]
        let name = try #require(throws: SecureSocketError.self) {
            try TLSClientConfiguration(trust: trust, parameters: longProtocol)
        }
        #expect(name.code == .invalidConfiguration)
        #expect(name.message.hasSuffix("must be 1 to 255 bytes long"))
    }

    @Test(arguments: [-1, (16 << 20) + 1, Int.max])
    func `a number of bytes that cannot be received in one call is refused, and the socket is good`(
        _ count: Int
    ) async throws {
        let encounter = try await Encounter(of: self.client, with: self.server)
        let (client, server) = try (encounter.client.get(), encounter.server.get())
        let error = try await #require(throws: SecureSocketError.self) { _ = try await client.receive(exactly: count) }
        self.expect(
            error, .receiving, "\(count) bytes cannot be received in one call; 0 to 16777216 can")
        try await server.send("good")
        #expect(try await client.receive(exactly: 4).readableBytes == 4)
    }

    @Test func `event loops that cannot carry sockets are refused`() async throws {
        let loop = NIOAsyncTestingEventLoop()
        let connecting = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(to: "127.0.0.1", port: 443, tls: self.client, on: loop)
        }
        self.expect(connecting, .connecting, "event loops of type NIOAsyncTestingEventLoop cannot carry sockets")
        let listening = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureListener.bind(port: 0, tls: self.server, on: loop)
        }
        self.expect(listening, .listening, "event loops of type NIOAsyncTestingEventLoop cannot carry sockets")
        await loop.shutdownGracefully()
    }

    @Test func `a listener is served once, by at least one`() async throws {
        let listener = try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: self.server)
        let none = try await #require(throws: SecureSocketError.self) {
            try await listener.serve(maximumConnections: 0) { _ in }
        }
        self.expect(none, .accepting, "maximumConnections is 0; it must be positive")

        listener.close()
        await listener.waitUntilClosed()
        let closed = try await #require(throws: SecureSocketError.self) { try await listener.serve { _ in } }
        #expect(closed.code == .closed)
        let accepting = try await #require(throws: SecureSocketError.self) { _ = try await listener.accept() }
        #expect(accepting.code == .closed)
    }

    private func expect(
        _ error: SecureSocketError, _ step: SecureSocketError.Step, _ message: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(error.code == .invalidArgument, sourceLocation: sourceLocation)
        #expect(error.blame == .caller, sourceLocation: sourceLocation)
        #expect(error.step == step, sourceLocation: sourceLocation)
        #expect([error.message, error.description].contains(message), sourceLocation: sourceLocation)
    }
}
