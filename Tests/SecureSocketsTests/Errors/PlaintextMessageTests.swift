import NIOCore
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// Messages about peers that speak another protocol than TLS.
@Suite struct `Messages about protocols other than TLS` {
    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    /// What a client says of a server that sends these bytes, and of nothing else.
    private func client(_ bytes: [UInt8], inPiecesOf length: Int = .max) throws -> SecureSocketError {
        let engine = try TLSEngine(client: self.certificates.clientConfiguration().context, serverName: nil, expecting: nil)
        #expect(engine.handshake() == .waiting)
        return try self.failure(of: engine, .client, bytes, inPiecesOf: length)
    }

    private func server(_ bytes: [UInt8], inPiecesOf length: Int = .max) throws -> SecureSocketError {
        try self.failure(
            of: TLSEngine(server: self.certificates.serverConfiguration().context), .server, bytes, inPiecesOf: length)
    }

    private func failure(
        of engine: TLSEngine, _ role: TLSSettings.Role, _ bytes: [UInt8], inPiecesOf length: Int
    ) throws -> SecureSocketError {
        var rest = bytes[...]
        while !rest.isEmpty {
            engine.receive(ByteBuffer(bytes: rest.prefix(length)))
            rest = rest.dropFirst(length)
            if case .failed(let failure) = engine.handshake() {
                return SecureSocketError(failure, role: role, step: .handshake, peer: "PEER")
            }
        }
        return try #require(nil, "nothing is wrong with \(bytes)")
    }

    private static let direct = "which this connection does not send; direct TLS is port"
    private static let notTLS = "PEER: it does not speak TLS on this port: it sent"

