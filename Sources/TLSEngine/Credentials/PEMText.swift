internal import CNIOBoringSSL

/// A PEM text, split into its blocks (RFC 7468).
///
/// Every BEGIN line becomes a block or an error with its line number, so that no certificate is lost unnoticed. Accepted are line
/// breaks of all systems, blanks around a line, blank lines, a byte order mark of UTF-8 before a line, and text between blocks, as
/// `openssl x509 -text` writes it. What is in a block is for BoringSSL to read.
struct PEMText {
    private(set) var blocks: [PEMBlock] = []

    init(_ bytes: [UInt8]) throws(PEMFault) {
        var lines = PEMLines(bytes)
        while let line = lines.next() {
            switch try PEMBoundary(line) {
            case .begin(let label): self.blocks.append(try PEMBlock(label, at: line.number, from: &lines))
            case .end(let label): throw .noBegin(label: label, line: line.number)
            case nil: break
            }
        }
    }
}

extension PEMText {
    /// Loads and splits the text of a file; its blocks are one or more.
    static func load(_ source: PEMInput, as item: CredentialError.Item) throws(CredentialError) -> PEMText {
        let bytes = try source.load(item)
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: item, path: source.path, problem: problem)
        }
        let text: PEMText
        do {
            text = try PEMText(bytes)
        } catch {
            // What was done to the whole text says more than what it did to a line.
            throw failure(FileForm.recognized(in: bytes).map { .otherForm($0) } ?? .malformed(error))
        }
        guard !text.blocks.isEmpty else {
            throw failure(FileForm.recognized(in: bytes).map { .otherForm($0) } ?? .nothingKnown)
        }
        return text
    }

    /// The labels of the blocks, each once, in the order of the text.
    var labels: [String] {
        var labels: [String] = []
        for block in self.blocks where !labels.contains(block.label) { labels.append(block.label) }
        return labels
    }
}

/// What is wrong with the lines of a PEM text. Lines are counted from 1.
package enum PEMFault: Error, Sendable, Hashable {
    /// The line is meant as a BEGIN or END line, but is not written as one.
    case malformedBoundary(line: Int, text: String)
    /// The line has a whole block, whose line breaks are missing.
    case lineBreaksMissing(line: Int)
    /// The line has the END line of one block and the BEGIN line of the next.
    case lineBreakMissing(line: Int)
    /// The block has no END line: the text ends, or another block begins at `next`.
    case noEnd(label: String, line: Int, next: Int?)
    case noBegin(label: String, line: Int)
    /// The block has the END line of another label.
    case otherEnd(label: String, line: Int, endLabel: String, endLine: Int)
    /// The line, which is in a block, has characters that are not base64.
    case notBase64(label: String, line: Int)
    /// The base64 of the block that begins in this line is cut off, or empty.
    case incompleteBase64(label: String, line: Int)
}

/// One block of a PEM text.
struct PEMBlock {
    /// What it says it is, for example `CERTIFICATE`.
    let label: String
    /// The number of its BEGIN line.
    let line: Int
    /// Header fields (RFC 1421 §4.6) of a key with the traditional encryption.
    private(set) var headers: [String] = []
    private var body: [PEMLines.Line] = []

    fileprivate init(_ label: String, at line: Int, from lines: inout PEMLines) throws(PEMFault) {
        self.label = label
        self.line = line
        while let next = lines.next() {
            switch try PEMBoundary(next) {
            case .begin: throw .noEnd(label: label, line: line, next: next.number)
            case .end(label): return
            case .end(let other): throw .otherEnd(label: label, line: line, endLabel: other, endLine: next.number)
            case nil: self.add(next)
            }
        }
        throw .noEnd(label: label, line: line, next: nil)
    }

    private mutating func add(_ line: PEMLines.Line) {
        if line.text.isEmpty { return }
        if self.body.isEmpty, line.text.contains(UInt8(ascii: ":")) {
            self.headers.append(String(decoding: line.text, as: UTF8.self))
        } else {
            self.body.append(line)
        }
    }

    /// The content, still encrypted if it is; nil if the library cannot read the block.
    func content() -> [UInt8]? {
        guard let text = try? self.text() else { return nil }
        defer { ErrorQueue.clear() }
        return text.withBIO { bio -> [UInt8]? in
            var (label, headers): (UnsafeMutablePointer<CChar>?, UnsafeMutablePointer<CChar>?)
            var data: UnsafeMutablePointer<UInt8>?
            var count = 0
            guard PEM_read_bio(bio, &label, &headers, &data, &count) == 1 else { return nil }
            defer {
                OPENSSL_free(label)
                OPENSSL_free(headers)
                OPENSSL_free(data)
            }
            return Array(UnsafeBufferPointer(start: data, count: count))
        } ?? nil
    }

