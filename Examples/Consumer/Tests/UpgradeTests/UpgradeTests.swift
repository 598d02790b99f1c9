// The functions under test are the examples of the article "Upgrading a connection". `.ci/examples` adds them to the copy of this package
// in which it runs these tests; without it, this target does not compile.
import SecureSockets
import SecureSocketsTesting
import Testing

@Suite(.timeLimit(.minutes(5))) struct `The examples of upgrading a connection` {
    private let server: TLSServerConfiguration
    private let client: TLSClientConfiguration

    init() throws {
        let authority = try DevelopmentAuthority()
        self.server = try TLSServerConfiguration(identity: authority.server().identity)
        self.client = try TLSClientConfiguration(trust: authority.trust)
    }

    /// Connects a client and a server, both plain, and runs both parts.
    private func connect<ServerResult: Sendable, ClientResult: Sendable>(
        _ server: @escaping @Sendable (PlainSocket) async throws -> ServerResult,
        client: @Sendable (PlainSocket) async throws -> ClientResult
    ) async throws -> (server: Result<ServerResult, any Error>, client: Result<ClientResult, any Error>) {
        let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        let serving = Task {
            // The socket is closed at the end of its part, also if that fails.
            try await server(try await listener.accept(timeout: ScriptedServer.patience))
        }
        let clientResult: Result<ClientResult, any Error>
        do {
            let plain = try await PlainSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, timeout: ScriptedServer.patience)
            clientResult = .success(try await client(plain))
        } catch {
            clientResult = .failure(error)
        }
        let serverResult = await serving.result
        listener.close()
        return (serverResult, clientResult)
    }

    // MARK: Clients

    /// A client of the article, and what its server says.
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let upgrade: @Sendable (PlainSocket, String, TLSClientConfiguration?) async throws -> SecureSocket
        /// The dialogue of a server that agrees.
        let agreement: [ScriptedServer.Step]
        /// The dialogue of a server that does not, and, if its refusal can be overlooked, agrees afterwards.
        let refusal: [ScriptedServer.Step]
    }

    private static let ldapRequest: ScriptedServer.Step = .receive(
        [0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16] + Array("1.3.6.1.4.1.1466.20037".utf8))
    private static let xmppHeader: ScriptedServer.Step = .receive(
        "<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' "
            + "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>")
    private static let xmppRequest: ScriptedServer.Step = .receive("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")

    /// The first packet of a server of MySQL, with these lower capabilities.
    private static func mysqlGreeting(_ capabilities: UInt16) -> ScriptedServer.Step {
        let content: [UInt8] =
            [10] + Array("8.4.0".utf8) + [0, 1, 0, 0, 0] + Array(repeating: 7, count: 8)
            + [0, UInt8(truncatingIfNeeded: capabilities), UInt8(capabilities >> 8)] + Array(repeating: 0, count: 22)
        return .send([UInt8(content.count), 0, 0, 0] + content)
    }

    static let rows = [
        Row(
            testDescription: "SMTP", upgrade: upgradeSMTP,
            agreement: [
                .send("220-mail.example\r\n220 ESMTP\r\n"), .receive("EHLO client.example\r\n"),
                .send("250-mail.example\r\n250-SIZE 1000\r\n250 starttls\r\n"), .receive("STARTTLS\r\n"),
                .send("220 2.0.0 Ready\r\n"),
            ],
            refusal: [
                .send("220 mail.example\r\n"), .receive("EHLO client.example\r\n"), .send("250 SIZE 1000\r\n"),
                .receive("STARTTLS\r\n"), .send("220 go\r\n"),
            ]),
        Row(
            testDescription: "SMTP, refused later", upgrade: upgradeSMTP,
            agreement: [
                .send("220 ready\r\n"), .receive("EHLO client.example\r\n"), .send("250 STARTTLS\r\n"),
                .receive("STARTTLS\r\n"), .send("220 go\r\n"),
            ],
            refusal: [
                .send("220 mail.example\r\n"), .receive("EHLO client.example\r\n"), .send("250 STARTTLS\r\n"),
                .receive("STARTTLS\r\n"), .send("454 4.7.0 TLS not available\r\n"),
            ]),
        Row(
            testDescription: "IMAP", upgrade: upgradeIMAP,
            agreement: [.send("* OK ready\r\n"), .receive("a1 STARTTLS\r\n"), .send("* NOTE 1\r\na1 OK begin\r\n")],
            refusal: [.send("* OK ready\r\n"), .receive("a1 STARTTLS\r\n"), .send("a1 BAD unknown\r\n")]),
        Row(
            testDescription: "IMAP, with a greeting that prevents TLS", upgrade: upgradeIMAP,
            agreement: [.send("* OK ready\r\n"), .receive("a1 STARTTLS\r\n"), .send("a1 OK begin\r\n")],
            refusal: [.send("* PREAUTH welcome\r\n"), .receive("a1 STARTTLS\r\n"), .send("a1 OK begin\r\n")]),
        Row(
            testDescription: "POP3", upgrade: upgradePOP3,
            agreement: [.send("+OK ready\r\n"), .receive("STLS\r\n"), .send("+OK begin\r\n")],
            refusal: [.send("+OK ready\r\n"), .receive("STLS\r\n"), .send("-ERR unknown\r\n")]),
        Row(
            testDescription: "PostgreSQL", upgrade: upgradePostgreSQL,
            agreement: [.receive([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]), .send("S")],
            refusal: [.receive([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]), .send("N")]),
        Row(
            testDescription: "MySQL", upgrade: upgradeMySQL,
            agreement: [
                mysqlGreeting(0xffff),
                .receive([0x20, 0, 0, 1, 0x00, 0x8a, 0, 0, 0, 0, 0, 1, 0x2d] + Array(repeating: 0, count: 23)),
            ],
            refusal: [mysqlGreeting(0xf7ff)]),
        Row(
            testDescription: "LDAP", upgrade: upgradeLDAP,
            agreement: [
                ldapRequest, .send([0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00]),
            ],
            // The result protocolError.
            refusal: [ldapRequest, .send([0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x02, 0x04, 0x00, 0x04, 0x00])]),
        Row(
            testDescription: "LDAP, with lengths of five bytes", upgrade: upgradeLDAP,
            agreement: [
                ldapRequest,
                .send(
                    [0x30, 0x84, 0, 0, 0, 0x10, 0x02, 0x01, 0x01, 0x78, 0x84, 0, 0, 0, 0x07]
                        + [0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00]),
            ],
            refusal: [ldapRequest, .send([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x02])]),
        Row(
            testDescription: "XMPP", upgrade: upgradeXMPP,
            agreement: [
                xmppHeader,
                .send("<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"),
                xmppRequest, .send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            ],
            refusal: [
                xmppHeader, .send("<stream:stream><stream:features></stream:features>"),
                xmppRequest, .send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            ]),
        Row(
            testDescription: "XMPP, refused later", upgrade: upgradeXMPP,
            agreement: [
                xmppHeader,
                .send("<stream:stream><stream:features>"),
                .send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"),
                xmppRequest, .send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            ],
            refusal: [
                xmppHeader,
                .send("<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"),
                xmppRequest, .send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            ]),
    ]

    @Test(arguments: rows) func `become secure with a server that agrees`(_ row: Row) async throws {
        let server = ScriptedServer(steps: row.agreement, tls: self.server)
        let results = try await self.connect(server.serve) { plain in
            let socket = try await row.upgrade(plain, "localhost", self.client)
            try await socket.send("hello")
            let echo = try await socket.receive(exactly: 5, timeout: ScriptedServer.patience)
            #expect(socket.information.peerCertificate != nil)
            socket.close()
            return echo
        }
        #expect(try results.client.get() == ByteBuffer(string: "hello"))
        try results.server.get()
    }

    @Test(arguments: rows) func `verify the server`(_ row: Row) async throws {
        let server = ScriptedServer(steps: row.agreement, tls: self.server)
        let stranger = try TLSClientConfiguration(trust: DevelopmentAuthority().trust)
        let results = try await self.connect(server.serve) { try await row.upgrade($0, "localhost", stranger) }
        let error = #expect(throws: SecureSocketError.self) { try results.client.get() }
        #expect(error?.code == .certificateVerificationFailed)
    }

    @Test(arguments: rows) func `do not continue with a server that refuses`(_ row: Row) async throws {
        let server = ScriptedServer(steps: row.refusal, tls: self.server)
        let results = try await self.connect(server.serve) { try await row.upgrade($0, "localhost", self.client) }
        #expect(throws: UpgradeRefused.self) { try results.client.get() }
    }

    @Test(arguments: rows) func `refuse what an attacker adds to the server's agreement`(_ row: Row) async throws {
        let server = ScriptedServer(steps: row.agreement, tls: self.server).sending(also: Array("250 injected\r\n".utf8))
        let results = try await self.connect(server.serve) { try await row.upgrade($0, "localhost", self.client) }
        let error = #expect(throws: SecureSocketError.self) { try results.client.get() }
        #expect(error?.code == .protocolError)
        #expect(error?.message.contains("14 bytes of") == true, "\(String(describing: error))")
    }

    // MARK: The server of SMTP

    @Test func `are an SMTP server and its client`() async throws {
        let tls = self.server
        let results = try await self.connect {
            try await serveSMTP($0, tls: tls)
        } client: { plain in
            let socket = try await upgradeSMTP(plain, host: "localhost", tls: self.client)
            var replies: [String] = []
            // The server has forgotten the EHLO before the handshake, and does not offer STARTTLS again.
            for command in ["MAIL FROM:<a@client.example>", "EHLO client.example", "STARTTLS", "QUIT"] {
                try await socket.send("\(command)\r\n")
                let line = try await socket.receiveLine(timeout: ScriptedServer.patience)
                replies.append(line.map { String(buffer: $0) } ?? "")
            }
            socket.close()
            return replies
        }
        #expect(
            try results.client.get() == [
                "503 5.5.1 Send EHLO first", "250 mail.example", "502 5.5.1 Command not implemented", "221 2.0.0 Bye",
            ])
        try results.server.get()
    }

    @Test func `are an SMTP server that requires TLS`() async throws {
        let tls = self.server
        let results = try await self.connect {
            try await serveSMTP($0, tls: tls)
        } client: { plain in
            _ = try await plain.answer()
            try await plain.send("MAIL FROM:<a@client.example>\r\nQUIT\r\n")
            return [try await plain.answer(), try await plain.answer()]
        }
        #expect(try results.client.get() == ["530 5.7.0 Must issue a STARTTLS command first", "221 2.0.0 Bye"])
        try results.server.get()
    }

    @Test func `are an SMTP server that refuses commands behind STARTTLS, and does not answer them`() async throws {
        let tls = self.server
        let results = try await self.connect {
            try await serveSMTP($0, tls: tls)
        } client: { plain in
            _ = try await plain.answer()
            try await plain.send("STARTTLS\r\nEHLO attacker.example\r\nQUIT\r\n")
            let agreement = try await plain.answer()
            return (agreement, try await plain.receive(timeout: ScriptedServer.patience))
        }
        let (agreement, more) = try results.client.get()
        #expect(agreement == "220 2.0.0 Ready to start TLS")
        #expect(more == nil)
        let error = #expect(throws: SecureSocketError.self) { try results.server.get() }
        #expect(error?.code == .protocolError)
        #expect(error?.message.contains("29 bytes of") == true, "\(String(describing: error))")
    }

    // MARK: Listeners and relays

    @Test func `serve the clients of a load balancer, and no others`() async throws {
        for (balancers, isAdmitted) in [(Set(["127.0.0.1"]), true), (["192.0.2.7"], false)] {
            let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0)
            let tls = self.server
            let serving = Task { try await serve(behind: balancers, tls: tls, at: listener) }
            var greeting: ByteBuffer?
            do {
                // The connection may be reset before this side knows that it is established.
                let plain = try await PlainSocket.connect(
                    to: "127.0.0.1", port: listener.localEndpoint.port, timeout: ScriptedServer.patience)
                try await plain.send("PROXY TCP4 192.0.2.1 198.51.100.7 51234 443\r\n")
                let socket = try await plain.upgrade(tls: self.client, host: "localhost", timeout: ScriptedServer.patience)
                greeting = try await socket.receiveLine(timeout: ScriptedServer.patience)
                socket.close()
            } catch {
                #expect(!isAdmitted, "\(error)")
            }
            #expect(greeting == (isAdmitted ? ByteBuffer(string: "hello, 192.0.2.1") : nil))
            await listener.shutDown(deadline: ScriptedServer.patience)
            try await serving.value
        }
    }

    @Test func `end TLS in front of another server`() async throws {
        let backend = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        let serving = Task {
            try await backend.serve { socket in for try await bytes in socket.incoming { try await socket.send(bytes) } }
        }
        let tls = self.server
        let endpoint = backend.localEndpoint
        let results = try await self.connect {
            try await endTLS(of: $0, tls: tls, for: endpoint)
        } client: { plain in
            let socket = try await plain.upgrade(tls: self.client, host: "localhost", timeout: ScriptedServer.patience)
            try await socket.send("through the relay")
            let echo = try await socket.receive(exactly: 17, timeout: ScriptedServer.patience)
            try await socket.closeWriting()
            #expect(try await socket.receive(timeout: ScriptedServer.patience) == nil)
            socket.close()
            return echo
        }
        #expect(try results.client.get() == ByteBuffer(string: "through the relay"))
        let bytes = try results.server.get()
        #expect(bytes.sent == 17)
        #expect(bytes.received == 17)
        await backend.shutDown(deadline: ScriptedServer.patience)
        try await serving.value
    }
}
