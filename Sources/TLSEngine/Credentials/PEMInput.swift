internal import CNIOBoringSSL

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Where PEM text comes from.
package enum PEMInput: Sendable, Hashable {
    case file(path: String)
    case bytes([UInt8])

    /// Nobody's chain or key is larger; the system's whole trust store is a quarter of a megabyte.
    static let limit = 16 << 20

    var path: String? {
        switch self {
        case .file(let path): path
        case .bytes: nil
        }
    }

    /// The text, not empty; a file is read now, relative to the working directory of now.
    func load(_ item: CredentialError.Item) throws(CredentialError) -> [UInt8] {
        let bytes: [UInt8]
        switch self {
        case .bytes(let given): bytes = given
        case .file(let path): bytes = try Self.read(path, item)
        }
        if bytes.isEmpty { throw CredentialError(item: item, path: self.path, problem: .empty) }
        return bytes
    }

    private static func read(_ path: String, _ item: CredentialError.Item) throws(CredentialError) -> [UInt8] {
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: item, path: path, problem: problem)
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(.unreadable(errno: errno)) }
        defer { close(descriptor) }
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { systemRead(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(errno == EISDIR ? .isDirectory : .unreadable(errno: errno))
            }
            if count == 0 { return result }
            result.append(contentsOf: chunk[..<count])
            if result.count > Self.limit { throw failure(.tooLarge(limit: Self.limit)) }
        }
    }
}

private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}

/// PEM text, looked at from outside: which blocks there are.
struct PEMText {
    let bytes: [UInt8]

    /// The kinds of the blocks in the text (`CERTIFICATE`, `PRIVATE KEY`, …), in order.
    var labels: [String] {
        let begin = "-----BEGIN "
        return String(decoding: self.bytes, as: UTF8.self).split(whereSeparator: \.isNewline).compactMap { line in
            guard line.hasPrefix(begin), let end = line.dropFirst(begin.count).firstRange(ofDashes: 5) else {
                return nil
            }
            return String(line.dropFirst(begin.count)[..<end])
        }
    }

    /// Whether the text is DER instead: a SEQUENCE whose length takes two bytes, as every certificate and most keys are.
    var looksLikeDER: Bool {
        self.bytes.count > 2 && self.bytes[0] == 0x30 && (self.bytes[1] & 0x80 != 0 || Int(self.bytes[1]) == self.bytes.count - 2)
    }

    /// What is wrong with a text that has no block of the wanted kind.
    var problem: CredentialError.Problem {
        self.looksLikeDER ? .notPEM : .wrongContent(found: self.labels)
    }

    /// Runs `body` with a read-only memory BIO over the text; nil if there is no memory for one.
    func withBIO<Result>(_ body: (OpaquePointer) -> Result) -> Result? {
        self.bytes.withUnsafeBytes { text -> Result? in
            guard let bio = BIO_new_mem_buf(text.baseAddress, text.count) else { return nil }
            defer { BIO_free(bio) }
            return body(bio)
        }
    }
}

extension Substring {
    fileprivate func firstRange(ofDashes count: Int) -> Substring.Index? {
        var dashes = 0
        for index in self.indices {
            dashes = self[index] == "-" ? dashes + 1 : 0
            if dashes == count { return self.index(index, offsetBy: 1 - count) }
        }
        return nil
    }
}
