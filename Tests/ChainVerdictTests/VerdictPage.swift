import Foundation
import SecureSockets
import TestSupport

/// The page of the documentation with the verdicts of all peers, and of this library.
struct VerdictPage {
    /// A line of a table.
    struct Row: Equatable {
        let name: String
        let peers: [String]
        let ours: String
        let why: String

        /// Reads a line of a page; nil: it is no row.
        init?(line: Substring) {
            guard line.hasPrefix("| ") else { return nil }
            let cells = line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == Peer.allCases.count + 3 else { return nil }
            self.name = cells[0]
            self.peers = Array(cells[1...Peer.allCases.count])
            self.ours = cells[cells.count - 2]
            self.why = cells[cells.count - 1]
        }

        init(_ chainCase: ChainCase, peers: [Peer.Verdict], ours: OurVerdict) {
            self.name = Self.cell(chainCase.name)
            self.peers = peers.map { verdict in
                switch verdict {
                case .accepted: Self.accepted
                case .refused(let reason): Self.cell(reason)
                case .none: "–"
                }
            }
            self.ours =
                switch ours {
                case .accepted: Self.accepted
                case .refused(let kind, _): Self.cell(kind.description)
                case .failed(let reason, _): Self.cell(reason ?? "failed")
                }
            self.why = Self.cell(chainCase.why?.text ?? "")
        }

        var line: String { "| " + ([self.name] + self.peers + [self.ours, self.why]).joined(separator: " | ") + " |" }

        static let accepted = "✓"

        private static func cell(_ text: String) -> String {
            text.replacing("|", with: "/").replacing("*", with: "\\*").replacing("\n", with: " ")
        }
    }

    let text: String

    init(groups: [(name: String, rows: [Row])]) {
        let count = groups.reduce(0) { $0 + $1.rows.count }
        var text = """
            # Verdicts on certificate chains

            The verdicts of this library on \(count) chains, beside those of OpenSSL, Go, GnuTLS and Python on the same files.

            ## Overview

            Each line is a chain that a peer presents. ✓ means that the chain is accepted; other cells give the reason of the refusal: the
            peer's own text, and for this library the ``CertificateProblem/Kind``, or BoringSSL's reason where the handshake fails before the
            chain is verified. A client asks for `www.example.org` unless the line says otherwise. – marks a chain that cannot be presented to
            that peer. Where the right verdict is not that of most peers, the last column gives the reason. All settings are the defaults;
            OpenSSL and Python have security level 2.

            \(Self.versions)

            The tests write these tables (`UPDATE_CHAIN_VERDICTS=1 swift test --filter ChainVerdictTests`) and compare them: the column of this
            library always, the others where the peers have these versions.

            """
        for group in groups {
            text += "\n## \(group.name)\n\n"
            text += "| " + Self.columns.joined(separator: " | ") + " |\n"
            text += "|" + String(repeating: "---|", count: Self.columns.count) + "\n"
            for row in group.rows { text += row.line + "\n" }
        }
        self.text = text
    }

    /// The line that names the peers' versions.
    static var versions: String {
        "Peers: " + Peer.allCases.map { "\($0.rawValue) \($0.version ?? "(absent)")" }.joined(separator: ", ") + "."
    }

    // MARK: The page as it is written

    static let url = Repository.root.appending(path: "Sources/SecureSockets/Documentation.docc/ChainVerdicts.md")

    static func current() throws -> (rows: [Row], isOfInstalledVersions: Bool) {
        let text = try String(contentsOf: Self.url, encoding: .utf8)
        let rows = text.split(separator: "\n").compactMap(Row.init(line:)).filter { $0.name != Self.columns.first }
        return (rows, text.contains(Self.versions))
    }

    private static let columns = ["Chain"] + Peer.allCases.map(\.rawValue) + ["SecureSockets", "Why"]
}
