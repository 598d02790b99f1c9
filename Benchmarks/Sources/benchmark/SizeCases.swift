extension Suite {
    /// Small messages cost by the piece, large ones by the byte: where one becomes the other.
    static func sizeCases(_ options: MeasuringOptions) -> [Case] {
        let connections = 8
        return [16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20].map { size in
            let count = options.scaled(min(100_000, 1_000_000_000 / size))
            return Case(
                name: "echo \(size.asBytes), \(connections.of("connection"))",
                parameters: ["bytes": size, "connections": connections]
            ) { bench in
                let cost = try await bench.echo(count, size: size, connections: connections)
                return [
                    Reading(figure: .messages, value: cost.perCPUSecond),
                    Reading(figure: .bytes, value: cost.perCPUSecond * Double(size) / 1e9),
                ]
            }
        }
    }
}
