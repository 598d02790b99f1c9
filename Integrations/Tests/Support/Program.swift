import Foundation

/// An installed program that tests run as a peer.
package struct Program: Sendable {
    package let path: String

    /// Looks for the program in the folders of `PATH`, then in further ones.
    ///
    /// - Returns: Nil if it is not installed.
    package init?(_ names: String..., folders: [String] = []) {
        let all =
            (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map(String.init) + folders
        let paths = names.flatMap { name in all.map { "\($0)/\(name)" } }
        guard let found = paths.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else { return nil }
        self.path = found
    }

    package static let curl = Program("curl")
    package static let chromium = Program("chromium", "chromium-browser", "google-chrome")

    package struct Outcome: Sendable {
        package let status: Int32
        package let output: String
        package let errors: String
    }

    /// Runs the program to its end, without standard input.
    ///
    /// - Parameter limit: The time in seconds after which it is killed.
    package func run(_ arguments: [String], environment: [String: String] = [:], limit: Int = 60) async throws -> Outcome {
        let directory = try TemporaryDirectory()
        let (output, errors) = (directory.path(of: "output"), directory.path(of: "errors"))
        let running = try await RunningProgram.start(
            self, arguments, environment: environment, output: output, errors: errors, limit: limit)
        let status = await running.waitUntilEnded()
        return Outcome(
            status: status, output: try String(contentsOfFile: output, encoding: .utf8),
            errors: try String(contentsOfFile: errors, encoding: .utf8))
    }
}
