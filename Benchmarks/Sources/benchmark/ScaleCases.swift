import SecureSockets

extension Suite {
    /// Whether a connection still costs the same when there are very many of them.
    static func scaleCases(_ options: MeasuringOptions) -> [Case] {
        let wanted = options.quick ? [100, 1000, 5000] : [100, 1000, 5000, 10_000, 20_000]
        let steps = Self.possible(wanted)
        let handshakes = options.scaled(1000)
        let echoes = options.scaled(40_000)
        return [
            Case(name: "open connections") { bench in
                // What the first connections of all need, such as buffers that are kept, is nobody's share.
                _ = try await bench.handshakes(50)
                _ = try await bench.echo(1000, size: 128, connections: 32)
                let empty = try bench.servers.usage().memory
                var open: [SecureSocket] = []
                var readings: [Reading] = []
                for step in steps {
                    open += try await bench.load.open(step - open.count)
                    let memory = try bench.servers.usage().memory - empty
                    let handshake = try await bench.handshakes(handshakes)
                    let echo = try await bench.echo(echoes, size: 128, on: Array(open.prefix(32)))
                    let values: [(Figure, Double)] = [
                        (.memory, Double(memory) / 1024 / Double(step)),
                        (.handshakeCost, handshake.microsecondsEach), (.echoCost, echo.microsecondsEach),
                    ]
                    readings += values.map {
                        Reading(figure: $0, value: $1, name: "\(step) open connections", parameters: ["connections": step])
                    }
                }
                await bench.load.close(open)
                return readings
            }
        ]
    }

    /// These steps, as far as both processes can hold so many connections.
    private static func possible(_ steps: [Int]) -> [Int] {
        let most = OpenFiles.connections
        guard let last = steps.last, last > most else { return steps }
        Terminal.warn("The limit of open files leaves room for \(most) connections: the last step is that and not \(last).")
        return steps.filter { $0 < most } + [most]
    }
}
