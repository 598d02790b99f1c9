import Foundation
import SecureSockets
import TestSupport
import Testing

@testable import TLSCommand

@Suite struct `The tool's commands` {
    /// The words that lead to each, and its type.
    private static let commands: [(path: [String], type: any Command.Type)] = Self.commands(in: TLSCommand.commands, [])

    private static func commands(in tree: CommandTree, _ path: [String]) -> [(path: [String], type: any Command.Type)] {
        switch tree.content {
        case .command(let type): [(path, type)]
        case .group(let members): members.flatMap { Self.commands(in: $0, path + [$0.title.name]) }
        }
    }

    private static func groups(in tree: CommandTree, _ path: [String]) -> [[String]] {
        guard case .group(let members) = tree.content else { return [] }
        return [path] + members.flatMap { Self.groups(in: $0, path + [$0.title.name]) }
    }

    private static let words = commands.map(\.path) + groups(in: TLSCommand.commands, [])

    private static func interpret(_ words: [String]) -> CommandTree.Interpretation {
        TLSCommand.commands.interpret(words, version: TLSCommand.version)
    }

    private static func help(_ words: [String]) throws -> String {
        guard case .print(let text) = Self.interpret(["help"] + words) else {
            throw UsageError("no help of \(words)")
        }
        return text
    }

    @Test func `are those that are documented`() {
        #expect(
            Self.commands.map { $0.path.joined(separator: " ") } == [
                "demo", "connect", "serve", "certs dev", "tickets new", "tickets rotate", "tickets show", "tickets forget",
                "fleet check",
            ])
    }

    @Test(arguments: words) func `have help of 80 columns, the same by help and --help`(words: [String]) throws {
        let text = try Self.help(words)
        for line in text.split(separator: "\n") {
            #expect(line.count <= 80, "\(line)")
            #expect(line.last != " ", "\(line)")
        }
        for option in ["-h", "--help"] {
            guard case .print(text) = Self.interpret(words + [option]) else {
                Issue.record("other help: \(Self.interpret(words + [option]))")
                continue
            }
        }
    }

    @Test(arguments: commands.map(\.path)) func `document every argument with a sentence`(path: [String]) throws {
        let type = try #require(Self.commands.first { $0.path == path }?.type)
        let text = try Self.help(path)
        for form in type.forms {
            let option = form.takesValue ? "  \(form.name) <\(form.placeholder)>" : "  \(form.name)"
            let label = form.isPositional ? "\n  <\(form.name)> " : option
            #expect(text.contains(label), "\(form.name)")
            #expect(form.help.hasSuffix(".") || form.help.hasSuffix(")") || form.isPositional, "\(form.help)")
            #expect(form.isPositional || form.name.wholeMatch(of: /--[a-z]+(-[a-z]+)*/) != nil, "\(form.name)")
            #expect(form.short?.isLetter ?? true)
        }
        let names = type.forms.map(\.name) + type.forms.compactMap { $0.short.map { "-\($0)" } }
        #expect(Set(names + ["--help", "-h"]).count == names.count + 2)
        let required = type.forms.lastIndex { $0.kind == .requiredPositional } ?? -1
        #expect(type.forms.firstIndex { $0.kind == .optionalPositional }.map { $0 > required } ?? true)
    }

    /// What a command holds when only one argument has been given, by the argument.
    private static func values<C: Command>(_ type: C.Type) throws -> [String: String] {
        var values = ["": String(describing: C())]
        for argument in C.arguments.arguments {
            var command = C()
            let form = argument.form
            let other = form.possibleValues.first { $0 != form.defaultValue }
            let value =
                switch form.placeholder {
                case "host:port": "other:1"
                case "id": "spiffe://17"
                default: "17"
                }
            try argument.assign(&command, other ?? value)
            values[form.name] = String(describing: command)
        }
        return values
    }

    @Test(arguments: commands.map(\.path)) func `store every argument in a property of its own`(path: [String]) throws {
        let type = try #require(Self.commands.first { $0.path == path }?.type)
        let values = try Self.values(type)
        #expect(values.count == type.forms.count + 1)
        #expect(Set(values.values).count == values.count, "\(values)")
    }

    @Test func `take their options`() throws {
        let line = [
            "serve", "8443", "--host=::1", "--cert", "c", "--key", "k", "--password", "p", "--client-ca", "ca",
            "--require-client-certificate", "--allow-legacy-certificates", "--partial-chain", "--packet", "2", "--alpn", "h2,x",
            "--grace", "0.5", "--json",
        ]
        guard case .run(let command) = Self.interpret(line), let serve = command as? Serve else {
            Issue.record("\(Self.interpret(line))")
            return
        }
        #expect(serve.port == 8443)
        #expect(serve.host == "::1")
        #expect([serve.identity.cert, serve.identity.key, serve.identity.password] == ["c", "k", "p"])
        #expect(serve.clients.clientCA == "ca")
        #expect(serve.clients.requireClientCertificate && serve.leniency.allowLegacyCertificates && serve.leniency.partialChain)
        #expect(serve.stream.packet == .twoBytes)
        #expect(serve.stream.alpn == ["h2", "x"])
        #expect(serve.grace.duration == .milliseconds(500))
        #expect(serve.json)
    }

    @Test func `show an example of help`() throws {
        #expect(
            try Self.help(["certs", "dev"]) == """
                Usage: tls certs dev [<options>] <dir>

                Make an authority and the certificates of a server and a client, in a directory.

                Writes the certificates ca.pem, server.pem and client.pem, and their keys
                ca-key.pem, server-key.pem and client-key.pem. For development only: never let
                another machine trust this authority.

                Arguments:
                  <dir>                   The directory to write to; created if it is missing.

                Options:
                  --name <name>           A host name or IP address of the server; may be
                                          repeated. (default: localhost, 127.0.0.1, ::1)
                  --key <kind>            The kind of the keys. (values: p256, p384, rsa,
                                          ed25519; default: p256)
                  --force                 Replace files that exist.
                  --expired               Make certificates that expired yesterday.
                  --not-yet-valid         Make certificates that become valid in thirty days.
                  --wrong-name            Issue the server's certificate for wrong.example only.
                  --encrypted <password>  Encrypt the keys with this password.
                  --json                  Print the result as JSON.
                  -h, --help              Show this help.
                """)
    }

    @Test func `do not run for --version, which is that of the changelog`() async throws {
        let outcome = try await Tool.run("--version")
        #expect(outcome.status == 0)
        #expect(outcome.output == "tls \(TLSCommand.version)\n")
        #expect(outcome.errors == "")
        let changelog = try Repository.text(of: "CHANGELOG.md")
        // The newest release, if there has been one.
        if let release = changelog.firstMatch(of: /(?m)^## \[?([0-9]+\.[0-9]+\.[0-9]+)/)?.output.1 {
            #expect(TLSCommand.version == release)
        }
    }

    @Test func `report a misspelt option with its usage, and exit with 64`() async throws {
        let outcome = try await Tool.run("connect", "localhost:443", "--inscure")
        #expect(outcome.status == 64)
        #expect(outcome.output == "")
        #expect(
            outcome.errors == """
                tls: unknown option '--inscure'; did you mean '--insecure'?
                Usage: tls connect [<options>] <host:port>
                  See 'tls connect --help' for more information.

                """)
    }
}
