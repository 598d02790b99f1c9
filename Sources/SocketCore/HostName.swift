/// A host name that can be looked up: labels of ASCII characters, separated by dots (RFC 1034 §3.1).
///
/// Names in use are not restricted to letters, digits and hyphens: underscores are common. Names are rejected if they cannot be sent in a
/// DNS query, or contain a character that delimits something else, such as the port of an address or the path of a URL.
package struct HostName: Hashable, Sendable {
    /// The reason for which a text is not a host name.
    package enum Problem: Error, Hashable {
        case empty
        case notASCII
        /// A control character. NUL is one: functions of the C library would take the text before it for the name.
        case controlCharacter(Unicode.Scalar)
        case forbiddenCharacter(Unicode.Scalar)
        case emptyLabel
        case labelTooLong(String)
        case tooLong(byteCount: Int)
    }

    /// The name as given.
    package let text: String

    /// The longest label, in bytes (RFC 1035 §2.3.4).
    package static let longestLabel = 63
    /// The longest name, in bytes and without a trailing dot. In a DNS message it takes 255 bytes (RFC 1035 §2.3.4), including a length
    /// before each label and a zero at the end.
    package static let longestName = 253

    /// The forbidden domain code points of the URL standard (url.spec.whatwg.org §3.5), apart from control characters.
    private static let forbidden = Set(" #%/:<>?@[\\]^|".unicodeScalars)

    /// Validates a text. A trailing dot, which denotes the root, is part of a name.
    package init(_ text: String) throws(Problem) {
        if text.isEmpty { throw .empty }
        guard text.utf8.allSatisfy({ $0 < 0x80 }) else { throw .notASCII }
        for character in text.unicodeScalars {
            if character.value < 0x20 || character.value == 0x7F { throw .controlCharacter(character) }
            if Self.forbidden.contains(character) { throw .forbiddenCharacter(character) }
        }
        for label in Self.withoutRoot(text[...]).split(separator: ".", omittingEmptySubsequences: false) {
            if label.isEmpty { throw .emptyLabel }
            if label.utf8.count > Self.longestLabel { throw .labelTooLong(String(label)) }
        }
        let byteCount = Self.withoutRoot(text[...]).utf8.count
        if byteCount > Self.longestName { throw .tooLong(byteCount: byteCount) }
        self.text = text
    }

    private static func withoutRoot(_ text: Substring) -> Substring { text.hasSuffix(".") ? text.dropLast() : text }

    /// The name in lower case; names that differ only in case are the same (RFC 4343). A trailing dot is kept: a resolver may append
    /// search domains to a name without one.
    package var canonical: String { self.text.lowercased() }

    /// The last two labels, in lower case. Names under one domain usually have the same name servers.
    package var domain: String {
        let labels = Self.withoutRoot(self.canonical[...]).split(separator: ".")
        return labels.suffix(2).joined(separator: ".")
    }

    /// Whether the name stands for this machine's loopback addresses: `localhost`, or a name under it (RFC 6761 §6.3).
    package var isLoopback: Bool {
        let name = Self.withoutRoot(self.canonical[...])
        return name == "localhost" || name.hasSuffix(".localhost")
    }
}
