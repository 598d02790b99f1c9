import ArgumentParser
import SecureSockets

/// `tls demo`.
struct Demo: AsyncParsableCommand, SpeaksJSON {
    static let configuration = CommandConfiguration(
        abstract: "Show a server, a client and a refusal on this machine, with certificates made for the occasion.",
        discussion: """
            Needs no files, no network and no arguments. Everything is real: certificates, sockets, TLS. Exits with 0 if all \
            went as it should, a refusal included.
            """
    )

    @Flag(help: "Then go on serving until Ctrl-C, and print commands to try.")
    var stay = false

    @Flag(help: "Print JSON, one object per line.")
    var json = false

    func run() async throws {
        let reporter = Reporter(style: self.style, output: .standardOutput)
        let demonstration = try await Demonstration { try reporter.report($0) }
        guard self.stay else { return try await demonstration.run() }

        let stop = await StopSignals()
        let log = EventLog(Reporter(style: self.style, output: .standardError))
        try await log.flushed {
            try await demonstration.run(log: { log.add($0) }) { await stop.first() }
        }
    }
}
