import TLSEngine

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// A file of exported sessions, which one of several processes gets. All functions block.
///
///     what exists              path    path.new-…    path.claimed-…
///     being written            former  yes           –               `open` with O_EXCL, `fsync`
///     written                  yes     –             –               `rename`
///     claimed                  –       –             yes             `rename`, which succeeds in one process
///     its sessions are in use  –       –             –               `unlink`
///     it cannot be used        yes     –             –               `linkat`, unless there is a newer file, and `unlink`
struct SessionFile {
    private let path: String

    init(_ path: String) throws(SecureSocketError) {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring,
                "the path for sessions \(path.isEmpty ? "is empty" : "contains a NUL character")")
        }
        self.path = path
    }

    /// Writes a file, and gives it the path of this one.
    func replace(with bytes: [UInt8]) throws(SecureSocketError) {
        let new = "\(self.path).new-\(Self.suffix)"
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw self.error(errno, "written") }
        var number = Self.write(bytes, to: descriptor)
        if number == 0, fsync(descriptor) != 0 { number = errno }
        if close(descriptor) != 0, number == 0, errno != EINTR { number = errno }
        if number == 0, rename(new, self.path) != 0 { number = errno }
        guard number == 0 else {
            _ = unlink(new)
            throw self.error(number, "written")
        }
    }

    /// Claims the file, passes its bytes to `body`, and removes it. If it cannot be read, or if `body` throws, it gets its path back.
    ///
    /// - Returns: The result of `body`; nil if there is no file, for example because another process has claimed it.
    func claim<Value>(
        _ body: ([UInt8]) throws(SecureSocketError) -> Value
    ) throws(SecureSocketError) -> Value? {
        let claimed = "\(self.path).claimed-\(Self.suffix)"
        guard rename(self.path, claimed) == 0 else {
            if errno == ENOENT, self.folderExists { return nil }
            throw self.error(errno, "read")
        }
        do throws(SecureSocketError) {
            let value = try body(self.read(claimed))
            _ = unlink(claimed)
            return value
        } catch {
            // A newer file has taken its place if this fails with EEXIST. Some file systems have no links, and folders have none.
            let isLinked = linkat(AT_FDCWD, claimed, AT_FDCWD, self.path, 0) == 0
            if isLinked || errno == EEXIST {
                _ = unlink(claimed)
            } else if access(self.path, F_OK) != 0 {
                _ = rename(claimed, self.path)
            }
            throw error
        }
    }

    private func read(_ claimed: String) throws(SecureSocketError) -> [UInt8] {
        // Claiming a link would not claim the file.
        var status = stat()
        guard lstat(claimed, &status) == 0 else { throw self.error(errno, "read") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SecureSocketError(
                .invalidConfiguration, blame: .configuration, step: .configuring,
                "the exported sessions \(self.path.escapedForDisplay) are not a regular file",
                advice: "Name the file itself, not a link to it")
        }
        do {
            return try FileContent(reading: claimed, as: .sessions).bytes
        } catch {
            // The message has the file's own path, not the one under which it was claimed.
            if case .unreadable(let number) = error.problem { throw self.error(number, "read") }
            throw SecureSocketError(
                .invalidConfiguration, blame: .configuration, step: .configuring,
                "the exported sessions \(self.path.escapedForDisplay) are larger than any export")
        }
    }

    private var folderExists: Bool {
        guard let slash = self.path.lastIndex(of: "/") else { return true }
        return access(String(self.path[...slash]), F_OK) == 0
    }

    /// A name that no other process uses.
    private static var suffix: String { String(UInt64.random(in: 0 ... .max), radix: 16) }

    /// Returns 0, or the operating system's error.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = systemWrite(descriptor, UnsafeRawBufferPointer(rebasing: rest))
                if count < 0 {
                    if errno == EINTR { continue }
                    return errno
                }
                rest = rest.dropFirst(count)
            }
            return 0
        }
    }

    private func error(_ number: Int32, _ what: String) -> SecureSocketError {
        let text = "the exported sessions \(self.path.escapedForDisplay) cannot be \(what)"
        switch number {
        case EMFILE, ENFILE, ENOMEM: return .system(number, step: .configuring, text)
        default:
            return SecureSocketError(
                [EACCES, EPERM, EROFS].contains(number) ? .accessDenied : .system, blame: .system, step: .configuring,
                "\(text): \(SystemError.text(of: number))",
                advice: number == ENOENT ? "Create its folder" : "Check that this process may create files in its folder",
                errorNumber: number)
        }
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}
