internal import TLSEngine

/// An error that a server sent, in a form that is suitable for messages.
struct ErrorReply {
    /// The first word, if it is a code, for example `WRONGPASS`.
    let code: String?
    /// The escaped and bounded text, without arguments of the command.
    let text: String

    /// The number of bytes of an error that are looked at. An error may be as large as any reply.
    private static let longestText = 1024

    init(_ reply: String) {
        let reply = String(decoding: reply.utf8.prefix(Self.longestText), as: UTF8.self)
        let word = reply.prefix { $0 != " " }
        let isCode =
            !word.isEmpty && word.utf8.count <= 64
            && word.utf8.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == 95 }
        self.code = isCode ? String(word) : nil
        // The server repeats the arguments of a command that it does not know. They may be secret.
        let echo = ", with args beginning with:"
        let shown = Self.prefix(of: reply, before: echo)
        self.text = shown.abbreviatedForDisplay
    }

    /// What to do about it, for the errors that operators see most.
    var advice: String? {
        switch self.code {
        case "NOPERM": "Permit the command, its keys and its channels to the user of this client (ACL SETUSER)"
        case "NOAUTH", "WRONGPASS": "Check the user name and the password of this client"
        case "LOADING": "The server reads its data after a start; try again later"
        case "READONLY": "This server is a replica; connect to the primary"
        case "OOM": "The server has reached its limit of memory (maxmemory)"
        case "MISCONF": "The server cannot save its data; its log has the reason"
        case "MOVED", "ASK": "The server is part of a cluster, which this client does not support"
        default: nil
        }
    }

    var isAuthenticationFailure: Bool { self.code == "NOAUTH" || self.code == "WRONGPASS" }

    /// Whether the server does not know HELLO or the version of the protocol, as those before Redis 6.
    var asksForRESP2: Bool {
        self.code == "NOPROTO" || self.text.lowercased().hasPrefix("err unknown command")
    }

    private static func prefix(of text: String, before mark: String) -> String {
        let (bytes, mark) = (Array(text.utf8), Array(mark.utf8))
        guard bytes.count >= mark.count else { return text }
        for start in 0...(bytes.count - mark.count) where bytes[start..<(start + mark.count)].elementsEqual(mark) {
            return String(decoding: bytes[..<start], as: UTF8.self)
        }
        return text
    }
}
