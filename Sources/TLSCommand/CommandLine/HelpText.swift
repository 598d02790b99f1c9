/// The help of a command, and its usage after an error.
struct HelpText {
    let node: CommandTree
    /// The names that lead to the command.
    let path: [String]

    private static let width = 80

    var command: String { self.path.joined(separator: " ") }
    var isRoot: Bool { self.path.count == 1 }

    private var forms: [ArgumentForm] {
        if case .command(let type) = self.node.content { type.forms } else { [] }
    }

    private var usage: String {
        guard case .command = self.node.content else { return "\(self.command) <command>" }
        return ([self.command, "[<options>]"] + self.forms.filter(\.isPositional).map(\.usage)).joined(separator: " ")
    }

    /// Returns the error, the usage, and a reference to the help.
    func text(for error: UsageError) -> String {
        "\(self.path[0]): \(error.message)\nUsage: \(self.usage)\n  See '\(self.command) --help' for more information."
    }

    /// The complete help.
    var text: String {
        let title = self.node.title
        var sections = ["Usage: \(self.usage)", Self.paragraphs(title.abstract)]
        if !title.discussion.isEmpty { sections.append(Self.paragraphs(title.discussion)) }
        let arguments = self.forms.filter(\.isPositional).map { Self.row("  <\($0.placeholder)>", $0.description) }
        if !arguments.isEmpty { sections.append("Arguments:\n" + arguments.joined(separator: "\n")) }
        var options = self.forms.filter { !$0.isPositional }.map { Self.row("  \($0.label)", $0.description) }
        options.append(Self.row("  -h, --help", "Show this help."))
        if self.isRoot { options.append(Self.row("  --version", "Show the version.")) }
        sections.append("Options:\n" + options.joined(separator: "\n"))
        if case .group(let members) = self.node.content {
            let rows = members.map { Self.row("  " + $0.title.names.joined(separator: ", "), $0.title.abstract) }
            sections.append("Commands:\n" + rows.joined(separator: "\n"))
            let help = ([self.path[0], "help"] + self.path.dropFirst()).joined(separator: " ")
            sections.append("See '\(help) <command>' for more.")
        }
        return sections.joined(separator: "\n\n")
    }

    // MARK: Layout

    /// Returns a label with a text in a column beside it, or below it if the label is too wide.
    static func row(_ label: String, _ text: String, column: Int = 26) -> String {
        var lines = Self.wrapped(text, to: Self.width - column).map { String(repeating: " ", count: column) + $0 }
        if label.count + 2 <= column {
            lines[0] = label + lines[0].dropFirst(label.count)
        } else {
            lines.insert(label, at: 0)
        }
        return lines.joined(separator: "\n")
    }

    /// Wraps the lines of a text, except those that begin with a space.
    private static func paragraphs(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix(" ") ? String(line) : Self.wrapped(String(line), to: Self.width).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    /// Wraps a text. Returns at least one line. A word that is wider than a line is placed on a line of its own.
    private static func wrapped(_ text: String, to width: Int) -> [String] {
        text.split(separator: " ").reduce(into: [""]) { lines, word in
            let last = lines[lines.count - 1]
            if last.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if last.count + 1 + word.count <= width {
                lines[lines.count - 1] += " \(word)"
            } else {
                lines.append(String(word))
            }
        }
    }
}

extension ArgumentForm {
    fileprivate var usage: String {
        switch self.kind {
        case .requiredPositional: "<\(self.placeholder)>"
        case .repeatedPositional: "<\(self.placeholder)> ..."
        default: "[<\(self.placeholder)>]"
        }
    }

    /// An option, for example `-n, --name <name>`.
    fileprivate var label: String {
        (self.short.map { "-\($0), " } ?? "") + self.name + (self.takesValue ? " <\(self.placeholder)>" : "")
    }

    /// The help with the possible values and the default.
    fileprivate var description: String {
        var notes: [String] = []
        if !self.possibleValues.isEmpty { notes.append("values: \(self.possibleValues.joined(separator: ", "))") }
        if let defaultValue { notes.append("default: \(defaultValue)") }
        return notes.isEmpty ? self.help : "\(self.help) (\(notes.joined(separator: "; ")))"
    }
}
