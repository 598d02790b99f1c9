package import Foundation

/// The repository that these tests were built from, for tests that compare documents with code.
package enum Repository {
    /// The folder of `Package.swift`.
    package static let root: URL = {
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while folder.path != "/" {
            if FileManager.default.fileExists(atPath: folder.appending(path: "Package.swift").path) { return folder }
            folder.deleteLastPathComponent()
        }
        return folder
    }()

    /// Returns the text of the file at `path`, which starts at the root.
    package static func text(of path: String) throws -> String {
        try String(contentsOf: self.root.appending(path: path), encoding: .utf8)
    }

    /// Returns the text of all Swift files in `folder` and in the folders in it.
    package static func sources(in folder: String) throws -> String {
        let folder = self.root.appending(path: folder)
        return try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".swift") }.sorted()
            .map { try String(contentsOf: folder.appending(path: $0), encoding: .utf8) }.joined()
    }
}
