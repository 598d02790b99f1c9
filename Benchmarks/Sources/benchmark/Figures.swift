extension Figure {
    static let handshakes = Figure(name: "handshakes", unit: "handshakes per CPU second")
    static let handshakesPerWallSecond = Figure(name: "handshakes per wall second", unit: "handshakes per wall second")
    static let messages = Figure(name: "messages", unit: "messages per CPU second")
    static let messagesPerWallSecond = Figure(name: "messages per wall second", unit: "messages per wall second")
    static let bytes = Figure(name: "bytes", unit: "GB per CPU second")
    static let cores = Figure(name: "cores", unit: "cores that the servers kept busy")
    static let peakMemory = Figure(name: "peak memory", unit: "MiB of the server's memory", lowerIsBetter: true)
    static let connects = Figure(name: "connects", unit: "connects per CPU second of the client")
    static let clientMemory = Figure(name: "client memory", unit: "KiB of the client's memory each", lowerIsBetter: true)
    static let memory = Figure(name: "memory", unit: "KiB of the server's memory each", lowerIsBetter: true)
    static let handshakeCost = Figure(name: "handshake cost", unit: "CPU µs a handshake", lowerIsBetter: true)
    static let echoCost = Figure(name: "echo cost", unit: "CPU µs an echo", lowerIsBetter: true)

    static func roundTrip(_ name: String) -> Figure { Figure(name: name, unit: "µs, \(name)", lowerIsBetter: true) }
}
