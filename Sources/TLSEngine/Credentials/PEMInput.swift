#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The source of a PEM text.
package enum PEMInput: Sendable, Hashable {
    case file(path: String)
    case bytes([UInt8])
    /// The contents of a file that has been read already. Errors name the path.
    case contents([UInt8], path: String)

    /// The largest accepted size. Chains and keys are far smaller; the system's whole trust store is a quarter of a megabyte.
    static let limit = 16 << 20

    var path: String? {
        switch self {
        case .file(let path), .contents(_, let path): path
        case .bytes: nil
        }
    }

    /// Returns the text, which is not empty. A file is read immediately, relative to the current working directory.
    func load(_ item: CredentialError.Item) throws(CredentialError) -> [UInt8] {
        let bytes: [UInt8]
        switch self {
        case .bytes(let given), .contents(let given, _): bytes = given
        case .file(let path): bytes = try Self.read(path, item)
        }
        if bytes.isEmpty { throw CredentialError(item: item, path: self.path, problem: .empty) }
        return bytes
    }

    private static func read(_ path: String, _ item: CredentialError.Item) throws(CredentialError) -> [UInt8] {
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: item, path: path, problem: problem)
        }
        // The operating system would end the path at the NUL character and open another file.
        if path.utf8.contains(0) { throw failure(.pathWithNUL) }
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
