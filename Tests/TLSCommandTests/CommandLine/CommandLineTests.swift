import Testing

@testable import TLSCommand

/// Commands that have each kind of argument once.
private enum Sample {
    enum Colour: String, CaseIterable { case red, green }

    struct Shared: ArgumentGroup {
        var user: String?
        var token: String?

        static let arguments: ArgumentTable<Shared> = [
            .option("--user", short: "u", \.user, .text("name"), "Who asks."),
            .option("--token", \.token, .text("token"), "The token of --user."),
        ]

        func validate() throws(UsageError) {
            if self.token != nil, self.user == nil { throw UsageError("--token needs --user.") }
        }
    }

    /// A group that contains another.
    struct Outer: ArgumentGroup {
        var shared = Shared()

        static let arguments: ArgumentTable<Outer> = [.group(\.shared)]
    }

    struct Copy: Command, Equatable {
        var source = ""
        var target: String?
        var count = 1
        var colour = Colour.red
        var tags: [String] = []
        var outer = Outer()
        var isQuiet = false
        var isVerbose = false
        var limit: Int?

        static let title = CommandTitle(
            name: "copy", aliases: ["cp"], abstract: "Copy one thing to another place.",
            discussion: """
                The first paragraph is long enough that it has to be wrapped, and so it is broken after the last word that fits.

                Example:
                  sample copy a b
                """)

        static let arguments: ArgumentTable<Copy> = [
            .required("source", \.source, .text("file"), "What to copy."),
            .optional("target", \.target, .text("file"), "Where to; the standard output if there is none."),
            .option("--count", short: "n", \.count, .number(0...9), "How many copies."),
            .option("--colour", \.colour, .choice("colour"), "In which colour."),
            .repeated("--tag", short: "t", \.tags, .text("tag"), "A label; may be repeated."),
            .group(\.outer),
            .flag("--quiet", short: "q", \.isQuiet, "Print nothing."),
            .flag("--verbose", short: "v", \.isVerbose, "Print everything."),
            .option("--a-name-wider-than-its-column", \.limit, .number(-5...5), "Explained below."),
        ]

        func validate() throws(UsageError) {
            if self.isQuiet, self.isVerbose { throw UsageError("--quiet and --verbose exclude each other.") }
        }

        func run() {}

        static func == (a: Copy, b: Copy) -> Bool { String(describing: a) == String(describing: b) }
    }

    struct Idle: Command {
        static let title = CommandTitle(name: "idle", abstract: "Do nothing.")
        static let arguments: ArgumentTable<Idle> = []

        func run() {}
    }

    static let tree = CommandTree.group(
        CommandTitle(name: "sample", abstract: "A sample."),
        [
            .command(Copy.self),
            .group(CommandTitle(name: "deep", abstract: "A group."), [.command(Idle.self)]),
        ])

    static func interpret(_ line: String) -> CommandTree.Interpretation {
        // A word in a row of a test has no spaces; `_` stands for an empty one.
        tree.interpret(line.split(separator: " ").map { $0 == "_" ? "" : String($0) }, version: "1.2.3")
    }

    static func copy(_ edit: (inout Copy) -> Void) -> Copy {
        var copy = Copy()
        copy.source = "a"
        edit(&copy)
        return copy
    }
}

extension CommandTree.Interpretation {
    fileprivate var printed: String? { if case .print(let text) = self { text } else { nil } }

    /// The first line, without the name of the program.
    fileprivate var error: String? {
        guard case .fail(let text) = self else { return nil }
        return text.split(separator: "\n").first?.trimmingPrefix("sample: ").description
    }

    fileprivate var command: (any Command)? { if case .run(let command) = self { command } else { nil } }
}

@Suite struct `A command line` {
    @Test(arguments: [
        ("copy a", Sample.copy { _ in }),
        ("cp a", Sample.copy { _ in }),
        ("copy a b", Sample.copy { $0.target = "b" }),
        ("copy a _", Sample.copy { $0.target = "" }),
        ("copy a -", Sample.copy { $0.target = "-" }),
        ("copy a -1", Sample.copy { $0.target = "-1" }),
        ("copy a --count 2", Sample.copy { $0.count = 2 }),
        ("copy --count=2 a", Sample.copy { $0.count = 2 }),
        ("copy -n 2 a", Sample.copy { $0.count = 2 }),
        ("copy -n=2 a", Sample.copy { $0.count = 2 }),
        ("copy -n2 a", Sample.copy { $0.count = 2 }),
        ("copy a --colour green", Sample.copy { $0.colour = .green }),
        ("copy a --user=a=b", Sample.copy { $0.outer.shared.user = "a=b" }),
        ("copy a --user=", Sample.copy { $0.outer.shared.user = "" }),
        ("copy a --user=-x", Sample.copy { $0.outer.shared.user = "-x" }),
        ("copy a --user -", Sample.copy { $0.outer.shared.user = "-" }),
        ("copy a --a-name-wider-than-its-column -5", Sample.copy { $0.limit = -5 }),
        ("copy --tag x a -t y --tag=z", Sample.copy { $0.tags = ["x", "y", "z"] }),
        ("copy a -q --quiet", Sample.copy { $0.isQuiet = true }),
        (
            "copy a -vn3",
            Sample.copy {
                $0.isVerbose = true
                $0.count = 3
            }
        ),
        ("copy -- a --quiet", Sample.copy { $0.target = "--quiet" }),
        ("copy a -- --help", Sample.copy { $0.target = "--help" }),
        ("copy -- a --", Sample.copy { $0.target = "--" }),
    ]) private func `becomes a command with its values`(line: String, expected: Sample.Copy) throws {
        let interpretation = Sample.interpret(line)
        #expect(try #require(interpretation.command as? Sample.Copy, "\(interpretation)") == expected)
    }

