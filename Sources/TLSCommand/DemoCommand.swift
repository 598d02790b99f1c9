import SecureSockets

/// `tls demo`.
struct Demo: Command, SpeaksJSON {
    var stay = false
    var json = false

    static let title = CommandTitle(
        name: "demo",
        abstract: "Show a server, a client and a refused certificate on this machine.",
        discussion: """
            Needs no files, network or arguments. Runs real TLS over real sockets, with newly made certificates. Exits with 0 if \
            the connection succeeds and the refusal is the expected one.
            """)

    static let arguments: ArgumentTable<Demo> = [
        .flag("--stay", \.stay, "Keep serving afterwards, until Ctrl-C, and print commands to try."),
        .flag("--json", \.json, "Print JSON, one object per line."),
    ]

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
