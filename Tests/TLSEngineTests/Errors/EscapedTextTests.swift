import TLSEngine
import Testing

@Suite struct `Text for messages` {
    @Test(arguments: [
        ("", ""),
        ("CN=plain ü 世界 👩🏽", "CN=plain ü 世界 👩🏽"),
        ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c"),
        ("\u{1b}[2J\u{7f}\u{9b}31m", "\\u{1b}[2J\\u{7f}\\u{9b}31m"),
        ("x\u{202e}y\u{2066}\u{200f}\u{feff}", "x\\u{202e}y\\u{2066}\\u{200f}\\u{feff}"),
        ("1\u{2028}2\u{2029}3\u{e0001}", "1\\u{2028}2\\u{2029}3\\u{e0001}"),
        ("NUL\0", "NUL\\u{0}"),
    ]) func `has its control, format and separator characters escaped`(_ row: (text: String, escaped: String)) {
        #expect(row.text.escapedForDisplay == row.escaped)
        // Escaping twice is escaping once.
        #expect(row.escaped.escapedForDisplay == row.escaped)
    }

    @Test func `is cut where it is longer than a name`() {
        let name = String(repeating: "a", count: 256)
        #expect(name.abbreviatedForDisplay == name)
        #expect((name + "bc").abbreviatedForDisplay == name + "…")
        let marks = "e" + String(repeating: "\u{301}", count: 1000)
        #expect(marks.abbreviatedForDisplay.unicodeScalars.count == 257)
    }

    @Test(arguments: [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c", "d"], "a, b, c, d"),
        (["a", "b\n", "c", "d", "e"], "a, b\\u{a}, c, d and 1 more"),
        ((1...150).map(String.init), "1, 2, 3, 4 and 146 more"),
    ]) func `names the first four of a list, and how many more there are`(_ row: (list: [String], text: String)) {
        #expect(row.list.listedForDisplay == row.text)
    }
}