    @Test func `may name a command of a nested group`() {
        #expect(Sample.interpret("deep idle").command is Sample.Idle)
    }

    @Test(arguments: [
        ("frobnicate", "unknown command 'frobnicate'; the commands are 'copy' and 'deep'"),
        ("deep frobnicate", "unknown command 'frobnicate'; the command is 'idle'"),
        ("_", "unknown command ''; the commands are 'copy' and 'deep'"),
        ("cpoy", "unknown command 'cpoy'; did you mean 'copy'?"),
        ("hlep", "unknown command 'hlep'; did you mean 'help'?"),
        ("help cop", "unknown command 'cop'; did you mean 'copy'?"),
        ("deep idel", "unknown command 'idel'; did you mean 'idle'?"),
        ("--verson", "unknown option '--verson'; did you mean '--version'?"),
        ("deep --version", "unknown option '--version'"),
        ("--quiet copy a", "option '--quiet' belongs after a command: sample copy --quiet"),
        ("copy a --conut 2", "unknown option '--conut'; did you mean '--count'?"),
        ("copy a --conut=2", "unknown option '--conut'; did you mean '--count'?"),
        ("copy a --Quiet", "unknown option '--Quiet'; did you mean '--quiet'?"),
        ("copy a -quiet", "unknown option '-quiet'; did you mean '--quiet'?"),
        ("copy a --a-name", "unknown option '--a-name'; did you mean '--a-name-wider-than-its-column'?"),
        ("copy a --something-else", "unknown option '--something-else'"),
        ("copy a -x", "unknown option '-x'"),
        ("copy a -vx", "unknown option '-vx'"),
        ("copy --source a", "unknown option '--source'; give the value without a name: sample copy <source>"),
        ("copy a --count", "option '--count' needs a value: --count <number>"),
        ("copy a -n", "option '-n' needs a value: -n <number>"),
        ("copy a --user --quiet", "option '--user' needs a value: --user <name>"),
        ("copy a --user -q", "option '--user' needs a value: --user <name>"),
        ("copy a --user --colour=red", "option '--user' needs a value: --user <name>"),
        ("copy a --user -- b", "option '--user' needs a value: --user <name>"),
        ("copy a --user -x", "option '--user' needs a value: --user <name>; if '-x' is the value, write --user=-x"),
        ("copy a -u -x", "option '-u' needs a value: -u <name>; if '-x' is the value, write -u=-x"),
        ("copy a --quiet=yes", "option '--quiet' takes no value; leave out '=yes'"),
        ("copy a -q=yes", "option '-q' takes no value; leave out '=yes'"),
        ("copy a --quiet=", "option '--quiet' takes no value; leave out '='"),
        ("copy a --count 1 --count 1", "option '--count' is given twice; give it once"),
        ("copy a --count 1 -n 1", "option '-n' is given twice; give it once"),
        ("copy a --count many", "--count: 'many' is not a whole number; give a number from 0 to 9"),
        ("copy a --count 1.5", "--count: '1.5' is not a whole number; give a number from 0 to 9"),
        ("copy a --count=", "--count: '' is not a whole number; give a number from 0 to 9"),
        ("copy a -n 10", "-n: '10' is out of range; give a number from 0 to 9"),
        ("copy a -n -1", "-n: '-1' is out of range; give a number from 0 to 9"),
        ("copy a -n 99999999999999999999", "-n: '99999999999999999999' is out of range; give a number from 0 to 9"),
        ("copy a --colour blue", "--colour: 'blue' is not one of the possible values; give 'red' or 'green'"),
        ("copy", "argument <source> is missing: What to copy."),
        ("copy a b c", "unexpected argument 'c'; 'sample copy' takes only <source> and <target>"),
        ("copy -- a b c", "unexpected argument 'c'; 'sample copy' takes only <source> and <target>"),
        ("deep idle a", "unexpected argument 'a'; 'sample deep idle' takes none"),
        ("copy a --token x", "--token needs --user."),
        ("copy a --quiet --verbose", "--quiet and --verbose exclude each other."),
    ]) func `that cannot be interpreted says what is at fault and what to write`(line: String, message: String) {
        let interpretation = Sample.interpret(line)
        #expect(interpretation.error == message, "\(interpretation)")
    }

