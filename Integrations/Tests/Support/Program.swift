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
        let (output, errors) = (try directory.write("", to: "output"), try directory.write("", to: "errors"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: self.path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        let status: Int32 = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
                Limit.kill(process, after: limit)
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        return Outcome(
            status: status, output: try String(contentsOfFile: output, encoding: .utf8),
            errors: try String(contentsOfFile: errors, encoding: .utf8))
    }
}

/// Kills a process that a test has forgotten.
enum Limit {
    /// The process, which Foundation does not declare `Sendable`.
    ///
    /// Unchecked: `isRunning` and `processIdentifier` of Foundation's `Process` may be read by any thread after `run()`.
    private struct Running: @unchecked Sendable {
        weak var process: Process?
    }

    static func kill(_ process: Process, after seconds: Int) {
        let running = Running(process: process)
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(seconds)) {
            if let process = running.process, process.isRunning { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
        }
    }
}
