import SecureSockets
import TLSEngine

/// The matrix of `tls fleet check`, and the differences between the servers.
struct FleetReport: Report {
    static let event = "fleet"

    /// What a connection showed of a server.
    struct ServerState: Encodable, Sendable, Equatable {
        /// The SHA-256 fingerprint of the certificate.
        var certificate: String?
        /// The names for which the certificate is valid.
        var names: [String]
        var cipherSuite: String
        var group: String?
        var applicationProtocol: String?
        /// The beginning of a ticket, by which most servers name its key.
        var ticketKey: String?

        init(_ information: ConnectionInformation, _ sessions: TLSSessionCache) {
            self.certificate = information.peerCertificate?.sha256Fingerprint
            self.names = (information.peerCertificate.map { $0.dnsNames + $0.ipAddresses } ?? []).sorted()
            self.cipherSuite = information.cipherSuite.description
            self.group = information.group?.description
            self.applicationProtocol = information.applicationProtocol
            self.ticketKey = sessions.newestTicketName
        }
    }

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
        var issuerState: ServerState?
        var serverState: ServerState?

        mutating func explain(_ reason: FullHandshakeReason) {
            self.reason = "\(reason)"
            self.explanation = reason.explanation
        }

        /// What may explain that a session was declined, as far as it can be seen from outside.
        fileprivate var differences: [String] {
            guard !self.isResumed, let issuerState, let serverState else { return [] }
            var differences: [String] = []
            if let key = issuerState.ticketKey, let other = serverState.ticketKey, key != other {
                differences.append("their tickets begin with \(key) and \(other): the keys may differ")
            }
            differences += issuerState.differences(from: serverState)
            if differences.isEmpty, self.issuer != self.server {
                differences.append(
                    "nothing that a client sees differs: compare application protocols, client authentication and single-use tickets"
                )
            }
            return differences
        }
    }

    var servers: [String]
    var results: [Result]

    var isGood: Bool { self.results.allSatisfy(\.isResumed) }

    /// The differences of the servers from the first one, for each version: those that matter to sessions, and those that a client sees.
    var differences: [String] {
        var lines: [String] = []
        for version in self.versions {
            let states = self.servers.map { server in
                self.results.first { $0.version == version && $0.issuer == server && $0.issuerState != nil }?.issuerState
            }
            guard let first = self.servers.first, let expected = states.first ?? nil else { continue }
            for (server, state) in zip(self.servers, states).dropFirst() {
                for difference in state.map({ expected.differences(from: $0) }) ?? [] {
                    lines.append("\(version), \(first) and \(server): \(difference)")
                }
            }
        }
        return lines
    }

    private var versions: [String] {
        var versions: [String] = []
        for result in self.results where versions.last != result.version { versions.append(result.version) }
        return versions
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(self.isGood, forKey: .isGood)
        try container.encode(self.servers, forKey: .servers)
        try container.encode(self.results, forKey: .results)
        try container.encode(self.differences, forKey: .differences)
    }

    private enum Key: CodingKey { case isGood, servers, results, differences }

    var text: String {
        var lines: [String] = []
        let width = (self.servers.map(\.count).max() ?? 0) + 2
        for version in self.versions {
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
        // A reason that several pairs have is printed once.
        var reasons: [(text: String, pairs: [String])] = []
        for result in self.results where !result.isResumed {
            let why = ([result.error ?? result.explanation].compactMap(\.self) + result.differences).joined(separator: "; ")
            let text = "\(result.version), %: \(why)"
            let pair = "\(result.issuer) to \(result.server)"
            if let known = reasons.firstIndex(where: { $0.text == text }) {
                reasons[known].pairs.append(pair)
            } else {
                reasons.append((text, [pair]))
            }
        }
        let notResumed = reasons.map { text, pairs in
            let more = pairs.count > 1 ? " and \(pairs.count - 1) more" : ""
            return text.replacing("%", with: pairs[0] + more, maxReplacements: 1)
        }
        lines += Self.notes("Not resumed:", notResumed) + Self.notes("Differences:", self.differences)
        return lines.joined(separator: "\n")
    }

    /// The most notes of a kind in the text; `--json` has all.
    private static let mostNotes = 20

    private static func notes(_ title: String, _ notes: [String]) -> [String] {
        guard !notes.isEmpty else { return [] }
        let more = notes.count - Self.mostNotes
        return ["", title] + notes.prefix(Self.mostNotes).map { "  \($0.escapedForDisplay)" }
            + (more > 0 ? ["  and \(more) more; see --json"] : [])
    }

    private static func cell(_ result: Result) -> String {
        if result.isResumed { return "resumed" }
        return result.error == nil ? "full" : "failed"
    }

    private static func row(_ cells: [String], _ width: Int) -> String {
        let row = cells.map { $0 + String(repeating: " ", count: max(width - $0.count, 1)) }.joined()
        return String(row.reversed().drop { $0 == " " }.reversed())
    }
}

extension FleetReport.ServerState {
    /// What differs, without the keys of tickets, which change.
    fileprivate func differences(from other: Self) -> [String] {
        var differences: [String] = []
        if self.names != other.names {
            differences.append("certificates for other names")
        } else if self.certificate != other.certificate {
            differences.append("other certificates for the same names")
        }
        func compare(_ name: String, _ one: String?, _ two: String?) {
            if one != two { differences.append("\(name) \(one ?? "none") and \(two ?? "none")") }
        }
        compare("cipher suite", self.cipherSuite, other.cipherSuite)
        compare("group", self.group, other.group)
        compare("application protocol", self.applicationProtocol, other.applicationProtocol)
        return differences
    }
}