    @Test func `with an error is followed by the usage of the command, and where to read more`() {
        guard case .fail(let text) = Sample.interpret("deep idle x") else {
            Issue.record("no error")
            return
        }
        #expect(
            text == """
                sample: unexpected argument 'x'; 'sample deep idle' takes none
                Usage: sample deep idle [<options>]
                  See 'sample deep idle --help' for more information.
                """)
    }

    /// A word that contains an escape sequence, a line break and a character that reverses the text after it.
    private static let odd = "x\u{1b}[2J\n\u{202e}"

    @Test(arguments: [
        [odd], ["--\(odd)"], ["copy", "--\(odd)"], ["copy", "--\(odd)=1"], ["copy", "-\(odd)"], ["copy", "-q=\(odd)"],
        ["copy", "--user", "-\(odd)"], ["copy", "--count", odd], ["copy", "--colour", odd], ["copy", "a", "b", odd],
        ["copy", "--quiet=\(odd)"],
    ]) func `is quoted with its control characters escaped`(words: [String]) throws {
        let error = try #require(Sample.tree.interpret(words, version: "1").error)
        #expect(error.contains(#"x\u{1b}[2J\u{a}\u{202e}"#))
        #expect(!error.unicodeScalars.contains { $0.value < 32 || $0.value == 0x202e })
    }

    @Test func `of any length is quoted in part`() throws {
        let word = "--" + String(repeating: "x", count: 100_000)
        let error = try #require(Sample.tree.interpret(["copy", word], version: "1").error)
        #expect(error.count < 400)
    }
}

@Suite struct `Help` {
    @Test(arguments: [
        ("", "sample"), ("-h", "sample"), ("--help", "sample"), ("help", "sample"), ("help help", "sample"),
        ("--help copy", "sample"),
        ("help copy", "copy"), ("help cp", "copy"), ("copy -h", "copy"), ("copy --help", "copy"), ("copy a b c --help", "copy"),
        ("copy --bogus --help", "copy"), ("copy --count --help", "copy"), ("help copy --bogus", "copy"),
        ("deep", "deep"), ("deep -h", "deep"), ("help deep", "deep"), ("deep help", "deep"),
        ("help deep idle", "idle"), ("deep help idle", "idle"), ("deep idle --help", "idle"),
    ]) func `is printed at every level, whatever else is wrong`(line: String, command: String) throws {
        let text = try #require(Sample.interpret(line).printed)
        let usage = [
            "sample": "Usage: sample <command>\n", "copy": "Usage: sample copy [<options>] <source> [<target>]\n",
            "deep": "Usage: sample deep <command>\n", "idle": "Usage: sample deep idle [<options>]\n",
        ]
        #expect(text.hasPrefix(try #require(usage[command])), "\(text)")
    }

    @Test func `of a command has its usage, arguments and options, with values and defaults`() {
        #expect(
            Sample.interpret("help copy").printed == """
                Usage: sample copy [<options>] <source> [<target>]

                Copy one thing to another place.

                The first paragraph is long enough that it has to be wrapped, and so it is
                broken after the last word that fits.

                Example:
                  sample copy a b

                Arguments:
                  <source>                What to copy.
                  <target>                Where to; the standard output if there is none.

                Options:
                  -n, --count <number>    How many copies. (default: 1)
                  --colour <colour>       In which colour. (values: red, green; default: red)
                  -t, --tag <tag>         A label; may be repeated.
                  -u, --user <name>       Who asks.
                  --token <token>         The token of --user.
                  -q, --quiet             Print nothing.
                  -v, --verbose           Print everything.
                  --a-name-wider-than-its-column <number>
                                          Explained below.
                  -h, --help              Show this help.
                """)
    }

    @Test func `of a group lists its commands with their aliases`() {
        #expect(
            Sample.interpret("help").printed == """
                Usage: sample <command>

                A sample.

                Options:
                  -h, --help              Show this help.
                  --version               Show the version.

                Commands:
                  copy, cp                Copy one thing to another place.
                  deep                    A group.

                See 'sample help <command>' for more.
                """)
        #expect(Sample.interpret("deep").printed?.hasSuffix("See 'sample help deep <command>' for more.") == true)
    }

    @Test func `is not the version, which the root prints`() {
        #expect(Sample.interpret("--version").printed == "sample 1.2.3")
    }
}

@Suite struct `A suggestion` {
    private static let names = ["--cert", "--key", "--client-ca", "--server-name", "--json"]

    @Test(arguments: [
        ("--crt", "--cert"), ("--certt", "--cert"), ("--cerd", "--cert"), ("--ecrt", "--cert"), ("--kye", "--key"),
        ("--CERT", "--cert"), ("json", "--json"), ("--client", "--client-ca"), ("--clientca", "--client-ca"),
        ("--se", "--server-name"), ("--severname", "--server-name"),
    ]) func `is a name that differs in a few letters, or the only one that begins so`(word: String, name: String) {
        #expect(Suggestion.nearest(to: word, among: Self.names) == name)
    }

    @Test(arguments: ["", "--", "--c", "--x", "--port", "--timeout", String(repeating: "-cert", count: 1000)])
    func `is not made where nothing is near`(word: String) {
        #expect(Suggestion.nearest(to: word, among: Self.names) == nil)
    }
}
