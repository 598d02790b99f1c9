/// The exit status of the process. `tls --help` prints the table.
enum ExitStatus: Int32, CaseIterable {
    case success = 0
    case failure = 1
    case configuration = 2
    /// `EX_USAGE` of sysexits.h.
    case usage = 64

    private var meaning: String {
        switch self {
        case .success: "success; for serve and demo --stay, also a stop by Ctrl-C or SIGTERM"
        case .failure: "the network, the peer or TLS: refused, timed out, port taken, certificate not trusted"
        case .configuration: "a file, a setting or the input on this side: missing, unreadable, wrong password or key"
        case .usage: "the command line is invalid"
        }
    }

    /// The table as text.
    static var table: String {
        Self.allCases.map { status in
            let number = String(status.rawValue)
            return HelpText.row(String(repeating: " ", count: 4 - number.count) + number, status.meaning, column: 6)
        }.joined(separator: "\n")
    }
}
