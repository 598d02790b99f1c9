/// The name and the help texts of a command or a group of commands.
struct CommandTitle: Sendable {
    var name: String
    /// Other accepted names.
    var aliases: [String] = []
    /// One sentence.
    var abstract: String
    /// Paragraphs, one line each. Lines that begin with a space are printed as they are.
    var discussion = ""

    var names: [String] { [self.name] + self.aliases }
}

/// Arguments that are declared together: those of a command, or a group that several commands share.
///
/// The initial values of the properties are the defaults. Parsing replaces them, by the key paths in `arguments`.
protocol ArgumentGroup: Sendable {
    init()

    /// The arguments in the order of the help. Required positional arguments precede optional ones.
    static var arguments: ArgumentTable<Self> { get }

    /// Checks constraints between arguments, after all of them have been parsed.
    func validate() throws(UsageError)
}

extension ArgumentGroup {
    func validate() throws(UsageError) {}
}

/// A command without subcommands.
protocol Command: ArgumentGroup {
    static var title: CommandTitle { get }

    func run() async throws
}

extension Command {
    /// The arguments, without the key paths of the type.
    static var forms: [ArgumentForm] { Self.arguments.arguments.map(\.form) }
}
