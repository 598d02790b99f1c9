import TestSupport
import Testing

@testable import TLSEngine

@Suite struct `A PEM text` {
    private static let one = "-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n"
    private static let two = "-----BEGIN X509 CRL-----\nCCCC\n-----END X509 CRL-----\n"

    /// What openssl writes between blocks, and lines that only look like a boundary.
    private static let remarks = """
        Bag Attributes
            friendlyName: -
        subject=CN = a - b
        Certificate:
            Data:
                Serial Number:
                    -1f:ab:--:00
        ---
        Certificate chain
         0 s:CN = -- end of the list --
        --- begin certificates ---

        """

    private func blocks(_ text: String) throws -> [PEMBlock] { try PEMText(Array(text.utf8)).blocks }

    @Test(
        arguments: [
            // As it is written.
            (Self.one, [1]),
            (Self.one + Self.two, [1, 5]),
            ("\n\n" + Self.one + "\n\n" + Self.two + "\n", [3, 9]),
            // Line breaks of all systems, and none at the end.
            (Self.one.replacing("\n", with: "\r\n") + Self.two, [1, 5]),
            (Self.one.replacing("\n", with: "\r") + Self.two.replacing("\n", with: "\r"), [1, 5]),
            (Self.one + Self.two.dropLast(), [1, 5]),
            // A byte order mark, also of a file that was appended.
            ("\u{feff}" + Self.one, [1]),
            ("\u{feff}" + Self.one + "\u{feff}" + Self.two, [1, 5]),
            // Blanks around lines, and blank lines.
            ("    " + Self.one.replacing("\n", with: " \t\n    "), [1]),
            (Self.one.replacing("\n", with: "\n\n"), [1]),
            // Text between blocks.
            (Self.remarks + Self.one, [12]),
            ("no block\n", []),
            ("", []),
        ] as [(String, [Int])])
    func `has a block for each BEGIN line`(_ row: (text: String, lines: [Int])) throws {
        let blocks = try self.blocks(row.text)
        #expect(blocks.map(\.line) == row.lines)
        #expect(blocks.map(\.label) == Array(["CERTIFICATE", "X509 CRL"].prefix(blocks.count)))
        let texts = try blocks.map { String(decoding: try $0.text(), as: UTF8.self) }
        #expect(texts == Array([Self.one, Self.two].prefix(blocks.count)))
    }

    /// Deletes, doubles and changes lines of a file at random. Whatever the file is then, no BEGIN line is passed over.
    @Test(arguments: 0..<200) func `is an error or has as many blocks as lines with BEGIN`(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var lines = String(repeating: "text\n" + Self.one + Self.two, count: 4).split(separator: "\n").map(String.init)
        for _ in 0..<3 {
            let index = lines.indices.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<5, using: &random) {
            case 0: lines.remove(at: index)
            case 1: lines.insert(lines[index], at: index)
            case 2: lines[index] = " " + lines[index] + " "
            case 3: lines[index].insert("-", at: lines[index].startIndex)
            default: lines[index] += lines.randomElement(using: &random) ?? ""
            }
        }
        let text = lines.joined(separator: "\n")
        do throws(PEMFault) {
            #expect(try PEMText(Array(text.utf8)).blocks.count == text.ranges(of: "BEGIN").count)
        } catch {
            #expect(lines.indices.contains(error.line - 1))
        }
    }

    @Test func `keeps the header fields of a key, which a blank line ends`() throws {
        let fields = ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF"]
        let text =
            "-----BEGIN RSA PRIVATE KEY-----\r\n\(fields.joined(separator: "\r\n"))\r\n\r\nAAAA\r\n-----END RSA PRIVATE KEY-----"
        let block = try #require(self.blocks(text).first)
        #expect(block.headers == fields)
        #expect(String(decoding: try block.text(), as: UTF8.self) == text.replacing("\r\n", with: "\n") + "\n")
    }
}

extension PEMFault {
    fileprivate var line: Int {
        switch self {
        case .malformedBoundary(let line, _), .lineBreaksMissing(let line), .lineBreakMissing(let line), .noEnd(_, let line, _),
            .noBegin(_, let line), .otherEnd(_, let line, _, _), .notBase64(_, let line), .incompleteBase64(_, let line):
            line
        }
    }
}
