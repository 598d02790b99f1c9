extension Suite {
    /// How long somebody waits who asks a question, as seen by the load: its own share is in it, and is the same for all.
    static func latencyCases(_ options: MeasuringOptions) -> [Case] {
        [(connections: 1, count: 50_000), (connections: 32, count: 200_000)].map { connections, count in
            let count = options.scaled(count)
            return Case(
                name: "echo 128 B, \(connections.of("connection"))", parameters: ["bytes": 128, "connections": connections]
            ) { bench in
                let roundTrips = try await bench.echo(count, size: 128, connections: connections).work.roundTrips.sorted()
                let percentiles = [("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("max", 100)]
                return percentiles.map { Reading(figure: .roundTrip($0), value: roundTrips.percentile($1)) }
            }
        }
    }
}
