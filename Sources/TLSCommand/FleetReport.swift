import TLSEngine

/// The matrix of `tls fleet check`.
struct FleetReport: Report {
    static let event = "fleet"

    /// What became of a session of one server at another.
    struct Result: Encodable, Sendable {
        var version: String
        var issuer: String
        var server: String
        var isResumed = false
        /// The name of the reason for which the session was not resumed, as the client can know it.
        var reason: String?
        var explanation: String?
        /// The message of the error, if a connection failed.
        var error: String?
        /// SHA-256 fingerprints.
        var issuerCertificate: String?
        var serverCertificate: String?
        /// The beginnings of the tickets, by which most servers name their keys.
        var ticketKey: String?
        var serverTicketKey: String?

        /// What explains that a session was declined, as far as it can be seen from outside.
        var differences: [String] {
            guard !self.isResumed, self.error == nil else { return [] }
            var differences: [String] = []
            if let ticketKey, let serverTicketKey, ticketKey != serverTicketKey {
                differences.append("their tickets begin with \(ticketKey) and \(serverTicketKey): the keys may differ")
            }
            if let issuerCertificate, let serverCertificate, issuerCertificate != serverCertificate {
                differences.append("their certificates differ")
            }
            return differences
        }
    }

    var servers: [String]
    var results: [Result]

    var isGood: Bool { self.results.allSatisfy(\.isResumed) }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(self.isGood, forKey: .isGood)
        try container.encode(self.servers, forKey: .servers)
        try container.encode(self.results, forKey: .results)
    }

    private enum Key: CodingKey { case isGood, servers, results }

    var text: String {
        var lines: [String] = []
        var versions: [String] = []
        for result in self.results where versions.last != result.version { versions.append(result.version) }
        let width = (self.servers.map(\.count).max() ?? 0) + 2
        for version in versions {
            if !lines.isEmpty { lines.append("") }
            lines.append("\(version): sessions of each line's server, at each column's")
            lines.append(Self.row([""] + self.servers, width))
            for issuer in self.servers {
                let cells = self.servers.map { server in
                    self.results.first { $0.version == version && $0.issuer == issuer && $0.server == server }.map(Self.cell)
                        ?? ""
                }
                lines.append(Self.row([issuer] + cells, width))
            }
        }
        var notes: [String] = []
        for result in self.results where !result.isResumed {
            let why = [result.error ?? result.explanation].compactMap(\.self) + result.differences
            let note = "  \(result.version), \(result.issuer) to \(result.server): \(why.joined(separator: "; "))"
                .escapedForDisplay
            if notes.count < Self.mostNotes { notes.append(note) }
        }
        if !notes.isEmpty { lines += ["", "Not resumed:"] + notes }
        return lines.joined(separator: "\n")
    }

    /// The most explanations in the text; `--json` has all.
    private static let mostNotes = 20

    private static func cell(_ result: Result) -> String {
        if result.isResumed { return "resumed" }
        return result.error == nil ? "full" : "failed"
    }

    private static func row(_ cells: [String], _ width: Int) -> String {
        let row = cells.map { $0.padded(to: width) }.joined()
        return String(row.reversed().drop { $0 == " " }.reversed())
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(width - self.count, 1)) }
}
