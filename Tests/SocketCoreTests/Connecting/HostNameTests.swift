import SocketCore
import Testing

@Suite struct `A host name` {
    @Test(arguments: [
        "localhost", "example.org", "EXAMPLE.org", "example.org.", "xn--mnchen-3ya.example", "_sip._tcp.example", "a_b.example",
        "-a.example",
        "a--b.example", "1.example", "256.0.0.1", String(repeating: "a", count: 63) + ".example",
        // 253 bytes, with and without the root's dot.
        Self.longest, Self.longest + ".",
    ])
    func `may be any that is in use`(_ text: String) throws {
        #expect(try HostName(text).text == text)
    }

    static let longest = [63, 63, 63, 61].map { String(repeating: "a", count: $0) }.joined(separator: ".")

    @Test(
        arguments: [
            ("", .empty), ("münchen.example", .notASCII), ("例え.example", .notASCII), ("example。org", .notASCII),
            ("local\0host", .controlCharacter("\0")), ("example.org\r\n", .controlCharacter("\r")),
            ("a\u{7F}", .controlCharacter("\u{7F}")),
            ("example org", .forbiddenCharacter(" ")), (" example.org", .forbiddenCharacter(" ")),
            ("a\tb", .controlCharacter("\t")),
            ("https://example.org/", .forbiddenCharacter(":")), ("user@example.org", .forbiddenCharacter("@")),
            ("[::1", .forbiddenCharacter("[")), ("*.example/x", .forbiddenCharacter("/")),
            ("a%62.example", .forbiddenCharacter("%")),
            (".", .emptyLabel), ("..", .emptyLabel), (".example.org", .emptyLabel), ("example..org", .emptyLabel),
            ("example.org..", .emptyLabel),
            (String(repeating: "a", count: 64) + ".example", .labelTooLong(String(repeating: "a", count: 64))),
            (Self.longest + "a", .tooLong(byteCount: 254)),
            (String(repeating: "a.", count: 127) + "a", .tooLong(byteCount: 255)),
        ] as [(String, HostName.Problem)])
    func `that no resolver could look up is rejected`(_ text: String, _ problem: HostName.Problem) {
        #expect(throws: problem) { try HostName(text) }
    }

    @Test(arguments: ["localhost", "LOCALHOST", "localhost.", "www.localhost", "A.b.LocalHost."])
    func `under localhost is this machine's`(_ text: String) throws {
        #expect(try HostName(text).isLoopback)
    }

    @Test(arguments: ["localhost.example", "mylocalhost", "localhost-1", "ip6-localhost", "example.org"])
    func `elsewhere is not`(_ text: String) throws {
        #expect(try !HostName(text).isLoopback)
    }

    @Test(arguments: [
        ("www.Example.ORG", "example.org"), ("a.b.c.example.org.", "example.org"), ("example.org", "example.org"), ("db", "db"),
        ("db.", "db"),
    ])
    func `has a domain, its last two labels`(_ text: String, _ domain: String) throws {
        #expect(try HostName(text).domain == domain)
    }

    @Test func `is the same in other case, and not the same with the root's dot`() throws {
        #expect(try HostName("Example.ORG").canonical == HostName("example.org").canonical)
        #expect(try HostName("example.org.").canonical != HostName("example.org").canonical)
    }
}
