/// A set of cases that answers one question.
enum Suite: String, CaseIterable, Codable, Sendable {
    case main, clients, sizes, latency, scale, loops, interfaces, sessions

    var title: String {
        switch self {
        case .main: "Main cases"
        case .clients: "Clients"
        case .sizes: "Echoes by message size"
        case .latency: "Round trips of 128 B"
        case .scale: "Costs as open connections grow"
        case .loops: "More than one core"
        case .interfaces: "Ways to get messages"
        case .sessions: "Sessions across machines"
        }
    }

    /// Who stands in columns behind ours.
    func peers(_ options: MeasuringOptions) -> [Contender] {
        if self == .clients {
            return ClientStack.allCases.filter { $0 != .secureSockets }.map(\.contender) + options.clientPeers.map(\.contender)
        }
        if self == .sessions { return TicketSource.allCases.dropFirst().map(\.contender) }
        return Stack.allCases.filter { $0 != .secureSockets }.map(\.contender) + options.peers.map(\.contender)
    }

    func cases(_ options: MeasuringOptions) -> [Case] {
        switch self {
        case .main: Self.mainCases(options)
        case .clients: Self.clientCases(options)
        case .sizes: Self.sizeCases(options)
        case .latency: Self.latencyCases(options)
        case .scale: Self.scaleCases(options)
        case .loops: Self.loopCases(options)
        case .interfaces: Self.interfaceCases(options)
        case .sessions: Self.sessionCases(options)
        }
    }
}
