import TLSEngine

/// A protocol other than TLS, recognized by the first bytes that a peer sends.
struct PlaintextProtocol: Equatable {
    /// A name for the bytes, for use in a sentence, for example `an SMTP greeting`.
    let name: String
    /// Advice for speaking TLS with such a peer.
    let advice: String?

    init(_ name: String, _ advice: String?) {
        self.name = name
        self.advice = advice
    }
}

// MARK: First bytes of servers, or their reply to a ClientHello

extension PlaintextProtocol {
    /// Recognizes a server. The ports for direct TLS are those of IANA's registry; for mail, RFC 8314 §3.
    static func server(_ bytes: [UInt8]) -> PlaintextProtocol? {
        func begins(with prefixes: String...) -> Bool { prefixes.contains { bytes.starts(with: $0.utf8) } }
        func upgrade(_ name: String, _ command: String, port: Int) -> PlaintextProtocol {
            PlaintextProtocol(
                name, "Here TLS begins only after \(command), which this connection does not send; direct TLS is port \(port)")
        }
        if begins(with: "HTTP/") { return PlaintextProtocol("a plain HTTP answer", "Use the port for HTTPS, usually 443") }
        if begins(with: "<html", "<HTML", "<!DOC", "<!doc") {
            return PlaintextProtocol("a web page without TLS", "Use the port for HTTPS, usually 443")
        }
        if begins(with: "SSH-") { return PlaintextProtocol("an SSH server's greeting", "Use an SSH client, or another port") }
        if Self.isReply(bytes, ["220", "421", "530", "554"]) { return self.mailOrFiles(bytes) }
        if begins(with: "+OK") { return upgrade("a POP3 greeting", "STLS", port: 995) }
        if begins(with: "* OK", "* PREA", "* BYE") { return upgrade("an IMAP greeting", "STARTTLS", port: 993) }
        if Self.isReply(bytes, ["200", "201", "400", "502"]) { return upgrade("an NNTP greeting", "STARTTLS", port: 563) }
        if begins(with: "<?xml", "<stre") { return upgrade("an XMPP stream", "STARTTLS", port: 5223) }
        if begins(with: "-ERR", "-NOAU", "-DENI") {
            return PlaintextProtocol("an error of a server without TLS, as Redis and POP3 send it", "Use the port for TLS")
        }
        if begins(with: "AMQP") { return PlaintextProtocol("an AMQP header", "Direct TLS for AMQP is port 5671") }
        if begins(with: "RFB 0") { return PlaintextProtocol("a VNC greeting", "Use a VNC client, or another port") }
        if self.isMySQL(bytes) {
            return PlaintextProtocol(
                "a MySQL greeting", "Here TLS begins only after the client has asked for it in the database's own protocol")
        }
        // An ErrorResponse: E, its length, and the field S (PostgreSQL, Frontend/Backend Protocol, Message Formats).
        if bytes.starts(with: [0x45, 0, 0]) {
            return PlaintextProtocol(
                "an error of PostgreSQL",
                "Here TLS begins only after an SSLRequest, or, from version 17 on, with the application protocol postgresql (ALPN)"
            )
        }
        // A message whose number is 0: the notice of disconnection (RFC 4511 §4.4.1).
        if bytes.count >= 5, bytes[0] == 0x30, bytes.dropFirst(2).starts(with: [2, 1, 0]) {
            return upgrade("an LDAP message", "StartTLS", port: 636)
        }
        // A SETTINGS frame (RFC 9113 §6.5): a length below 2^14, type 4, without the acknowledgement.
        if bytes.count >= 5, bytes[0] == 0, bytes[3] == 4, bytes[4] == 0 {
            return PlaintextProtocol("an HTTP/2 frame without TLS", "Use the port for HTTPS, usually 443")
        }
        return nil
    }

    /// Returns whether a line begins with one of these reply codes, followed by a space or by the hyphen of a multiline reply (RFC 5321
    /// §4.2).
    private static func isReply(_ bytes: [UInt8], _ codes: [String]) -> Bool {
        guard bytes.count >= 4, bytes[3] == UInt8(ascii: " ") || bytes[3] == UInt8(ascii: "-") else { return false }
        return codes.contains { $0.utf8.elementsEqual(bytes[..<3]) }
    }

    /// SMTP and FTP greetings begin with the same code.
    private static func mailOrFiles(_ bytes: [UInt8]) -> PlaintextProtocol {
        let upper = String(decoding: bytes, as: UTF8.self).uppercased()
        if upper.contains("FTP") {
            return PlaintextProtocol(
                "an FTP greeting",
                "Here TLS begins only after AUTH TLS, which this connection does not send; direct TLS is port 990")
        }
        if upper.contains("SMTP") || upper.contains("MAIL") {
            return PlaintextProtocol(
                "an SMTP greeting",
                "Here TLS begins only after STARTTLS, which this connection does not send; direct TLS is port 465")
        }
        return PlaintextProtocol(
            "a greeting of SMTP or FTP",
            "Here TLS begins only after STARTTLS (SMTP) or AUTH TLS (FTP), which this connection does not send; direct TLS is port 465 "
                + "for SMTP and 990 for FTP")
    }

