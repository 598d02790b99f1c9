import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

@testable import TLSCommand

/// `tls connect --starttls`, with servers that speak the first lines of each protocol.
@Suite(.timeLimit(.minutes(5))) struct `tls connect --starttls` {
    private let folder: TemporaryDirectory
    private let authority: String
    private let tls: TLSServerConfiguration

    init() throws {
        let authority = try DevelopmentAuthority()
        self.folder = try TemporaryDirectory()
        self.authority = try self.folder.write(authority.certificatePEM, to: "ca.pem")
        self.tls = try TLSServerConfiguration(identity: authority.server().identity)
    }

    /// A server's part of a dialogue: what it sends, and what it must receive.
    enum Step: Sendable {
        case send([UInt8])
        case receive([UInt8])

        static func send(_ text: String) -> Step { .send(Array(text.utf8)) }
        static func receive(_ text: String) -> Step { .receive(Array(text.utf8)) }
    }

    private static let mysqlGreeting: [UInt8] =
        [44, 0, 0, 0, 10] + Array("8.0.0".utf8) + [0, 1, 0, 0, 0] + Array(repeating: 7, count: 8) + [0, 0xff, 0xff]
        + Array(repeating: 0, count: 22)

    /// Performs a server's part, and then becomes secure and echoes, if the client wants.
    private func serve(_ steps: [Step], _ body: (String) async throws -> Void) async throws {
        let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        let tls = self.tls
        let serving = Task {
            try await listener.serve { plain in
                for step in steps {
                    switch step {
                    case .send(let bytes): try await plain.send(bytes)
                    case .receive(let bytes):
                        let received = try await plain.receive(exactly: bytes.count)
                        guard Array(received.readableBytesView) == bytes else { throw CancellationError() }
                    }
                }
                let socket = try await plain.upgrade(tls: tls)
                for try await bytes in socket.incoming { try await socket.send(bytes) }
            }
        }
        try await body("127.0.0.1:\(listener.localEndpoint.port)")
        listener.close()
        try await serving.value
    }

    static let dialogues: [(String, [Step])] = [
        (
            "smtp",
            [
                .send("220-one\r\n220 two\r\n"), .receive("EHLO localhost\r\n"),
                .send("250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n"),
                .receive("STARTTLS\r\n"), .send("220 go ahead\r\n"),
            ]
        ),
        ("imap", [.send("* OK hello\r\n"), .receive("a1 STARTTLS\r\n"), .send("* NOTE 1\r\na1 OK begin\r\n")]),
        ("pop3", [.send("+OK hello\r\n"), .receive("STLS\r\n"), .send("+OK begin\r\n")]),
        (
            "ldap",
            [
                .receive([0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 22] + Array("1.3.6.1.4.1.1466.20037".utf8)),
                .send([0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00]),
            ]
        ),
        (
            "xmpp",
            [
                .receive(
                    "<?xml version='1.0'?><stream:stream to='127.0.0.1' xmlns='jabber:client' "
                        + "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"),
                .send("<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"),
                .receive("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
                .send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            ]
        ),
        ("postgresql", [.receive([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]), .send("S")]),
        (
            "mysql",
            [
                .send(mysqlGreeting),
                .receive([0x20, 0, 0, 1, 0x00, 0x8a, 0, 0, 0, 0, 0, 1, 0x21] + Array(repeating: 0, count: 23)),
            ]
        ),
    ]

    @Test(arguments: StartTLS.allCases.map(\.rawValue))
    func `agrees with a server, and verifies it`(_ name: String) async throws {
        let steps = try #require(Self.dialogues.first { $0.0 == name }).1
        try await self.serve(steps) { address in
            let outcome = try await Tool.run(
                "connect", address, "--starttls", name, "--ca", self.authority, "--info", input: "hello")
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output == "hello")
            #expect(outcome.errors.contains("TLS 1.3"))
        }
    }

    private static let refusals: [(name: String, steps: [Step], message: String)] = [
        (
            "smtp", [.send("220 one\r\n"), .receive("EHLO localhost\r\n"), .send("250 SIZE 1\r\n")],
            "the server does not offer TLS for smtp"
        ),
        ("smtp", [.send("554 blocked\r\n")], "the server refuses: \"554 blocked\""),
        (
            "smtp",
            [
                .send("220 one\r\n"), .receive("EHLO localhost\r\n"), .send("250 STARTTLS\r\n"), .receive("STARTTLS\r\n"),
                .send("454 4.7.0 not now\r\n"),
            ], "the server refuses: \"454 4.7.0 not now\""
        ),
        (
            "imap", [.send("* OK hello\r\n"), .receive("a1 STARTTLS\r\n"), .send("a1 BAD no\r\n")],
            "the server refuses: \"a1 BAD no\""
        ),
        ("imap", [.send("* BYE overloaded\r\n")], "the server refuses: \"* BYE overloaded\""),
        ("imap", [.send("* NOTE: not this protocol\r\n")], "Does this port speak imap?"),
        ("pop3", [.send("+OK hello\r\n"), .receive("STLS\r\n"), .send("-ERR no\r\n")], "the server refuses: \"-ERR no\""),
        (
            "postgresql", [.receive([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]), .send("N")],
            "the server does not offer TLS for postgresql"
        ),
        ("postgresql", [.receive([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]), .send("E")], "the server refuses: \"an error message"),
        ("postgresql", [.receive([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]), .send([0x15])], "Does this port speak postgresql?"),
        ("mysql", [.send([13, 0, 0, 0, 0xff, 0x10, 0x04] + Array("Too many..".utf8))], "the server refuses: \"Too many..\""),
    ]

    @Test(arguments: refusals.indices) func `tells a server that does not offer it from one that refuses`(
        _ index: Int
    ) async throws {
        let (name, steps, message) = Self.refusals[index]
        try await self.serve(steps) { address in
            let outcome = try await Tool.run("connect", address, "--starttls", name, "--ca", self.authority)
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains(message), "\(outcome.errors)")
        }
    }

    @Test func `says that the server has ended the connection`() async throws {
        let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0)
        let serving = Task { try await listener.serve { try await $0.send("220 one\r\n") } }
        let address = "127.0.0.1:\(listener.localEndpoint.port)"
        let outcome = try await Tool.run("connect", address, "--starttls", "smtp", "--ca", self.authority)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("the server ended the connection before smtp had agreed on TLS"), "\(outcome.errors)")
        listener.close()
        try await serving.value
    }

    @Test func `is not combined with a second connection`() async throws {
        let outcome = try await Tool.run("connect", "127.0.0.1:1", "--starttls", "smtp", "--retry-without-mlkem")
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains("--retry-without-mlkem"))
    }

    @Test func `refuses what an attacker adds to the server's agreement`() async throws {
        try await self.serve([.send("+OK hello\r\n"), .receive("STLS\r\n"), .send("+OK begin\r\n+OK injected\r\n")]) { address in
            let outcome = try await Tool.run("connect", address, "--starttls", "pop3", "--ca", self.authority)
            #expect(outcome.status != 0)
            #expect(outcome.errors.contains("arrived before the handshake"), "\(outcome.errors)")
        }
    }

    @Test func `says that the port speaks another protocol`() async throws {
        try await self.serve([.send("SSH-2.0-OpenSSH\r\n")]) { address in
            let outcome = try await Tool.run("connect", address, "--starttls", "smtp", "--ca", self.authority)
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("Does this port speak smtp?"), "\(outcome.errors)")
        }
    }
}
