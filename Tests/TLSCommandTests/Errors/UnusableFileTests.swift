import DevelopmentCertificates
import Foundation
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
        // A full stop after a command would be copied with it.
        if made.remedy != nil { #expect(outcome.errors.trimmed == line) }
    }

    @Test func `is not one with a byte order mark and CRLF line breaks`() async throws {
        let workshop = try CredentialWorkshop()
        func windows(_ pem: String) -> String { "\u{feff}" + pem.replacing("\n", with: "\r\n") }
        let tool = try Tool([
            "serve", "0", "--host", "127.0.0.1",
            "--cert", workshop.folder.write(windows(workshop.server.certificatePEM), to: "windows.pem"),
            "--key", workshop.folder.write(windows(workshop.server.privateKeyPEM), to: "windows.key"),
            "--client-ca", workshop.folder.write(windows(workshop.authority.certificatePEM), to: "windows-ca.pem"),
        ])
        #expect(await tool.output.line(with: "listening on 127.0.0.1:") != nil)
        tool.send(signal: SIGTERM)
        #expect(await tool.outcome().status == 0)
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
