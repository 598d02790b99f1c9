internal import CNIOBoringSSL

/// A PEM text, split into its blocks (RFC 7468).
///
/// Every BEGIN line yields a block or an error with its line number, so that no certificate is skipped silently. Accepted are LF, CRLF
/// and CR line breaks, blanks around lines, blank lines, a UTF-8 byte order mark before a line, and text between blocks, as written by
/// `openssl x509 -text`. BoringSSL decodes the blocks. `CredentialMessage` in SecureSockets has the
/// sentences for the errors.
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
    /// Loads and splits a text. Throws if it has no block.
    static func load(_ source: PEMInput, as item: CredentialError.Item) throws(CredentialError) -> PEMText {
        try self.load(try source.load(item), path: source.path, as: item)
    }

    /// Splits a text that has been loaded. Throws if it has no block.
    static func load(_ bytes: [UInt8], path: String?, as item: CredentialError.Item) throws(CredentialError) -> PEMText {
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: item, path: path, problem: problem)
        }
        let text: PEMText
        do {
            text = try PEMText(bytes)
        } catch {
            // An alteration of the whole text explains more than the first malformed line.
            throw failure(FileForm.recognized(in: bytes).map { .otherForm($0) } ?? .malformed(error))
        }
        guard !text.blocks.isEmpty else {
            throw failure(FileForm.recognized(in: bytes).map { .otherForm($0) } ?? .nothingKnown)
        }
        return text
    }

    /// The labels of the blocks in order, without duplicates.
    var labels: [String] {
        var labels: [String] = []
        for block in self.blocks where !labels.contains(block.label) { labels.append(block.label) }
        return labels
    }
}

/// An error in the structure of a PEM text. Line numbers start at 1.
package enum PEMFault: Error, Sendable, Hashable {
    /// The line looks like a BEGIN or END line but is malformed.
    case malformedBoundary(line: Int, text: String)
    /// The line contains a whole block without line breaks.
    case lineBreaksMissing(line: Int)
    /// The line contains the END line of one block and the BEGIN line of the next.
    case lineBreakMissing(line: Int)
    /// The block has no END line before the end of the text or before the BEGIN line on line `next`.
    case noEnd(label: String, line: Int, next: Int?)
    case noBegin(label: String, line: Int)
    /// The labels of the BEGIN and END lines differ.
    case otherEnd(label: String, line: Int, endLabel: String, endLine: Int)
    /// The line is in a block and is not valid base64.
    case notBase64(label: String, line: Int)
    /// The base64 of the block that begins on this line is empty or has an incomplete last group.
    case incompleteBase64(label: String, line: Int)
}

/// One block of a PEM text.
struct PEMBlock {
    /// The label, for example `CERTIFICATE`.
    let label: String
    /// The number of its BEGIN line.
    let line: Int
    /// The header fields (RFC 1421 §4.6) of a key with the traditional encryption.
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

    /// The decoded content, not decrypted; nil if the block cannot be decoded.
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

    /// The block in the form that BoringSSL reads. The base64 is validated here, where line numbers are known.
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

/// The lines of a text, trimmed.
private struct PEMLines {
    struct Line {
        /// The line number, starting at 1.
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

    /// nil if the line is neither.
    init?(_ line: PEMLines.Line) throws(PEMFault) {
        // A shortcut for lines of base64, which contain neither hyphens nor typographic dashes.
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
        // RFC 7468 §3: printable characters, without consecutive hyphens.
        let isOne = label.utf8.allSatisfy { (0x20...0x7e).contains($0) } && !label.contains("--") && label.last != "-"
        return isOne ? String(label) : nil
    }

    /// The error of a line that looks like a BEGIN or END line; nil for other text.
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
    /// The label after a word that follows a hyphen or dash; nil for prose such as `-- end of the list --`.
    fileprivate func boundaryLabel(after word: String) -> Substring? {
        func isDash(_ character: Character) -> Bool {
            // Word processors replace hyphens by dashes.
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
    /// Runs `body` with a read-only memory BIO over the bytes; nil if the BIO cannot be allocated.
    func withBIO<Result>(_ body: (OpaquePointer) -> Result) -> Result? {
        self.withUnsafeBytes { bytes -> Result? in
            guard let bio = BIO_new_mem_buf(bytes.baseAddress, bytes.count) else { return nil }
            defer { BIO_free(bio) }
            return body(bio)
        }
    }
}
