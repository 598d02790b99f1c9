extension Suite {
    /// Whether one way to get messages is dearer than another.
    static func interfaceCases(_ options: MeasuringOptions) -> [Case] {
        let count = options.scaled(200_000)
        return [
            Case(
                name: "echo 128 B, 32 connections", parameters: ["bytes": 128, "connections": 32],
                contenders: Interface.allCases.map(\.contender), isForPeers: false
            ) { bench in
                let cost = try await bench.echo(count, size: 128, connections: 32)
                return [Reading(figure: .echoCost, value: cost.microsecondsEach)]
            }
        ]
    }
}

extension Interface {
    var contender: Contender {
        Contender(
            id: self.rawValue, title: self.rawValue, server: .ours(["interface", self.rawValue]), framing: self.header,
            echoesAtOnce: true)
    }
}
