import Foundation

/// A program of this machine that tests talk to, where it is installed.
package struct Program: Sendable {
    package let path: String

    /// Looks in the folders of `PATH`; nil if there is none.
    package init?(_ name: String) {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        let found = folders.lazy.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let found else { return nil }
        self.path = found
    }

    /// The program at this path; nil if there is none.
    package init?(path: String) {
        guard FileManager.default.isExecutableFile(atPath: path) else { return nil }
        self.path = path
    }

    /// OpenSSL's own tool. LibreSSL's, which macOS has, takes other options.
    package static let openssl: Program? = {
        guard let program = Program("openssl"), let version = try? program.run(["version"]),
            version.status == 0, version.output.hasPrefix("OpenSSL 3")
        else { return nil }
        return program
    }()

    package struct Outcome: Sendable {
        package let status: Int32
        /// Standard output and standard error, as they came.
        package let output: String
    }

    /// Runs it to its end, without standard input. Blocks; for programs that are done in a moment.
    package func run(_ arguments: [String]) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: self.path)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Outcome(status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
    }
}