    /// Returns whether the bytes are a first packet (number 0) with protocol version 10, or an error packet, below 64 KiB.
    private static func isMySQL(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 5, bytes[2] == 0, bytes[3] == 0 else { return false }
        return bytes[4] == 10 || bytes[4] == 0xff
    }
}

// MARK: First bytes of clients

extension PlaintextProtocol {
    static func client(_ bytes: [UInt8]) -> PlaintextProtocol? {
        func begins(with prefixes: String...) -> Bool { prefixes.contains { bytes.starts(with: $0.utf8) } }
        if begins(with: "PRI *") { return PlaintextProtocol("an HTTP/2 connection without TLS", "Use https:// there") }
        if begins(with: "CONNE") {
            return PlaintextProtocol(
                "a request to an HTTP proxy", "This port is a TLS server, not a proxy: take it out of the proxy settings")
        }
        if begins(with: "GET ", "HEAD ", "POST ", "PUT ", "DELET", "OPTIO", "PATCH", "TRACE", "PROPF") {
            return PlaintextProtocol("a plain HTTP request", "Use https:// there")
        }
        // https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt §2
        if begins(with: "PROXY") || bytes.starts(with: [13, 10, 13, 10, 0]) {
            return PlaintextProtocol(
                "a header of the PROXY protocol", "Turn the PROXY protocol off in the load balancer: it is not supported here")
        }
        if begins(with: "SSH-") {
            return PlaintextProtocol("an SSH client's greeting", "Connect to the SSH server's port, usually 22")
        }
        if begins(with: "EHLO ", "HELO ", "LHLO ") {
            return PlaintextProtocol("an SMTP command", "Set the client to TLS from the start, without STARTTLS")
        }
        if begins(with: "USER ", "CAPA", "AUTH ") {
            return PlaintextProtocol("a command without TLS, as of POP3 or FTP", "Set the client to TLS from the start")
        }
        if begins(with: "<?xml", "<stre") {
            return PlaintextProtocol("an XMPP stream", "Set the client to TLS from the start, without STARTTLS")
        }
        if begins(with: "*1\r\n$", "*2\r\n$", "*3\r\n$", "PING\r") {
            return PlaintextProtocol("a Redis command without TLS", "Set the client to TLS (rediss://)")
        }
        if begins(with: "AMQP") { return PlaintextProtocol("an AMQP header without TLS", "Set the client to TLS (amqps://)") }
        // A ClientHello of SSL 2.0, whose version is 2 (RFC 6176).
        if bytes.count >= 5, bytes[0] & 0x80 != 0, bytes[2] == 1, bytes[3] == 0, bytes[4] == 2 {
            return PlaintextProtocol(
                "a hello of SSL 2.0, which is prohibited", "The client must have TLS 1.2 or 1.3 (RFC 9325 §3.1.1)")
        }
        // SSLRequest and StartupMessage of version 3 (PostgreSQL, Frontend/Backend Protocol, Message Formats).
        if bytes.starts(with: [0, 0, 0, 8, 4])
            || (bytes.starts(with: [0, 0]) && bytes.dropFirst(4).starts(with: [0, 3, 0, 0]))
        {
            return PlaintextProtocol("a PostgreSQL client's request", "Set the client to direct TLS (sslnegotiation=direct)")
        }
        // A TPKT header (RFC 1006 §6), which the Remote Desktop Protocol begins with.
        if bytes.starts(with: [3, 0, 0]) { return PlaintextProtocol("a Remote Desktop client's request", nil) }
        return nil
    }
}

// MARK: Quoting

extension PlaintextProtocol {
    /// Returns the first line of the bytes, escaped and in quotation marks; in hexadecimal if it is not text.
    static func quoted(_ bytes: [UInt8]) -> String {
        let line = bytes.prefix { $0 != 13 && $0 != 10 }
        let isText = !line.isEmpty && line.allSatisfy { $0 >= 0x20 || $0 == 9 } && line.first.map { $0 < 0x80 } ?? false
        if isText {
            let isCut = line.count == TLSFailure.Explanation.longestPlaintext
            return "\"\(String(decoding: line, as: UTF8.self).escapedForDisplay)\(isCut ? "…" : "")\""
        }
        let shown = bytes.prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return shown.joined(separator: " ") + (bytes.count > 16 ? " …" : "")
    }
}

extension FailureMessage {
    /// Describes what a peer sent in place of TLS.
    ///
    /// - Parameter bytes: The first bytes that had arrived, at most `TLSFailure.Explanation.longestPlaintext`.
    init(plaintext bytes: [UInt8], _ role: TLSSettings.Role) {
        let found = role == .client ? PlaintextProtocol.server(bytes) : PlaintextProtocol.client(bytes)
        let quotation = PlaintextProtocol.quoted(bytes)
        guard let found else {
            self.init(
                "it does not speak TLS on this port: it sent \(quotation)",
                role == .client
                    ? "Check the port, and that the server has TLS turned on there" : "Check what connects to this port")
            return
        }
        self.init("it does not speak TLS on this port: it sent \(found.name), \(quotation)", found.advice)
    }
}
