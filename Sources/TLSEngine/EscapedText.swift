extension String {
    /// The text with its control, format, and line and paragraph separator characters written as escapes, for example `\u{9b}`.
    ///
    /// Subjects, names and labels come from files and from peers. Raw, they could begin a line of a log, move a terminal's cursor
    /// (ESC, U+009B) or reverse the order in which the rest of a message is read (U+202E).
    package var escapedForDisplay: String {
        guard self.unicodeScalars.contains(where: \.isUnsafeForDisplay) else { return self }
        var result = ""
        for scalar in self.unicodeScalars {
            if scalar.isUnsafeForDisplay {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The text escaped, and cut where it is longer than a name in a message needs to be.
    package var abbreviatedForDisplay: String {
        let limit = 256
        // Scalars, because a single character may consist of any number of combining ones.
        guard self.unicodeScalars.count > limit else { return self.escapedForDisplay }
        return String(String.UnicodeScalarView(self.unicodeScalars.prefix(limit))).escapedForDisplay + "…"
    }
}

extension Collection<String> {
    /// The texts escaped and separated by commas; of a long list the first four, and how many more there are.
    package var listedForDisplay: String {
        let shown = self.prefix(4).map(\.abbreviatedForDisplay).joined(separator: ", ")
        return self.count > 4 ? "\(shown) and \(self.count - 4) more" : shown
    }
}

extension Unicode.Scalar {
    /// Whether the character acts on the text or terminal around it instead of being shown.
    package var isUnsafeForDisplay: Bool {
        switch self.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