    @Test(arguments: [
        (
            "220 mail.example ESMTP Postfix\r\n",
            #"an SMTP greeting, "220 mail.example ESMTP Postfix". Here TLS begins only after STARTTLS, \#(direct) 465"#
        ),
        (
            "220 ProFTPD Server ready.\r\n",
            #"an FTP greeting, "220 ProFTPD Server ready.". Here TLS begins only after AUTH TLS, \#(direct) 990"#
        ),
        (
            "220-example.org\r\n220 ready\r\n",
            #"a greeting of SMTP or FTP, "220-example.org". Here TLS begins only after STARTTLS (SMTP) or AUTH TLS (FTP), \#(direct) "#
                + "465 for SMTP and 990 for FTP"
        ),
        ("+OK POP3 ready\r\n", #"a POP3 greeting, "+OK POP3 ready". Here TLS begins only after STLS, \#(direct) 995"#),
        (
            "* OK [CAPABILITY IMAP4rev1] ready\r\n",
            #"an IMAP greeting, "* OK [CAPABILITY IMAP4rev1] ready". Here TLS begins only after STARTTLS, \#(direct) 993"#
        ),
        ("200 news.example\r\n", #"an NNTP greeting, "200 news.example". Here TLS begins only after STARTTLS, \#(direct) 563"#),
        (
            "<?xml version='1.0'?><stream:stream id='1'>",
            #"an XMPP stream, "<?xml version='1.0'?><stream:stream id='1'>". Here TLS begins only after STARTTLS, \#(direct) 5223"#
        ),
        (
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            #"a plain HTTP answer, "HTTP/1.1 400 Bad Request". Use the port for HTTPS, usually 443"#
        ),
        (
            "<html><body>400</body></html>",
            #"a web page without TLS, "<html><body>400</body></html>". Use the port for HTTPS, usually 443"#
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", #"an SSH server's greeting, "SSH-2.0-OpenSSH_9.2". Use an SSH client, or another port"#),
        (
            "-ERR unknown command\r\n",
            #"an error of a server without TLS, as Redis and POP3 send it, "-ERR unknown command". Use the port for TLS"#
        ),
        ("RFB 003.008\n", #"a VNC greeting, "RFB 003.008". Use a VNC client, or another port"#),
        (
            "J\0\0\0\u{a}8.0.36\0",
            "a MySQL greeting, 4a 00 00 00 0a 38 2e 30 2e 33 36 00. Here TLS begins only after the client has asked for it in the "
                + "database's own protocol"
        ),
        (
            "E\0\0\0\u{8}SFATAL\0\0",
            "an error of PostgreSQL, 45 00 00 00 08 53 46 41 54 41 4c 00 00. Here TLS begins only after an SSLRequest, or, from version "
                + "17 on, with the application protocol postgresql (ALPN)"
        ),
        ("AMQP\0\0\u{9}\u{1}", "an AMQP header, 41 4d 51 50 00 00 09 01. Direct TLS for AMQP is port 5671"),
        (
            "0\u{c}\u{2}\u{1}\0x\u{7}",
            "an LDAP message, 30 0c 02 01 00 78 07. Here TLS begins only after StartTLS, \(direct) 636"
        ),
        (
            "\0\0\u{12}\u{4}\0\0\0\0\0",
            "an HTTP/2 frame without TLS, 00 00 12 04 00 00 00 00 00. Use the port for HTTPS, usually 443"
        ),
    ]) func `a server's first bytes are quoted and named`(_ sent: String, _ text: String) throws {
        let error = try self.client(Array(sent.utf8))
        #expect(error.description == "\(Self.notTLS) \(text)")
        #expect(error.code == .protocolError)
        #expect(error.libraryReason == "WRONG_VERSION_NUMBER")
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", #"a plain HTTP request, "GET / HTTP/1.1". Use https:// there"#),
        ("DELETE /a HTTP/1.1\r\n\r\n", #"a plain HTTP request, "DELETE /a HTTP/1.1". Use https:// there"#),
        (
            "CONNECT a:443 HTTP/1.1\r\n\r\n",
            #"a request to an HTTP proxy, "CONNECT a:443 HTTP/1.1". This port is a TLS server, not a proxy: take it out of the proxy "#
                + "settings"
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", #"an HTTP/2 connection without TLS, "PRI * HTTP/2.0". Use https:// there"#),
        (
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            #"a header of the PROXY protocol, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2". Turn the PROXY protocol off in the load balancer: "#
                + "it is not supported here"
        ),
        (
            "\r\n\r\n\0\r\nQUIT\n!",
            "a header of the PROXY protocol, 0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a 21. Turn the PROXY protocol off in the load balancer: "
                + "it is not supported here"
        ),
        ("SSH-2.0-libssh\r\n", #"an SSH client's greeting, "SSH-2.0-libssh". Connect to the SSH server's port, usually 22"#),
        (
            "EHLO mail.example\r\n",
            #"an SMTP command, "EHLO mail.example". Set the client to TLS from the start, without STARTTLS"#
        ),
        ("USER anna\r\n", #"a command without TLS, as of POP3 or FTP, "USER anna". Set the client to TLS from the start"#),
        ("*1\r\n$4\r\nPING\r\n", #"a Redis command without TLS, "*1". Set the client to TLS (rediss://)"#),
        (
            "\0\0\0\u{8}\u{4}",
            "a PostgreSQL client's request, 00 00 00 08 04. Set the client to direct TLS (sslnegotiation=direct)"
        ),
    ]) func `a client's first bytes are quoted and named`(_ sent: String, _ text: String) throws {
        #expect(try self.server(Array(sent.utf8)).description == "\(Self.notTLS) \(text)")
    }

    @Test func `an SSL 2_0 hello is named`() throws {
        #expect(
            try self.server([0x80, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16]).description
                == "\(Self.notTLS) a hello of SSL 2.0, which is prohibited, 80 2e 01 00 02 00 15 00 00 00 10. "
                + "The client must have TLS 1.2 or 1.3 (RFC 9325 §3.1.1)")
    }

    @Test func `what is not recognized is quoted all the same`() throws {
        #expect(
            try self.client(Array("hello there\n".utf8)).description
                == "\(Self.notTLS) \"hello there\". Check the port, and that the server has TLS turned on there")
        #expect(
            try self.server([UInt8](repeating: 0, count: 64)).description
                == "\(Self.notTLS) \([String](repeating: "00", count: 16).joined(separator: " ")) …. Check what connects to this port"
        )
    }

    @Test func `at most 64 bytes are quoted, and control characters are escaped`() throws {
        let long = try self.client(Array(("220 " + String(repeating: "x", count: 1000)).utf8))
        #expect(long.message.contains("\"220 " + String(repeating: "x", count: 60) + "…\""))
        let hostile = try self.client(Array("220 a\u{202e}b\u{9b}2J\r\n".utf8))
        #expect(hostile.message.contains(#""220 a\u{202e}b\u{9b}2J""#))
        #expect(hostile.description.unicodeScalars.allSatisfy { !$0.isUnsafeForDisplay })
    }

    @Test func `five bytes are enough`() throws {
        #expect(try self.client(Array("* OK ready".utf8), inPiecesOf: 1).message == "\(Self.notTLS) an IMAP greeting, \"* OK \"")
        #expect(
            try self.server(Array("GET / HTTP".utf8), inPiecesOf: 1).message == "\(Self.notTLS) a plain HTTP request, \"GET /\"")
    }

    @Test func `a record of TLS with a wrong version is not called plaintext`() throws {
        // After the ServerHello of TLS 1.3 the version of records is fixed (RFC 8446 §5.1).
        let server = try TLSEngine(server: self.certificates.serverConfiguration().context)
        let client = try TLSEngine(client: self.certificates.clientConfiguration().context, serverName: nil, expecting: nil)
        _ = client.handshake()
        server.receive(try #require(client.takeOutput()))
        _ = server.handshake()
        let error = try self.failure(of: server, .server, [23, 3, 1, 0, 1, 0], inPiecesOf: .max)
        #expect(error.libraryReason == "WRONG_VERSION_NUMBER")
        #expect(
            error.message
                == "PEER: it sent something that is not a TLS record of the version that was chosen (WRONG_VERSION_NUMBER)")
    }
}
