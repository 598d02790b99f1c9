import Foundation
import TLSEngine

/// The tool `tls`.
@main
enum TLSCommand {
    /// The version of the package, which `tls --version` prints and the changelog has a section for.
    static let version = "0.1.0"

    static let commands = CommandTree.group(
        CommandTitle(
            name: "tls",
            abstract: "Secure sockets from the command line.",
            discussion: """
                Begin with: tls demo

                Exit statuses:
                \(ExitStatus.table)

                An error is one line on the standard error, with what to do next; one of the command line is followed by its \
                usage. A second Ctrl-C ends serve at once, with 130. With --json, each line that a command prints about itself, \
                on either stream, is one JSON object; "event" says which.
                """),
        [.command(Demo.self), .command(Connect.self), .command(Serve.self), Certs.group])

    static func main() async {
        // A reader that has gone is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        Foundation.exit(await self.run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    /// Runs a command line, reports an error if there is one, and returns the status to exit with.
    ///
    /// Off the main thread, which starts Dispatch's threads now: later there may be no descriptor left for them, and Dispatch ends a process
    /// that has none.
    @concurrent private static func run(_ words: [String]) async -> ExitStatus {
        switch self.commands.interpret(words, version: self.version) {
        case .print(let text):
            try? LineOutput.standardOutput.write(text)
            return .success
        case .fail(let text):
            try? LineOutput.standardError.write(text)
            return .usage
        case .run(let command):
            do {
                try await command.run()
                return .success
            } catch {
                return self.report(error, (command as? any SpeaksJSON)?.style ?? .text)
            }
        }
    }

    private static func report(_ error: any Error, _ style: OutputStyle) -> ExitStatus {
        guard let report = ErrorReport(describing: error) else {
            try? LineOutput.standardError.write("tls: \("\(error)".escapedForDisplay)")
            return .failure
        }
        guard !report.isSilent else { return .success }
        try? Reporter(style: style, output: .standardError).report(report)
        return report.status
    }
}

/// A command that can print JSON.
protocol SpeaksJSON {
    var json: Bool { get }
}

extension SpeaksJSON {
    var style: OutputStyle { self.json ? .json : .text }
}
