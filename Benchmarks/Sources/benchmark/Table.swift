import Foundation

/// Results for people, a line at a time as they come.
///
/// Stacks stand in columns, with the ratio of ours to each peer; the interfaces, which are all ours, in lines.
struct Table {
    private let suite: Suite
    private let peers: [Contender]
    private let widths: [Int]
    private static let interfaceWidths = [17, 19, 0]

    init(of suite: Suite, _ options: MeasuringOptions) {
        self.suite = suite
        self.peers = suite.peers(options)
        self.widths = [46, 15] + self.peers.flatMap { [max(14, $0.title.count + 2), 8] } + [0]
    }

    func begin() {
        Terminal.say("\n\(self.suite.title)")
        if self.suite == .interfaces {
            Terminal.say(row: ["interface", "CPU µs a message", "of the cheapest"], widths: Self.interfaceWidths)
        } else {
            let peers = self.peers.flatMap { [$0.title, "ratio"] }
            Terminal.say(row: ["case", Stack.secureSockets.title] + peers + ["unit"], widths: self.widths)
        }
    }

    func add(_ results: [Result]) {
        for result in results { self.suite == .interfaces ? self.addInterfaces(result) : self.add(result) }
    }

    private func add(_ result: Result) {
        let ours = result.medians[Stack.secureSockets.rawValue]
        var columns = [result.name, Self.number(ours)]
        for peer in self.peers {
            let theirs = result.medians[peer.id]
            let ratio = ours.flatMap { ours in theirs.map { ours / $0 } }
            columns += [Self.number(theirs), Self.number(ratio)]
        }
        columns.append(result.unit + (result.lowerIsBetter ? " (less is better)" : ""))
        Terminal.say(row: columns, widths: self.widths)
    }

    private func addInterfaces(_ result: Result) {
        let cheapest = result.medians.values.min() ?? 1
        for interface in Interface.allCases {
            guard let figure = result.medians[interface.rawValue] else { continue }
            Terminal.say(
                row: [interface.rawValue, Self.number(figure), Self.number(figure / cheapest)], widths: Self.interfaceWidths)
        }
    }

    private static func number(_ figure: Double?) -> String {
        guard let figure, figure.isFinite else { return "–" }
        if figure >= 100 { return String(Int(figure.rounded())) }
        return String(format: figure < 0.1 ? "%.4f" : "%.2f", figure)
    }
}

/// Where lines for people go: at once, also into a file or a pipe.
enum Terminal {
    static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    static func say(row columns: [String], widths: [Int]) {
        self.say(zip(columns, widths).map { $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0) }.joined())
    }

    static func warn(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
}
