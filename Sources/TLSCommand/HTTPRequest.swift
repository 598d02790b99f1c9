import NIOCore

/// An HTTP/1 request (RFC 9112 §3) at the start of a stream, so that a browser or curl can connect to an echo server.
struct HTTPRequest: Equatable {
    var isHead: Bool

    /// The result of examining the first bytes of a stream.
    enum Verdict: Equatable {
        /// There are too few bytes to decide.
        case undecided
        /// The first line is a request line, and the end of the head has not arrived.
        case headUnderWay
        case request(HTTPRequest)
        case somethingElse
    }

    private static let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
    private static let longestLine = 8 << 10
    private static let longestHead = 64 << 10

    static func verdict(on bytes: ByteBuffer) -> Verdict {
        let view = bytes.readableBytesView
        guard let newline = view.firstIndex(of: UInt8(ascii: "\n")) else {
            let mayBe = view.count < self.longestLine && self.methods.contains { Self.agree(view, $0.utf8 + [UInt8(ascii: " ")]) }
            return mayBe ? .undecided : .somethingElse
        }
        let line = String(decoding: view[..<newline], as: UTF8.self)
        let words = (line.last == "\r" ? line.dropLast() : line[...]).split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, self.methods.contains(String(words[0])), ["HTTP/1.0", "HTTP/1.1"].contains(words[2]) else {
            return .somethingElse
        }
        let isComplete = self.hasEmptyLine(view[newline...])
        return isComplete || view.count > self.longestHead
            ? .request(HTTPRequest(isHead: words[0] == "HEAD")) : .headUnderWay
    }

    /// Returns whether one is a prefix of the other.
    private static func agree(_ bytes: ByteBufferView, _ word: [UInt8]) -> Bool {
        zip(bytes, word).allSatisfy { $0 == $1 }
    }

    /// Returns whether an empty line follows. `rest` begins at the end of the first line.
    private static func hasEmptyLine(_ rest: ByteBufferView) -> Bool {
        var last: UInt8 = 0
        for byte in rest where byte != UInt8(ascii: "\r") {
            if byte == UInt8(ascii: "\n"), last == UInt8(ascii: "\n") { return true }
            last = byte
        }
        return false
    }

    /// Returns a complete response, after which the connection ends.
    func answer(_ text: String) -> ByteBuffer {
        ByteBuffer(
            string: "HTTP/1.1 200 OK\r\n"
                + "Content-Type: text/plain; charset=utf-8\r\n"
                + "Content-Length: \(text.utf8.count)\r\n"
                + "Connection: close\r\n"
                + "\r\n"
                + (self.isHead ? "" : text))
    }
}