    /// The block as BoringSSL reads it. Its base64 is checked here, where the lines are known.
    func text() throws(PEMFault) -> [UInt8] {
        var text = Array("-----BEGIN \(self.label)-----\n".utf8)
        if !self.headers.isEmpty { text.append(contentsOf: (self.headers.joined(separator: "\n") + "\n\n").utf8) }
        var count = 0
        var paddingCount = 0
        for line in self.body {
            for byte in line.text where !byte.isBlank {
                let isPadding = byte == UInt8(ascii: "=")
                guard byte.isBase64, isPadding || paddingCount == 0 else {
                    throw .notBase64(label: self.label, line: line.number)
                }
                count += 1
                if isPadding { paddingCount += 1 }
            }
            text.append(contentsOf: line.text)
            text.append(UInt8(ascii: "\n"))
        }
        guard count > 0, count % 4 == 0, paddingCount <= 2 else {
            throw .incompleteBase64(label: self.label, line: self.line)
        }
        text.append(contentsOf: "-----END \(self.label)-----\n".utf8)
        return text
    }
}

/// The lines of a text without the blanks around them.
private struct PEMLines {
    struct Line {
        /// Counted from 1.
        let number: Int
        let text: ArraySlice<UInt8>
    }

    private var rest: ArraySlice<UInt8>
    private var count = 0

    init(_ bytes: [UInt8]) { self.rest = bytes[...] }

    mutating func next() -> Line? {
        guard !self.rest.isEmpty else { return nil }
        let (lineFeed, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
        let end = self.rest.firstIndex { $0 == lineFeed || $0 == carriageReturn } ?? self.rest.endIndex
        let text = self.rest[..<end].trimmed
        self.rest = self.rest[end...]
        if self.rest.popFirst() == carriageReturn, self.rest.first == lineFeed { self.rest.removeFirst() }
        self.count += 1
        return Line(number: self.count, text: text)
    }
}

/// A BEGIN or END line.
private enum PEMBoundary: Equatable {
    case begin(String)
    case end(String)

    /// nil for any other line.
    init?(_ line: PEMLines.Line) throws(PEMFault) {
        // Nearly all lines are base64, which has neither hyphens nor the dashes that a word processor makes of them.
        guard line.text.contains(where: { $0 == UInt8(ascii: "-") || $0 >= 0x80 }) else { return nil }
        let text = String(decoding: line.text, as: UTF8.self)
        if let label = Self.label(of: text, after: "-----BEGIN ") {
            self = .begin(label)
        } else if let label = Self.label(of: text, after: "-----END ") {
            self = .end(label)
        } else if let fault = Self.fault(of: text, line.number) {
            throw fault
        } else {
            return nil
        }
    }

    private static func label(of text: String, after prefix: String) -> String? {
        let hyphens = "-----"
        guard text.utf8.count >= prefix.utf8.count + hyphens.utf8.count, text.hasPrefix(prefix), text.hasSuffix(hyphens) else {
            return nil
        }
        let label = text.dropFirst(prefix.count).dropLast(hyphens.count)
        // RFC 7468 §3: printable characters, and hyphens and blanks one at a time only.
        let isOne = label.utf8.allSatisfy { (0x20...0x7e).contains($0) } && !label.contains("--") && label.last != "-"
        return isOne ? String(label) : nil
    }

    /// What is wrong with a line that is meant as a boundary; nil for text that only has a hyphen in it.
    private static func fault(of text: String, _ number: Int) -> PEMFault? {
        let words = text.uppercased()
        switch (words.boundaryLabel(after: "BEGIN "), words.boundaryLabel(after: "END ")) {
        case (let begin?, let end?):
            return begin.startIndex < end.startIndex ? .lineBreaksMissing(line: number) : .lineBreakMissing(line: number)
        case (nil, nil): return nil
        default: return .malformedBoundary(line: number, text: text)
        }
    }
}

extension String {
    /// The label behind a word that stands behind a hyphen or dash, blanks aside. Prose such as `-- end of the list --` has none.
    fileprivate func boundaryLabel(after word: String) -> Substring? {
        func isDash(_ character: Character) -> Bool {
            // A word processor makes one dash of several hyphens.
            ["-", "\u{2010}", "\u{2011}", "\u{2012}", "\u{2013}", "\u{2014}", "\u{2015}", "\u{2212}"].contains(character)
        }
        for range in self.ranges(of: word) {
            guard let before = self[..<range.lowerBound].last(where: { $0 != " " }), isDash(before) else { continue }
            var label = self[range.upperBound...].prefix { !isDash($0) }
            while label.last == " " { label.removeLast() }
            if ["CERTIFICATE", "KEY", "REQUEST", "CRL", "PKCS7", "PARAMETERS"].contains(where: label.hasSuffix) { return label }
        }
        return nil
    }
}

extension [UInt8] {
    /// Runs `body` with a read-only memory BIO over the bytes; nil if there is no memory for one.
    func withBIO<Result>(_ body: (OpaquePointer) -> Result) -> Result? {
        self.withUnsafeBytes { bytes -> Result? in
            guard let bio = BIO_new_mem_buf(bytes.baseAddress, bytes.count) else { return nil }
            defer { BIO_free(bio) }
            return body(bio)
        }
    }
}
