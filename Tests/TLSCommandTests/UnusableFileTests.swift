import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `A file that the tool cannot load` {
    @Test(arguments: UnusableFile.all)
    func `is reported on standard error as the library reports it`(_ file: UnusableFile) async throws {
        let made = try file.made()
        let tool = try Tool(
            ["serve", "0", "--cert", made.chain, "--key", made.key] + (made.trust.map { ["--client-ca", $0] } ?? [])
                + (file.password.map { ["--password", $0] } ?? []))
        let outcome = await tool.outcome()
        #expect(outcome.status == 2)
        #expect(outcome.output == "")
        let line = "tls: \(made.description)"
        #expect([line, line + "."].contains(outcome.errors.trimmed), "\(outcome.errors)")
        // A full stop behind a command would be copied with it.
        if made.remedy != nil { #expect(outcome.errors.trimmed == line) }
    }

    @Test(arguments: UnusableSystemTrust.all)
    func `is reported with the variable of the environment that names it`(_ row: UnusableSystemTrust) async throws {
        let folder = try TemporaryDirectory()
        let made = try row.made(in: folder)
        let tool = try Tool(["connect", "127.0.0.1:1"], environment: made.environment)
        let outcome = await tool.outcome()
        #expect(outcome.status == 2)
        let line = "tls: \(made.description)"
        #expect([line, line + "."].contains(outcome.errors.trimmed), "\(outcome.errors)")
    }
}

extension String {
    fileprivate var trimmed: String { self.hasSuffix("\n") ? String(self.dropLast()) : self }
}
