import NIOCore
import SecureSockets
import TLSEngine

/// A protocol whose plain connection becomes secure by agreement, and the client's part of that agreement.
///
/// Every answer is read within a bound, and nothing behind it: bytes that a server sends before the handshake make the upgrade fail
/// (``PlainSocket/upgrade(tls:host:socketOptions:timeout:)``), so that nothing plain is taken for secure (CVE-2011-0411).
enum StartTLS: String, CaseIterable, Sendable {
    /// RFC 3207.
    case smtp
    /// RFC 9051 §6.2.1.
    case imap
    /// RFC 2595 §4.
    case pop3
    /// RFC 4511 §4.14.
    case ldap
    /// RFC 6120 §5.
    case xmpp
    /// The `SSLRequest` of PostgreSQL's protocol.
    case postgresql
    /// The `SSLRequest` packet of MySQL's protocol.
    case mysql

    private static let longestLine = 4096
    private static let mostLines = 100
    private static let longestXML = 16 << 10

    /// Reaches the point at which the handshake begins.
    ///
    /// - Parameters:
    ///   - host: The server's name, which XMPP sends.
    ///   - timeout: The time limit for each answer.
    func agree(over socket: PlainSocket, host: String, timeout: Duration) async throws {
        let dialogue = Dialogue(name: self.rawValue, socket: socket, timeout: timeout)
        switch self {
        case .smtp:
            _ = try await dialogue.reply("220")
            try await socket.send("EHLO localhost\r\n")
            guard try await dialogue.reply("250").contains(where: { $0.dropFirst(4).uppercased() == "STARTTLS" }) else {
                throw dialogue.notOffered
            }
            try await socket.send("STARTTLS\r\n")
            _ = try await dialogue.reply("220")
        case .imap:
            try await dialogue.expect("* OK")
            try await socket.send("a1 STARTTLS\r\n")
            try await dialogue.expect("a1 OK", after: { $0.hasPrefix("* ") })
        case .pop3:
            try await dialogue.expect("+OK")
            try await socket.send("STLS\r\n")
            try await dialogue.expect("+OK")
        case .ldap: try await dialogue.extendedRequest()
        case .xmpp: try await dialogue.openStream(to: host)
        case .postgresql:
            try await socket.send([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f] as [UInt8])
            let answer = try await socket.receive(exactly: 1, timeout: timeout)
            switch answer.readableBytesView.first {
            case UInt8(ascii: "S"): break
            case UInt8(ascii: "N"): throw dialogue.notOffered
            case UInt8(ascii: "E"): throw dialogue.refused("an error message instead of the answer to the request for TLS")
            default: throw dialogue.unexpected(String(buffer: answer))
            }
        case .mysql: try await dialogue.requestSSL()
        }
    }

    /// The dialogue before the handshake.
    private struct Dialogue {
        let name: String
        let socket: PlainSocket
        let timeout: Duration

        var notOffered: ToolError {
            ToolError(
                code: "tlsNotOffered", message: "the server does not offer TLS for \(self.name)",
                advice: "Enable TLS in the server's configuration, or connect to a port where TLS begins at once",
                status: .failure)
        }

        /// - Parameter answer: The server's answer, or what it is.
        func refused(_ answer: String) -> ToolError {
            ToolError(
                code: "tlsRefused", message: "the server refuses: \"\(answer.abbreviated)\"",
                advice: "The server's log may have the reason", status: .failure)
        }

        private var ended: ToolError {
            ToolError(
                code: "unexpectedAnswer", message: "the server ended the connection before \(self.name) had agreed on TLS",
                advice: "Does this port speak \(self.name)? The server's log may have the reason", status: .failure)
        }

        func unexpected(_ answer: String) -> ToolError {
            ToolError(
                code: "unexpectedAnswer",
                message: "the server answered \"\(answer.abbreviated)\", which is not what \(self.name) expects",
                advice: "Does this port speak \(self.name)?", status: .failure)
        }

        private func line() async throws -> String {
            guard let line = try await self.socket.receiveLine(maximumLength: StartTLS.longestLine, timeout: self.timeout) else {
                throw self.ended
            }
            return String(buffer: line)
        }

        /// Receives a reply of one or several lines (RFC 5321 §4.2).
        func reply(_ code: String) async throws -> [String] {
            var lines: [String] = []
            while lines.count < StartTLS.mostLines {
                let line = try await self.line()
                guard line.hasPrefix(code) else {
                    throw line.hasPrefix("5") || line.hasPrefix("4") ? self.refused(line) : self.unexpected(line)
                }
                lines.append(line)
                if line.dropFirst(3).first != "-" { return lines }
            }
            throw self.unexpected(lines.last ?? "")
        }

