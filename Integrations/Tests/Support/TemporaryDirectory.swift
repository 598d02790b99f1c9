import Foundation

/// A directory of a test, which is removed with this object.
package final class TemporaryDirectory: Sendable {
    package let path: String
    private let owner: Account?

    /// Creates the directory.
    ///
    /// - Parameter owner: The owner of the directory and of the files that are written to it. Default: the user of the tests. Only root can
    ///   create a directory for another one.
    package init(owner: Account? = nil) throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("secure-sockets-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        self.path = url.path
        self.owner = owner
        try self.giveToOwner(self.path)
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    /// The path of a file of this name, which may not exist.
    package func path(of name: String) -> String { "\(self.path)/\(name)" }

    /// Writes a file that only its owner can read, and returns its path.
    package func write(_ text: String, to name: String) throws -> String {
        let path = self.path(of: name)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        try self.giveToOwner(path)
        return path
    }

    private func giveToOwner(_ path: String) throws {
        guard let owner = self.owner, chown(path, owner.user, owner.group) != 0 else { return }
        throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EPERM)
    }
}
