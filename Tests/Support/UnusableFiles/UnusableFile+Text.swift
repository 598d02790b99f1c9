import DevelopmentCertificates
import Foundation

/// PEM texts that were changed, and files that never were PEM.
extension UnusableFile {
    static let texts: [UnusableFile] = [
        text(
            .chain, "names.txt", "holds nothing in PEM", "A PEM file has lines like -----BEGIN CERTIFICATE-----"
        ) { _ in "localhost\nexample.org\n" },
        text(
            .key, "names.txt", "holds nothing in PEM", "A PEM file has lines like -----BEGIN PRIVATE KEY-----"
        ) { _ in "localhost\nexample.org\n" },
        text(
            .chain, "page.html", "is a web page (HTML); PEM is expected",
            "Is it an error page that was saved? Download the file again"
        ) { _ in "<!DOCTYPE html><html><body>404</body></html>\n" },
        text(.key, "key.ppk", "is a PuTTY private key; PEM is expected", "Export it from PuTTYgen as an OpenSSH key") { _ in
            "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n"
        },

        // Changed as a whole.
        UnusableFile.utf16(.littleEndian, "UTF-16", mark: [0xff, 0xfe]),
        UnusableFile.utf16(.bigEndian, "UTF-16", mark: [0xfe, 0xff]),
        UnusableFile.utf16(.littleEndian, "UTF-16LE", mark: []),
        UnusableFile.utf16(.bigEndian, "UTF-16BE", mark: []),
        text(.chain, "variable.txt", escaped, escapedAdvice) { $0.server.certificatePEM.replacing("\n", with: #"\n"#) },
        text(.key, "variable.txt", escaped, escapedAdvice) {
            "\"" + $0.server.privateKeyPEM.replacing("\n", with: #"\r\n"#) + "\"\n"
        },
        text(.trust, "json.txt", escaped, escapedAdvice) {
            "\"" + $0.authority.certificatePEM.replacing("\n", with: #"\n"#) + "\""
        },
        text(.chain, "quoted.txt", quoted, quotedAdvice) { "\"\($0.server.certificatePEM)\"\n" },
        text(.key, "quoted.txt", quoted, quotedAdvice) { "'\($0.server.privateKeyPEM)'\n" },
        text(
            .trust, "secret.txt", "is base64-encoded PEM, as in Kubernetes secrets",
            "Decode it: base64 -d < {file} > {new}"
        ) {
            Data($0.authority.certificatePEM.utf8).base64EncodedString() + "\n"
        },
        text(
            .chain, "base64.txt", "is base64 without BEGIN and END lines",
            "Add them, for example -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----"
        ) { lines(of: $0.server.certificatePEM).dropFirst().dropLast().joined(separator: "\n") },
        text(.chain, "one-line.pem", "line 1 contains a whole PEM block without line breaks", "Restore the line breaks") {
            $0.server.certificatePEM.replacing("\n", with: " ")
        },

        // Changed in a line.
        text(
            .trust, "joined.pem", "line 3 contains the END line of one block and the BEGIN line of the next",
            "Insert a line break between them"
        ) { _ in block.dropLast() + block },
        text(
            .trust, "four-hyphens.pem", "line 5 looks like a BEGIN or END line but is malformed: ----BEGIN CERTIFICATE-----",
            boundary
        ) { _ in block + "\n" + block.dropFirst() },
        text(
            .chain, "comment.pem", "line 1 looks like a BEGIN or END line but is malformed: # -----BEGIN CERTIFICATE-----",
            boundary
        ) { "# " + $0.server.certificatePEM },
        text(
            .chain, "dashes.pem", "line 1 looks like a BEGIN or END line but is malformed: —–BEGIN CERTIFICATE—–", boundary
        ) { $0.server.certificatePEM.replacing("-----", with: "—–") },
        text(
            .key, "small.pem", "line 2 looks like a BEGIN or END line but is malformed: -----begin private key-----",
            "The whole line must have the form -----BEGIN PRIVATE KEY-----"
        ) { "\n" + $0.server.privateKeyPEM.replacing("BEGIN PRIVATE KEY", with: "begin private key") },
        text(.key, "no-end.pem", "the PRIVATE KEY block that begins on line 3 has no END line", complete) {
            "\r\n\r\n" + lines(of: $0.server.privateKeyPEM).dropLast().joined(separator: "\r\n")
        },
        text(
            .trust, "no-end-before.pem",
            "the CERTIFICATE block that begins on line 1 has no END line before the next BEGIN line, on line 3", complete
        ) { _ in lines(of: block).dropLast().joined(separator: "\n") + "\n" + block },
        text(
            .trust, "no-begin.pem", "line 5 ends a CERTIFICATE block that has no BEGIN line", complete
        ) { _ in block + lines(of: block).dropFirst().joined(separator: "\n") },
        text(
            .key, "other-end.pem", "the block that begins on line 1 as PRIVATE KEY ends on line 5 as EC PRIVATE KEY",
            "Use the same label on both lines"
        ) { $0.server.privateKeyPEM.replacing("END PRIVATE", with: "END EC PRIVATE") },
        text(.chain, "not-base64.pem", "line 4, in a CERTIFICATE block, is not valid base64", changed) {
            var text = lines(of: $0.server.certificatePEM)
            text[3] = "!" + text[3].dropFirst()
            return text.joined(separator: "\n")
        },
        text(.key, "padding.pem", "line 4, in a PRIVATE KEY block, is not valid base64", changed) {
            var text = lines(of: $0.server.privateKeyPEM)
            text[2] = text[2].dropLast() + "="
            return text.joined(separator: "\n")
        },
        text(
            .chain, "incomplete-base64.pem", "the base64 of the CERTIFICATE block that begins on line 1 is incomplete", complete
        ) {
            var text = lines(of: $0.server.certificatePEM)
            text[5].removeLast()
            return text.joined(separator: "\n")
        },
        text(.chain, "no-content.pem", "the base64 of the CERTIFICATE block that begins on line 1 is incomplete", complete) { _ in
            "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n"
        },
        text(
            .trust, "line-lost.pem", "certificate 2 of the file (line 4) cannot be read: its last 48 bytes are missing", complete
        ) {
            var text = lines(of: $0.server.certificatePEM)
            text.remove(at: 4)
            return onOneLine($0.authority.certificatePEM) + text.joined(separator: "\n")
        },
        text(.chain, "damaged.pem", "certificate 1 of the file (line 1) cannot be read", changed) {
            var text = lines(of: $0.server.certificatePEM)
            text[2] = String(repeating: "A", count: 64)
            return text.joined(separator: "\n")
        },
        text(.key, "other-content.pem", "the key on line 1 cannot be read", changed) { _ in
            "-----BEGIN PRIVATE KEY-----\naGVsbG8sIHdvcmxkLCBob3cgYXJlIHlvdT8=\n-----END PRIVATE KEY-----\n"
        },

        // Blocks of other kinds.
        text(.chain, "swapped.pem", "contains no certificate, only PRIVATE KEY", swapped) { $0.server.privateKeyPEM },
        text(.key, "swapped-key.pem", "contains no private key, only CERTIFICATE", swapped) { $0.server.certificatePEM },
        text(
            .trust, "key.pem", "contains no certificate, only PRIVATE KEY", "Give the authority's certificate, not its key"
        ) { $0.server.privateKeyPEM },
        text(.chain, "labels.pem", "contains no certificate, only A, B, C, D and 3 more", nil) { _ in
            "ABCDEFG".map { "-----BEGIN \($0)-----\nAAAA\n-----END \($0)-----\n" }.joined()
        },
    ]

    private static let escaped =
        #"has line breaks written as the two characters \n, as in environment variables and JSON"#
    private static let escapedAdvice = #"Convert it: printf '%b\n' "$(tr -d '"' < {file})" > {new}"#
    private static let quoted = "has quotation marks around the PEM text"
    private static let quotedAdvice = #"Convert it: tr -d "\"'\`" < {file} > {new}"#
    private static let boundary =
        "The whole line must have the form -----BEGIN CERTIFICATE-----"

    /// Looks like a certificate from outside.
    private static let block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

    /// The number of lines of a certificate depends on its signature; this way it does not.
    private static func onOneLine(_ pem: String) -> String {
        let lines = Self.lines(of: pem)
        let base64 = lines.dropFirst().dropLast().joined()
        return [lines.prefix(1).joined(), base64, lines.suffix(1).joined(), ""].joined(separator: "\n")
    }

    private static func lines(of text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    private enum Order { case littleEndian, bigEndian }

    private static func utf16(_ order: Order, _ name: String, mark: [UInt8]) -> UnusableFile {
        let file = "\(order)-\(mark.count).pem"
        return Self.made(
            .chain, file, "is UTF-16 text; PEM is ASCII text", "Convert it: iconv -f \(name) -t UTF-8 {file} > {new}"
        ) { workshop in
            mark
                + workshop.server.certificatePEM.utf16.flatMap { unit in
                    let bytes = [UInt8(unit >> 8), UInt8(unit & 0xff)]
                    return order == .bigEndian ? bytes : bytes.reversed()
                }
        }
    }
}