        /// Receives a line that begins so, and those before it that may be skipped.
        func expect(_ beginning: String, after mayBeSkipped: (String) -> Bool = { _ in false }) async throws {
            for _ in 0..<StartTLS.mostLines {
                let line = try await self.line()
                if line.hasPrefix(beginning) { return }
                guard mayBeSkipped(line) else {
                    let word = line.split(separator: " ").prefix(2).last
                    let isRefusal = word.map { ["NO", "BAD", "BYE"].contains($0.uppercased()) } ?? false
                    throw isRefusal || line.hasPrefix("-ERR") ? self.refused(line) : self.unexpected(line)
                }
            }
            throw self.unexpected("")
        }

        /// Sends the extended request StartTLS, and receives its response.
        func extendedRequest() async throws {
            let name = Array("1.3.6.1.4.1.1466.20037".utf8)
            try await self.socket.send([0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, UInt8(name.count)] + name)
            let head = Array(try await self.socket.receive(exactly: 2, timeout: self.timeout).readableBytesView)
            guard head[0] == 0x30 else { throw self.unexpected("bytes that are no LDAP message") }
            var length = Int(head[1])
            if length > 127 {
                guard length == 0x81 || length == 0x82 else { throw self.unexpected("an LDAP message that is too long") }
                length = try await self.socket.receive(exactly: length - 0x80, timeout: self.timeout).readableBytesView
                    .reduce(0) { $0 << 8 | Int($1) }
            }
            guard (5...StartTLS.longestLine).contains(length) else { throw self.unexpected("an LDAP message that is too long") }
            let message = Array(try await self.socket.receive(exactly: length, timeout: self.timeout).readableBytesView)
            // The message's number, the extended response, and in it the result.
            guard message.starts(with: [0x02, 0x01, 0x01, 0x78]),
                let result = message.dropFirst(4).firstIndex(of: 0x0a), result + 2 < message.count, message[result + 1] == 1
            else { throw self.unexpected("an LDAP message of another kind") }
            guard message[result + 2] == 0 else { throw self.notOffered }
        }

        /// Opens a stream, requests TLS, and receives the agreement.
        func openStream(to host: String) async throws {
            try await self.socket.send(
                "<?xml version='1.0'?><stream:stream to='\(host)' xmlns='jabber:client' "
                    + "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>")
            let features = try await self.xml(upTo: "</stream:features>")
            guard features.contains("urn:ietf:params:xml:ns:xmpp-tls") else { throw self.notOffered }
            try await self.socket.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            let answer = try await self.xml(upTo: ">")
            guard answer.contains("<proceed") else { throw self.notOffered }
        }

        /// Receives one byte after the other, so that nothing behind the end is taken.
        private func xml(upTo end: String) async throws -> String {
            var text = ""
            while !text.hasSuffix(end) {
                text += String(buffer: try await self.socket.receive(exactly: 1, timeout: self.timeout))
                if text.utf8.count > StartTLS.longestXML { throw self.unexpected("too much XML") }
            }
            return text
        }

        /// Receives the server's greeting and requests TLS.
        func requestSSL() async throws {
            let head = Array(try await self.socket.receive(exactly: 4, timeout: self.timeout).readableBytesView)
            let length = Int(head[0]) | Int(head[1]) << 8 | Int(head[2]) << 16
            guard (1...StartTLS.longestLine).contains(length) else { throw self.unexpected("a packet of \(length) bytes") }
            let greeting = Array(try await self.socket.receive(exactly: length, timeout: self.timeout).readableBytesView)
            if greeting[0] == 0xff { throw self.refused(String(decoding: greeting.dropFirst(3), as: UTF8.self)) }
            // Version 10, the server's version, a number, 8 bytes and a zero; then the lower capabilities.
            guard greeting[0] == 10, let end = greeting.dropFirst().firstIndex(of: 0), end + 15 < greeting.count else {
                throw self.unexpected("a greeting of another version")
            }
            let capabilities = Int(greeting[end + 14]) | Int(greeting[end + 15]) << 8
            guard capabilities & 0x0800 != 0 else { throw self.notOffered }
            // Protocol 4.1, SSL and secure authentication; packets of 16 MiB; UTF-8.
            let request: [UInt8] = [0x20, 0, 0, 1, 0x00, 0x8a, 0, 0, 0, 0, 0, 1, 0x21] + Array(repeating: 0, count: 23)
            try await self.socket.send(request)
        }
    }
}

extension String {
    fileprivate var abbreviated: String { String(self.escapedForDisplay.prefix(80)) }
}
