/// What can be read off a case.
struct Figure: Hashable {
    /// Its name in files.
    let name: String
    let unit: String
    var lowerIsBetter = false
}

/// One figure, as it came out in one round.
struct Reading {
    let figure: Figure
    let value: Double
    /// Which one this is, where one round reads the same figure several times.
    var name: String?
    var parameters: [String: Int] = [:]
}

/// One figure of one case, of all contenders and rounds.
struct Result: Codable {
    let suite: Suite
    let name: String
    let figure: String
    let unit: String
    let lowerIsBetter: Bool
    let parameters: [String: Int]
    /// By contender.
    private(set) var medians: [String: Double] = [:]
    private(set) var rounds: [String: [Double]] = [:]

    init(of reading: Reading, named name: String, in measured: Case, of suite: Suite) {
        self.suite = suite
        self.name = name
        self.figure = reading.figure.name
        self.unit = reading.figure.unit
        self.lowerIsBetter = reading.figure.lowerIsBetter
        self.parameters = measured.parameters.merging(reading.parameters) { $1 }
    }

    mutating func add(_ value: Double, of contender: Contender) {
        self.rounds[contender.id, default: []].append(value)
        self.medians[contender.id] = self.rounds[contender.id]?.median
    }
}
