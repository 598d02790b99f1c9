import TLSEngine

/// A command or a group of commands, and the interpretation of command lines.
struct CommandTree: Sendable {
    enum Content: Sendable {
        case command(any Command.Type)
        case group([CommandTree])
    }

    /// The result of interpreting a command line.
    enum Interpretation: Sendable {
        case run(any Command)
        /// Help or the version, for standard output.
        case print(String)
        /// An error with its usage line, for standard error.
        case fail(String)
    }

    var title: CommandTitle
    var content: Content

    static func command(_ type: any Command.Type) -> CommandTree { CommandTree(title: type.title, content: .command(type)) }

    static func group(_ title: CommandTitle, _ members: [CommandTree]) -> CommandTree {
        CommandTree(title: title, content: .group(members))
    }

    /// Interprets the words that follow the program's name.
    func interpret(_ words: [String], version: String) -> Interpretation {
        var help = HelpText(node: self, path: [self.title.name])
        var rest = words[...]
        var wantsHelp = false
        while case .group(let members) = help.node.content {
            guard let word = rest.popFirst(), !Self.helpOptions.contains(word) else { return .print(help.text) }
            if word == "--version", help.isRoot { return .print("\(self.title.name) \(version)") }
            if word == "help" {
                wantsHelp = true
            } else if let member = members.first(where: { $0.title.names.contains(word) }) {
                help = HelpText(node: member, path: help.path + [member.title.name])
            } else {
                return .fail(help.text(for: Self.unknown(word, among: members, help)))
            }
        }
        guard case .command(let type) = help.node.content, !wantsHelp, !Self.asksForHelp(rest) else { return .print(help.text) }
        do {
            return .run(try Self.parse(type, rest, help))
        } catch {
            return .fail(help.text(for: error))
        }
    }

    private static func parse<C: Command>(
        _ type: C.Type, _ words: ArraySlice<String>, _ help: HelpText
    ) throws(UsageError) -> any Command {
        var parser = ArgumentParser<C>(command: help.command)
        return try parser.parse(words)
    }

    private static let helpOptions = ["-h", "--help"]

    /// Returns whether the words ask for help. Help precedes errors in the rest of the command line.
    private static func asksForHelp(_ words: ArraySlice<String>) -> Bool {
        words.prefix { $0 != "--" }.contains { Self.helpOptions.contains($0) }
    }

    private static func unknown(_ word: String, among members: [CommandTree], _ help: HelpText) -> UsageError {
        guard word.hasPrefix("-") else {
            if let name = Suggestion.nearest(to: word, among: members.flatMap(\.title.names) + ["help"]) {
                return UsageError("unknown command \(word.quotedArgument); did you mean '\(name)'?")
            }
            let names = members.map { "'\($0.title.name)'" }
            return UsageError(
                "unknown command \(word.quotedArgument); "
                    + (names.count == 1 ? "the command is \(names[0])" : "the commands are \(names.listed(with: "and"))"))
        }
        for case .command(let type) in members.map(\.content) {
            if let name = type.forms.map(\.name).first(where: { $0 == word }) {
                return UsageError("option '\(name)' belongs after a command: \(help.command) \(type.title.name) \(name)")
            }
        }
        return .unknownOption(word, known: ["--help"] + (help.isRoot ? ["--version"] : []))
    }
}
