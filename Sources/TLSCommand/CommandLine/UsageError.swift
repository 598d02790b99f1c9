import TLSEngine

/// An error in the command line: the cause, and what to write instead.
///
/// The parts of the command line that the message quotes are escaped (``Swift/String/quotedArgument``).
struct UsageError: Error, Equatable {
    var message: String

    init(_ message: String) { self.message = message }

    static func unknownOption(_ name: String, known: [String]) -> UsageError {
        let suggestion = Suggestion.nearest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
        return UsageError("unknown option \(name.quotedArgument)\(suggestion)")
    }
}

extension String {
    /// The text in quotation marks, escaped and shortened for a message.
    var quotedArgument: String { "'\(self.abbreviatedForDisplay)'" }
}

extension [String] {
    /// Returns the texts as a list in a sentence, for example "a, b or c".
    func listed(with conjunction: String) -> String {
        guard let last = self.last, self.count > 1 else { return self.first ?? "" }
        return "\(self.dropLast().joined(separator: ", ")) \(conjunction) \(last)"
    }
}
