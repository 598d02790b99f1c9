import Foundation

/// Something that a command has to tell: text for people, one JSON object for programs.
protocol Report: Encodable, Sendable {
    /// What it is about: the value of `event` in JSON.
    static var event: String { get }
    /// For people; one line or several.
    var text: String { get }
}

/// For whom the output is.
enum OutputStyle: Sendable {
    case text, json

    /// A report as it is printed, without the newline at its end.
    func line(for report: some Report) throws -> String {
        switch self {
        case .text: return report.text
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(Tagged(report: report)), as: UTF8.self)
        }
    }

    /// A report's own members, and `event` among them.
    private struct Tagged<Content: Report>: Encodable {
        private enum CodingKeys: CodingKey { case event }

        let report: Content

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(Content.event, forKey: .event)
            try self.report.encode(to: encoder)
        }
    }
}

/// Prints reports in one style to one place.
struct Reporter: Sendable {
    var style: OutputStyle
    var output: LineOutput

    func report(_ report: any Report) throws {
        try self.output.write(try self.style.line(for: report))
    }
}

extension String {
    /// The text with control characters made visible: what a peer says of itself must not move the cursor or begin a line.
    var printable: String {
        guard self.unicodeScalars.contains(where: Self.isControl) else { return self }
        return self.unicodeScalars.map { Self.isControl($0) ? $0.escaped(asASCII: true) : String($0) }.joined()
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}

extension Duration {
    /// In milliseconds, to the microsecond.
    var milliseconds: Double {
        let (seconds, attoseconds) = self.components
        return Double(seconds) * 1000 + (Double(attoseconds) / 1e12).rounded() / 1000
    }
}
