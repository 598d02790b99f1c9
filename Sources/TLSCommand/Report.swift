import Foundation
import TLSEngine

/// A message of a command, as text for people or as one JSON object for programs.
protocol Report: Encodable, Sendable {
    /// The kind of the report: the value of `event` in JSON.
    static var event: String { get }
    /// The report as text, one line or several.
    var text: String { get }
}

/// The style of the output: text for people or JSON for programs.
enum OutputStyle: Sendable {
    case text, json

    /// Returns a report as it is printed, without the final newline.
    func line(for report: some Report) throws -> String {
        switch self {
        case .text: return report.text
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return Self.escaped(String(decoding: try encoder.encode(Tagged(report: report)), as: UTF8.self))
        }
    }

    /// Escapes characters that the encoder leaves unescaped although they affect terminals or line breaks, such as U+009B, U+202E and
    /// U+2028. They occur only in strings, where RFC 8259 §7 allows an escape for any character.
    private static func escaped(_ json: String) -> String {
        guard json.unicodeScalars.contains(where: \.isUnsafeForDisplay) else { return json }
        var result = ""
        for scalar in json.unicodeScalars {
            if scalar.isUnsafeForDisplay {
                // A scalar beyond the Basic Multilingual Plane becomes a surrogate pair.
                for unit in String(scalar).utf16 { result += String(format: "\\u%04x", unit) }
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// A report's members together with `event`.
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

/// A printer of reports in one style to one destination.
struct Reporter: Sendable {
    var style: OutputStyle
    var output: LineOutput

    func report(_ report: any Report) throws {
        try self.output.write(try self.style.line(for: report))
    }
}

extension Duration {
    /// The duration in milliseconds, to the microsecond.
    var milliseconds: Double {
        let (seconds, attoseconds) = self.components
        return Double(seconds) * 1000 + (Double(attoseconds) / 1e12).rounded() / 1000
    }
}
