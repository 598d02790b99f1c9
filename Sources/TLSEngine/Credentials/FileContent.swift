#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The bytes of a file at one time, or the reason why they could not be read.
///
/// Only regular files are read, so that a pipe in place of a file cannot block the reader. Symbolic links are followed.
package struct FileContent: Sendable {
    package let path: String
    let result: Result<[UInt8], CredentialError>

    /// The largest number of files that are read from a folder. One more is an error.
    package static let filesPerFolder = 1024
    /// The largest number of bytes that are read from a folder. One more is an error.
    package static let bytesPerFolder = 64 << 20

    private init(path: String, _ result: Result<[UInt8], CredentialError>) {
        self.path = path
        self.result = result
    }

    /// Reads a file, relative to the current working directory. Blocks for as long as the file system does.
    ///
    /// - Parameter item: What the file is expected to contain, for errors.
    package init(reading path: String, as item: CredentialError.Item) {
        self.init(path: path, Self.read(path).mapError { CredentialError(item: item, path: path, problem: $0.problem) })
    }

    /// The bytes as a source for loading, whose errors name the path.
    package var input: PEMInput {
        get throws(CredentialError) { .contents(try self.result.get(), path: self.path) }
    }

    /// The bytes of the file.
    package var bytes: [UInt8] { get throws(CredentialError) { try self.result.get() } }

    /// Reads a file, or all regular files of a folder in the order of their names.
    ///
    /// Hidden files and subfolders are skipped: in a volume of Kubernetes, the versions of the files are in hidden folders, to which visible
    /// links lead. The result has one element with an error if the folder cannot be read or is larger than ``filesPerFolder`` and
    /// ``bytesPerFolder`` permit.
    package static func contents(ofFileOrFolder path: String, as item: CredentialError.Item) -> [FileContent] {
        func failure(_ problem: CredentialError.Problem) -> [FileContent] {
            [FileContent(path: path, .failure(CredentialError(item: item, path: path, problem: problem)))]
        }
        let file = FileContent(reading: path, as: item)
        guard case .failure(let error) = file.result, error.problem == .isDirectory else { return [file] }
        let names: [String]
        do {
            names = try FolderListing.names(in: path, most: Self.filesPerFolder)
        } catch {
            switch error {
            case .unreadable(let number): return failure(.unreadable(errno: number))
            case .tooMany: return failure(.folderTooLarge(files: Self.filesPerFolder, bytes: Self.bytesPerFolder))
            }
        }
        var files: [FileContent] = []
        var size = 0
        for name in names {
            let file = FileContent(reading: "\(path)/\(name)", as: item)
            switch file.result {
            case .success(let bytes): size += bytes.count
            case .failure(let error) where [.isDirectory, .notRegularFile].contains(error.problem): continue
            case .failure: break
            }
            if size > Self.bytesPerFolder {
                return failure(.folderTooLarge(files: Self.filesPerFolder, bytes: Self.bytesPerFolder))
            }
            files.append(file)
        }
        return files
    }

    private struct Failure: Error {
        let problem: CredentialError.Problem
    }

    private static func read(_ path: String) -> Result<[UInt8], Failure> {
        // The operating system would end the path at the NUL character and open another file.
        if path.utf8.contains(0) { return .failure(Failure(problem: .pathWithNUL)) }
        // Non-blocking, because opening a pipe would otherwise wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        // A socket cannot be opened at all.
        guard descriptor >= 0 else {
            return .failure(Failure(problem: [ENXIO, EOPNOTSUPP].contains(errno) ? .notRegularFile : .unreadable(errno: errno)))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .failure(Failure(problem: .unreadable(errno: errno))) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: return .failure(Failure(problem: .isDirectory))
        default: return .failure(Failure(problem: .notRegularFile))
        }
        let tooLarge = Failure(problem: .tooLarge(limit: PEMInput.limit))
        if Int64(status.st_size) > Int64(PEMInput.limit) { return .failure(tooLarge) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { systemRead(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return .failure(Failure(problem: .unreadable(errno: errno)))
            }
            if count == 0 { return .success(bytes) }
            bytes.append(contentsOf: chunk[..<count])
            // The file may have grown since its size was determined.
            if bytes.count > PEMInput.limit { return .failure(tooLarge) }
        }
    }
}

private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}
