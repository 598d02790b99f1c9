#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
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
        // The operating system would open the file whose path ends before it.
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
