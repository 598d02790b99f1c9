extension Figure {
    static let handshakes = Figure(name: "handshakes", unit: "handshakes per CPU second")
    static let messages = Figure(name: "messages", unit: "messages per CPU second")
    static let bytes = Figure(name: "bytes", unit: "GB per CPU second")
    static let peakMemory = Figure(name: "peak memory", unit: "MiB of the server's memory", lowerIsBetter: true)
    static let memory = Figure(name: "memory", unit: "KiB of the server's memory each", lowerIsBetter: true)
    static let handshakeCost = Figure(name: "handshake cost", unit: "CPU µs a handshake", lowerIsBetter: true)
    static let echoCost = Figure(name: "echo cost", unit: "CPU µs an echo", lowerIsBetter: true)

    static func roundTrip(_ name: String) -> Figure { Figure(name: name, unit: "µs, \(name)", lowerIsBetter: true) }
}
