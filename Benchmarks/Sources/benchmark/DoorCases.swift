extension Suite {
    /// Whether one way to get messages is dearer than another.
    static func doorCases(_ options: MeasuringOptions) -> [Case] {
        let count = options.scaled(200_000)
        return [
            Case(
                name: "echo 128 B, 32 connections", parameters: ["bytes": 128, "connections": 32],
                contenders: Door.allCases.map(\.contender), isForPeers: false
            ) { bench in
                let cost = try await bench.echo(count, size: 128, connections: 32)
                return [Reading(figure: .echoCost, value: cost.microsecondsEach)]
            }
        ]
    }
}

extension Door {
    var contender: Contender {
        Contender(
            id: self.rawValue, title: self.rawValue, server: .ours(["door", self.rawValue]), framing: self.header,
            echoesAtOnce: true)
    }
}
