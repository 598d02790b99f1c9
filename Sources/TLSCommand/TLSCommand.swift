import Foundation
import TLSEngine

/// The tool `tls`.
@main
enum TLSCommand {
    /// The version of the package. `tls --version` prints it, and the changelog has a section for it.
    static let version = "0.1.0"

    static let commands = CommandTree.group(
        CommandTitle(
            name: "tls",
            abstract: "Secure sockets from the command line.",
            discussion: """
                Begin with: tls demo

                Exit statuses:
                \(ExitStatus.table)

                An error is one line on standard error, with advice on what to do next. An error in the command line is followed \
                by the usage. A second Ctrl-C ends serve at once, with status 130. With --json, each line that a command prints \
                about itself, on either stream, is one JSON object, whose "event" names its kind.
                """),
        [.command(Demo.self), .command(Connect.self), .command(Serve.self), Certs.group, Tickets.group, Fleet.group])

    static func main() async {
        // Writing to a closed pipe is then an error of `write` and does not end the process.
        signal(SIGPIPE, SIG_IGN)
        Foundation.exit(await self.run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    /// Runs a command line, reports an error if there is one, and returns the status to exit with.
    ///
    /// Concurrent, so that it leaves the main thread and Dispatch starts its threads now. Later there may be no descriptor left for them,
    /// and Dispatch then ends the process.
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
