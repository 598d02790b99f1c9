#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// Creates a set of files together or, as far as a file system permits, none of them.
///
/// A file is created with `O_EXCL` and its final mode, so that no existing file is opened, no link is followed, and a key is never readable
/// by others. To replace files, all are first written next to their targets and then renamed over them.
struct NewFiles {
    private struct Entry {
        var created: String
        var target: String
    }

    private let replacing: Bool
    private var entries: [Entry] = []

    init(replacing: Bool) {
        self.replacing = replacing
    }

    /// Throws if a file at `path` cannot be created.
    static func check(_ path: String, replacing: Bool) throws(DevelopmentCertificateError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if !replacing { throw .fileExists(path: path) }
        if status.st_mode & S_IFMT == S_IFDIR { throw .cannotWrite(path: path, reason: "it is a directory") }
    }

    /// Creates the directory and its missing parents.
    static func makeDirectory(_ path: String) throws(DevelopmentCertificateError) {
        var ends = path.indices.filter { path[$0] == "/" && $0 != path.startIndex }
        ends.append(path.endIndex)
        for end in ends {
            let part = String(path[..<end])
            guard mkdir(part, 0o777) != 0 else { continue }
            let code = errno
            var status = stat()
            if stat(part, &status) == 0 {
                if status.st_mode & S_IFMT == S_IFDIR { continue }
                throw .cannotUseDirectory(path: part, reason: "it is a file")
            }
            throw .cannotUseDirectory(path: part, reason: Self.message(code))
        }
    }

    /// Writes a file at its path or, when replacing, next to it.
    mutating func add(_ path: String, _ text: String, mode: mode_t) throws(DevelopmentCertificateError) {
        let created = self.replacing ? "\(path).\(String(UInt64.random(in: .min ... .max), radix: 36)).new" : path
        let descriptor = open(created, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            let code = errno
            if code == EEXIST, !self.replacing { throw .fileExists(path: path) }
            throw .cannotWrite(path: path, reason: Self.message(code))
        }
        self.entries.append(Entry(created: created, target: path))

        let failure = Self.write(Array(text.utf8), to: descriptor)
        // A file system may report a full disk only here.
        let closed = close(descriptor) == 0 ? nil : errno
        if let code = failure ?? closed { throw .cannotWrite(path: path, reason: Self.message(code)) }
    }

    /// Moves files that replace others to their paths.
    mutating func finish() throws(DevelopmentCertificateError) {
        guard self.replacing else { return }
        while let entry = self.entries.first {
            guard rename(entry.created, entry.target) == 0 else {
                throw .cannotWrite(path: entry.target, reason: Self.message(errno))
            }
            self.entries.removeFirst()
        }
    }

    /// Removes files that were created and are not at their paths.
    mutating func discard() {
        for entry in self.entries { unlink(entry.created) }
        self.entries = []
    }

    /// Returns the error number of a failure; nil if everything was written.
    private static func write(_ bytes: [UInt8], to descriptor: CInt) -> CInt? {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = systemWrite(descriptor, UnsafeRawBufferPointer(rebasing: rest))
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno != EINTR {
                    return errno
                }
            }
            return nil
        }
    }

    private static func message(_ code: CInt) -> String {
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }
}

/// `write(2)`, which cannot be called by its name inside a type that has a method `write`.
private func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}
