import TLSEngine

/// A parser of one command's arguments, from left to right.
struct ArgumentParser<Root: Command> {
    /// The names that lead to the command, for messages.
    private let command: String
    private let options: [Argument<Root>]
    private var positionals: ArraySlice<Argument<Root>>
    private var rest: ArraySlice<String> = []
    private var root = Root()
    /// The options given so far that may be given only once.
    private var given: Set<String> = []

    init(command: String) {
        self.command = command
        let arguments = Root.arguments.arguments
        self.options = arguments.filter { !$0.form.isPositional }
        self.positionals = arguments.filter(\.form.isPositional)[...]
    }

    /// Parses the words.
    ///
    /// - Throws: The first error of the words or of the checks.
    mutating func parse(_ words: ArraySlice<String>) throws(UsageError) -> Root {
        self.rest = words
        while let word = self.rest.popFirst() {
            if word == "--" { break }
            if word.hasPrefix("--") {
                try self.takeLong(word)
            } else if Self.looksLikeOption(word) {
                try self.takeShort(word)
            } else {
                try self.takePositional(word)
            }
        }
        // The words after "--".
        while let word = self.rest.popFirst() { try self.takePositional(word) }
        if let missing = self.positionals.first?.form, missing.kind == .requiredPositional || self.lacksFirst(missing) {
            throw UsageError("argument <\(missing.placeholder)> is missing: \(missing.help)")
        }
        for check in Root.arguments.checks { try check.validate(self.root) }
        try self.root.validate()
        return self.root
    }

    /// Returns whether a word looks like an option. A single hyphen, which means standard input in many tools, and "-5" do not.
    private static func looksLikeOption(_ word: String) -> Bool {
        guard word.hasPrefix("-"), let letter = word.dropFirst().first else { return false }
        return !(letter.isASCII && letter.isNumber)
    }

    // MARK: Options

    /// Parses `--name`, `--name value` or `--name=value`.
    private mutating func takeLong(_ word: String) throws(UsageError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let option = self.options.first(where: { $0.form.name == parts[0] }) else { throw self.unknown(parts[0]) }
        try self.take(option, writtenAs: parts[0], attached: parts.count == 2 ? parts[1] : nil)
    }

    /// Parses `-a`, `-a value`, `-a=value` or `-avalue`, or several flags in one word.
    private mutating func takeShort(_ word: String) throws(UsageError) {
        // A long name with one hyphen instead of two, not a group of letters.
        if self.options.contains(where: { $0.form.name == "-\(word)" }) { throw self.unknown(word) }
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = self.options.first(where: { $0.form.short == letter }) else { throw self.unknown(word) }
            var attached: Substring?
            if letters.hasPrefix("=") {
                attached = letters.dropFirst()
            } else if option.form.takesValue, !letters.isEmpty {
                attached = letters
            }
            try self.take(option, writtenAs: "-\(letter)", attached: attached.map(String.init))
            if attached != nil { return }
        }
    }

    private mutating func take(_ option: Argument<Root>, writtenAs name: String, attached: String?) throws(UsageError) {
        guard option.form.takesValue else {
            if let attached { throw UsageError("option '\(name)' takes no value; leave out \("=\(attached)".quotedArgument)") }
            return try option.assign(&self.root, "")
        }
        guard option.form.kind == .repeatableOption || self.given.insert(option.form.name).inserted else {
            throw UsageError("option '\(name)' is given twice; give it once")
        }
        let value = if let attached { attached } else { try self.nextValue(of: option.form, writtenAs: name) }
        try self.assign(value, to: option, labelled: name)
    }

    /// Returns the word after an option. A word that is an option itself is not taken: the value is probably missing.
    private mutating func nextValue(of form: ArgumentForm, writtenAs name: String) throws(UsageError) -> String {
        if let next = self.rest.first, !Self.looksLikeOption(next) {
            self.rest.removeFirst()
            return next
        }
        let missing = "option '\(name)' needs a value: \(name) <\(form.placeholder)>"
        guard let next = self.rest.first, next != "--", !self.isDeclared(next) else { throw UsageError(missing) }
        throw UsageError("\(missing); if \(next.quotedArgument) is the value, write \(name)=\(next.abbreviatedForDisplay)")
    }

    /// Returns whether a word is an option of this command, with or without a value.
    private func isDeclared(_ word: String) -> Bool {
        let name = word.prefix { $0 != "=" }
        return self.options.contains { $0.form.name == name || $0.form.short.map { "-\($0)" == name } == true }
    }

    private func unknown(_ name: String) -> UsageError {
        for form in Root.forms where form.isPositional && name == "--\(form.name)" {
            return UsageError("unknown option '\(name)'; give the value without a name: \(self.command) <\(form.name)>")
        }
        return .unknownOption(name, known: self.options.map(\.form.name) + ["--help"])
    }

    // MARK: Positional arguments

    /// Whether a positional argument is one of several, of which none was given.
    private func lacksFirst(_ form: ArgumentForm) -> Bool {
        form.kind == .repeatedPositional && !self.given.contains(form.name)
    }

    private mutating func takePositional(_ word: String) throws(UsageError) {
        if let last = self.positionals.first, last.form.kind == .repeatedPositional {
            self.given.insert(last.form.name)
            return try self.assign(word, to: last, labelled: "<\(last.form.placeholder)>")
        }
        guard let argument = self.positionals.popFirst() else {
            let names = Root.forms.filter(\.isPositional).map { "<\($0.placeholder)>" }
            let takes = names.isEmpty ? "takes none" : "takes only \(names.listed(with: "and"))"
            throw UsageError("unexpected argument \(word.quotedArgument); '\(self.command)' \(takes)")
        }
        try self.assign(word, to: argument, labelled: "<\(argument.form.placeholder)>")
    }

    private mutating func assign(_ value: String, to argument: Argument<Root>, labelled label: String) throws(UsageError) {
        do {
            try argument.assign(&self.root, value)
        } catch {
            throw UsageError("\(label): \(error.message)")
        }
    }
}
