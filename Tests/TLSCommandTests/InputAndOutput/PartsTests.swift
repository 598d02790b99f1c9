import Foundation
import NIOCore
import SecureSockets
import Testing

@testable import TLSCommand

@Suite struct `The tool's parts` {
    @Test(arguments: [
        ("", HTTPRequest.Verdict.undecided),
        ("G", .undecided),
        ("GET", .undecided),
        ("GET /", .undecided),
        ("GE7", .somethingElse),
        ("hello", .somethingElse),
        ("\n", .somethingElse),
        ("GETTING\n", .somethingElse),
        ("GET / HTTP/2\r\n", .somethingElse),
        ("GET  / HTTP/1.1\r\n", .somethingElse),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .somethingElse),
        ("GET / HTTP/1.1\r\n", .headUnderWay),
        ("GET / HTTP/1.1\r\nHost: a\r\n", .headUnderWay),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", .request(HTTPRequest(isHead: false))),
        ("GET / HTTP/1.0\n\n", .request(HTTPRequest(isHead: false))),
        ("HEAD /x HTTP/1.1\r\n\r\n", .request(HTTPRequest(isHead: true))),
        ("POST / HTTP/1.1\r\n\r\nbody", .request(HTTPRequest(isHead: false))),
    ]) func `a stream is recognised by its first bytes`(text: String, verdict: HTTPRequest.Verdict) {
        #expect(HTTPRequest.verdict(on: ByteBuffer(string: text)) == verdict)
    }

    @Test func `a first line without end is no request`() {
        let text = "GET /" + String(repeating: "a", count: 10_000)
        #expect(HTTPRequest.verdict(on: ByteBuffer(string: text)) == .somethingElse)
    }

    @Test(arguments: [1, 2, 5, 100]) func `lines are the same however their bytes arrive`(size: Int) throws {
        let bytes = Array("one\n\ntwo words\nrest".utf8)
        var splitter = LineSplitter(limit: 9)
        var lines: [String] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            splitter.append(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]))
            while let line = try splitter.next() { lines.append(String(buffer: line)) }
        }
        #expect(lines == ["one", "", "two words"])
        #expect(splitter.rest().map { String(buffer: $0) } == "rest")
        #expect(splitter.rest() == nil)
    }

    @Test(arguments: ["0123456789", "0123456789\n"]) func `a line above the limit is refused with and without its end`(
        text: String
    ) {
        var splitter = LineSplitter(limit: 9)
        splitter.append(ByteBuffer(string: text))
        #expect(throws: ToolError.lineTooLong(limit: 9)) { try splitter.next() }
    }

    @Test func `host and port are told apart`() throws {
        let name = try HostAndPort("example.org:443")
        #expect(name.host == "example.org")
        #expect(name.port == 443)
        #expect(try HostAndPort("[::1]:8443").host == "::1")
        #expect(try HostAndPort("[fe80::1%some-link]:8443").host == "fe80::1%some-link")
        for text in [
            "", "a", ":1", "[]:1", "[::1]", "::1", "a:b", "a:65536", "https://a:1", "[a]:1", "a b:1", "ä.example:1", "a..b:1",
        ] {
            #expect(throws: (any Error).self, "\(text)") { try HostAndPort(text) }
        }
    }

    /// A report with text of a peer's.
    private struct Quote: Report {
        static let event = "quote"
        var quoted: String
        var text: String { self.quoted }
    }

    @Test func `JSON has no raw character that a terminal acts on, and decodes to the same text`() throws {
        let quote = Quote(quoted: "a\u{1b}\n\u{9b}2J\u{202e}\u{2028}\u{e0001}z ü 世界")
        let line = try OutputStyle.json.line(for: quote)
        #expect(
            line == #"{"event":"quote","quoted":"a\u001b\n\u009b2J\u202e\u2028\udb40\udc01z ü 世界"}"#)
        struct Decoded: Decodable { var quoted: String }
        #expect(try JSONDecoder().decode(Decoded.self, from: Data(line.utf8)).quoted == quote.quoted)
    }

    @Test func `a shell takes a quoted word as it was`() {
        #expect(ShellWord.quoted("/tmp/a-b_c.pem") == "/tmp/a-b_c.pem")
        #expect(ShellWord.quoted("it's") == #"'it'\''s'"#)
        #expect(ShellWord.quoted("") == "''")
    }

    @Test func `reading an input ends with it, and with the task that reads`() async throws {
        let pipe = Pipe()
        let chunks = InputChunks(pipe.fileHandleForReading.fileDescriptor, name: "a pipe")
        let reading = Task {
            var text = ""
            for try await chunk in chunks { text += String(buffer: chunk) }
            return text
        }
        // Nothing comes, and nothing will.
        reading.cancel()
        #expect(try await reading.value == "")

        let other = Pipe()
        try other.fileHandleForWriting.write(contentsOf: Data("all of it".utf8))
        try other.fileHandleForWriting.close()
        var text = ""
        for try await chunk in InputChunks(other.fileHandleForReading.fileDescriptor, name: "a pipe", size: 4) {
            text += String(buffer: chunk)
        }
        #expect(text == "all of it")
        try pipe.fileHandleForWriting.close()
    }

    @Test func `an error is told in one line that ends with a full stop`() throws {
        let error = ToolError(code: "code", message: "what happened", advice: "What to do", status: .configuration)
        let report = try #require(ErrorReport(describing: error))
        #expect(report.text == "tls: what happened. What to do.")
        #expect(
            try OutputStyle.json.line(for: report)
                == #"{"advice":"What to do","code":"code","event":"error","exitStatus":2,"message":"what happened"}"#)
    }
}
