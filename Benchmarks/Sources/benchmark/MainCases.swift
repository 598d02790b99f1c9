extension Suite {
    /// What programs do: many short connections, messages, streams, and nothing.
    static func mainCases(_ options: MeasuringOptions) -> [Case] {
        let handshakes = options.scaled(2000)
        let stream = options.scaled(2_000_000_000)
        return [
            Case(name: "handshakes") { bench in
                [Reading(figure: .handshakes, value: try await bench.handshakes(handshakes).perCPUSecond)]
            },
            Case(name: "resumed handshakes", resumes: true) { bench in
                [Reading(figure: .handshakes, value: try await bench.handshakes(handshakes).perCPUSecond)]
            },
            Self.echo(options.scaled(40_000), size: 16 << 10, connections: 8),
            Self.echo(options.scaled(200_000), size: 128, connections: 32),
            Self.echo(options.scaled(20_000), size: 128, connections: 1),
            Case(name: "sink") { bench in
                _ = try await bench.load.sink(10_000_000)
                return [Reading(figure: .bytes, value: try await bench.cost { try await $0.sink(stream) }.perCPUSecond / 1e9)]
            },
            Case(name: "source") { bench in
                _ = try await bench.load.source(10_000_000)
                return [Reading(figure: .bytes, value: try await bench.cost { try await $0.source(stream) }.perCPUSecond / 1e9)]
            },
            Case(name: "peak of a sink") { bench in
                _ = try await bench.load.sink(stream)
                return [Reading(figure: .peakMemory, value: Double(try bench.servers.usage().peakMemory) / 1_048_576)]
            },
            Case(name: "peak of a source") { bench in
                _ = try await bench.load.source(stream)
                return [Reading(figure: .peakMemory, value: Double(try bench.servers.usage().peakMemory) / 1_048_576)]
            },
            Self.idle(options.scaled(2000)),
        ]
    }

    private static func echo(_ count: Int, size: Int, connections: Int) -> Case {
        Case(
            name: "echo \(size.asBytes), \(connections.of("connection"))",
            parameters: ["bytes": size, "connections": connections]
        ) { bench in
            let cost = try await bench.echo(count, size: size, connections: connections)
            return [Reading(figure: .messages, value: cost.perCPUSecond)]
        }
    }

    private static func idle(_ count: Int) -> Case {
        Case(name: "idle connection", parameters: ["connections": count]) { bench in
            _ = try await bench.load.handshakes(50, concurrency: 4)
            let before = try bench.servers.usage().memory
            let sockets = try await bench.load.open(count)
            let each = Double(try bench.servers.usage().memory - before) / 1024 / Double(count)
            await bench.load.close(sockets)
            return [Reading(figure: .memory, value: each)]
        }
    }
}

extension Int {
    /// As a size: 16 B, 64 KiB.
    var asBytes: String {
        switch self {
        case ..<1024: "\(self) B"
        case ..<1_048_576: "\(self / 1024) KiB"
        default: "\(self / 1_048_576) MiB"
        }
    }

    /// As a number of things: 1 loop, 2 loops.
    func of(_ thing: String) -> String { "\(self) \(thing)\(self == 1 ? "" : "s")" }
}
