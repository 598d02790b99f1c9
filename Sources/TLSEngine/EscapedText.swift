extension String {
    /// The text with control, format, and line and paragraph separator characters escaped, for example as `\u{9b}`.
    ///
    /// Text from files and peers enters messages only in this form. Unescaped, it could forge lines of a log, control a terminal (ESC,
    /// U+009B) or reverse the order of the text that follows (U+202E).
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

    /// The escaped text, truncated to a length suitable for a name in a message.
    package var abbreviatedForDisplay: String {
        let limit = 256
        // Counted in scalars: a single character may contain any number of combining marks.
        guard self.unicodeScalars.count > limit else { return self.escapedForDisplay }
        return String(String.UnicodeScalarView(self.unicodeScalars.prefix(limit))).escapedForDisplay + "…"
    }
}

extension Collection<String> {
    /// The escaped texts separated by commas. Of a long list, the first four and the number of the others.
    package var listedForDisplay: String {
        let shown = self.prefix(4).map(\.abbreviatedForDisplay).joined(separator: ", ")
        return self.count > 4 ? "\(shown) and \(self.count - 4) more" : shown
    }
}

extension Unicode.Scalar {
    /// Whether the character affects the surrounding text or the terminal instead of being displayed.
    package var isUnsafeForDisplay: Bool {
        switch self.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
