import Foundation

/// A directory of a test's own, which is gone when nobody refers to it any more.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("secure-sockets-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        self.path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    /// Where a file of this name is, or would be.
    package func path(of name: String) -> String { "\(self.path)/\(name)" }

    /// Writes a file, and tells where it is.
    package func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
        let path = self.path(of: name)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    package func write(_ text: String, to name: String) throws -> String {
        try self.write(text.utf8, to: name)
    }

    /// Puts another file in the place of one, as package managers do.
    package func replace(_ name: String, with text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: self.path(of: name)), options: .atomic)
    }

    /// Makes a folder, and tells where it is.
    package func makeFolder(_ name: String) throws -> String {
        let path = self.path(of: name)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        return path
    }
}
