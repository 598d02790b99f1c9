/// A set of cases that answers one question.
enum Suite: String, CaseIterable, Codable, Sendable {
    case main, sizes, latency, scale, loops, doors

    var title: String {
        switch self {
        case .main: "Main cases"
        case .sizes: "Echoes by message size"
        case .latency: "Round trips of 128 B"
        case .scale: "Costs as open connections grow"
        case .loops: "More than one core"
        case .doors: "Ways to get messages"
        }
    }

    func cases(_ options: MeasuringOptions) -> [Case] {
        switch self {
        case .main: Self.mainCases(options)
        case .sizes: Self.sizeCases(options)
        case .latency: Self.latencyCases(options)
        case .scale: Self.scaleCases(options)
        case .loops: Self.loopCases(options)
        case .doors: Self.doorCases(options)
        }
    }
}
