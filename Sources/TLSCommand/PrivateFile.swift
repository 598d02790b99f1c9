import Foundation
import TLSEngine

/// Files that only their owner can read, unless a file that is replaced could be read by others: servers run as other users.
enum PrivateFile {
    static func read(_ path: String) throws -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw ToolError.inputUnusable("\(path.escapedForDisplay) cannot be read")
        }
    }

    /// Writes a file as a whole: readers see the former content or the new one.
    static func write(_ bytes: [UInt8], to path: String, replacing: Bool) throws {
        func failure(_ code: CInt) -> ToolError {
            .outputUnusable("\(path.escapedForDisplay) cannot be written: \(String(cString: strerror(code)))")
        }
        // A link is followed, so that the file to which it leads is replaced.
        let target = replacing ? (realpath(path, nil).map { String(cString: $0) } ?? path) : path
        let created = replacing ? "\(target).\(String(UInt64.random(in: .min ... .max), radix: 36)).new" : target
        let descriptor = open(created, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST {
                throw ToolError.outputUnusable("\(path.escapedForDisplay) exists; replace it with --force")
            }
            throw failure(errno)
        }
        do {
            if replacing { try Self.takeOver(descriptor, target, failure) }
            try BlockingIO.write(bytes, to: descriptor)
            guard fsync(descriptor) == 0 else { throw failure(errno) }
        } catch {
            close(descriptor)
            unlink(created)
            if let error = error as? ToolError { throw error }
            throw ToolError.outputUnusable("\(path.escapedForDisplay) cannot be written")
        }
        close(descriptor)
        guard !replacing || rename(created, target) == 0 else {
            let code = errno
            unlink(created)
            throw failure(code)
        }
    }

    /// Gives a new file the owner, the group and the permissions of the one that it replaces, if there is one.
    private static func takeOver(_ descriptor: CInt, _ target: String, _ failure: (CInt) -> ToolError) throws {
        var status = stat()
        guard stat(target, &status) == 0 else { return }
        guard fchown(descriptor, status.st_uid, status.st_gid) == 0, fchmod(descriptor, status.st_mode & 0o777) == 0 else {
            throw failure(errno)
        }
    }
}
