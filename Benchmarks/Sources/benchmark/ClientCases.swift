extension Suite {
    /// What a connection costs the client. Each figure is the difference between many connections and few, so that a process's start is
    /// nobody's share.
    static func clientCases(_ options: MeasuringOptions) -> [Case] {
        let others = options.clientPeers.map(\.contender)
        let count = options.scaled(2000)
        let (ours, usual, niossl) = (
            ClientStack.secureSockets.contender, ClientStack.secureSocketsDefault.contender, ClientStack.niossl.contender
        )
        return [
            Self.connects("full handshakes", .full, count, [ours, niossl] + others),
            Self.connects("resumed handshakes", .resumed, count, [ours, niossl] + others),
            Self.connects("default parameters, resumed", .usual, count, [ours, usual]),
            Case(
                name: "idle connection", parameters: ["connections": count], contenders: [ours, usual, niossl] + others,
                isForPeers: false
            ) { bench in
                let client = try bench.client
                let (few, many) = (try client.run(.idle, Self.fewConnections), try client.run(.idle, count + Self.fewConnections))
                return [Reading(figure: .clientMemory, value: Double(many.memory - few.memory) / 1024 / Double(count))]
            },
        ]
    }

    private static let fewConnections = 50

    private static func connects(_ name: String, _ mode: ClientMode, _ count: Int, _ contenders: [Contender]) -> Case {
        Case(name: name, contenders: contenders, isForPeers: false) { bench in
            let client = try bench.client
            let (few, many) = (try client.run(mode, Self.fewConnections), try client.run(mode, count + Self.fewConnections))
            return [Reading(figure: .connects, value: Double(count) / max(many.cpuSeconds - few.cpuSeconds, 1e-9))]
        }
    }
}
