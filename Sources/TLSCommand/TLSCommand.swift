import ArgumentParser
import Foundation

/// The tool `tls`.
@main
struct TLSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tls",
        abstract: "Secure sockets from the command line.",
        discussion: """
            Begin with: tls demo

            Exit statuses:
            \(ExitStatus.table)
            An error is one line on the standard error, with what to do next; one of the command line is followed by its usage. \
            A second Ctrl-C ends serve at once, with 130. With --json, each line that a command prints \
            about itself, on either stream, is one JSON object; "event" says which.
            """,
        subcommands: [Demo.self, Connect.self, Serve.self, Certs.self]
    )

    static func main() async {
        // A reader that has gone is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        Foundation.exit(await self.run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    /// Runs a command line, tells what went wrong if anything did, and answers what to exit with.
    private static func run(_ arguments: [String]) async -> ExitStatus {
        var style = OutputStyle.text
        do {
            var command = try await self.asyncParseAsRoot(arguments)
            if (command as? any SpeaksJSON)?.json == true { style = .json }
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return .success
        } catch {
            return self.report(error, style)
        }
    }

    private static func report(_ error: any Error, _ style: OutputStyle) -> ExitStatus {
        if let report = ErrorReport(describing: error) {
            guard !report.isSilent else { return .success }
            try? Reporter(style: style, output: .standardError).report(report)
            return report.status
        }
        // What is left is the argument parser's: help that was asked for, or a line it cannot make sense of.
        let text = self.fullMessage(for: error)
        if self.exitCode(for: error).isSuccess {
            try? LineOutput.standardOutput.write(text)
            return .success
        }
        let label = "Error: "
        try? LineOutput.standardError.write(text.hasPrefix(label) ? "tls: " + text.dropFirst(label.count) : text)
        return ExitStatus(rawValue: self.exitCode(for: error).rawValue) ?? .failure
    }
}

/// A command that can print JSON.
protocol SpeaksJSON {
    var json: Bool { get }
}

extension SpeaksJSON {
    var style: OutputStyle { self.json ? .json : .text }
}
