extension Suite {
    /// What a second event loop brings, and what a second process on the same port.
    static func loopCases(_ options: MeasuringOptions) -> [Case] {
        Spread.all.flatMap { spread in
            [Self.handshakes(options.scaled(4000), spread), Self.echo(options.scaled(200_000), spread)]
        }
    }

    /// Over what the connections are spread.
    private struct Spread {
        let name: String
        let loops: Int
        let processes: Int
        var listeners = 1

        static let all = [
            Spread(name: "1 loop", loops: 1, processes: 1),
            Spread(name: "2 loops", loops: 2, processes: 1),
            Spread(name: "2 listeners", loops: 1, processes: 1, listeners: 2),
            Spread(name: "2 processes", loops: 1, processes: 2),
        ]

        var contenders: [Contender] {
            if self.listeners > 1 { return Stack.secureSockets.canShareAPort ? [Stack.secureSockets.contender] : [] }
            return Stack.allCases.filter { self.processes == 1 || $0.canShareAPort }.map(\.contender)
        }

        var serverOptions: [String] {
            ["--loops", "\(self.loops)"] + (self.listeners > 1 ? ["--listeners", "\(self.listeners)", "--shares-port"] : [])
        }

        func makeCase(
            _ name: String, _ parameters: [String: Int] = [:], measure: @escaping (Bench) async throws -> [Reading]
        ) -> Case {
            Case(
                name: "\(name), \(self.name)",
                parameters: parameters.merging(["loops": self.loops, "listeners": self.listeners, "processes": self.processes]) {
                    $1
                },
                contenders: self.contenders, isForPeers: false, serverOptions: self.serverOptions, processes: self.processes,
                measure: measure)
        }
    }

    private static func handshakes(_ count: Int, _ spread: Spread) -> Case {
        spread.makeCase("handshakes") { bench in
            let cost = try await bench.handshakes(count)
            return [
                Reading(figure: .handshakes, value: cost.perCPUSecond),
                Reading(figure: .handshakesPerWallSecond, value: cost.perWallSecond),
                Reading(figure: .cores, value: cost.cores),
            ]
        }
    }

    private static func echo(_ count: Int, _ spread: Spread) -> Case {
        spread.makeCase("echo 128 B, 64 connections", ["bytes": 128, "connections": 64]) { bench in
            let cost = try await bench.echo(count, size: 128, connections: 64)
            return [
                Reading(figure: .messages, value: cost.perCPUSecond),
                Reading(figure: .messagesPerWallSecond, value: cost.perWallSecond),
                Reading(figure: .cores, value: cost.cores),
            ]
        }
    }
}
