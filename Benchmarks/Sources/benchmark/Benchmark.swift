import ArgumentParser
import Foundation
import SecureSockets

/// Who serves.
enum Stack: String, CaseIterable, ExpressibleByArgument, Codable, Sendable {
    case secureSockets = "secure-sockets"
    case niossl
    case niosslAsync = "niossl-async"

    var title: String {
        switch self {
        case .secureSockets: "SecureSockets"
        case .niossl: "NIOSSL"
        case .niosslAsync: "NIOSSL async"
        }
    }
}

@main
struct Benchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures SecureSockets and NIOSSLHandler, with channel handlers and with NIOAsyncChannel, by the same load.",
        discussion: """
            Every figure is work per CPU second of the server's process (user and system time of all threads), and so does not depend \
            on the load's speed. Rounds alternate between the stacks; the median counts.
            """,
        subcommands: [Run.self, Doors.self, Serve.self, ServeDoor.self], defaultSubcommand: Run.self)
}

/// One server, in this process.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Runs one server, for a load of your own.")

    @Argument var stack: Stack
    @Option var host = "127.0.0.1"
    @Option var port = 0
    @Option(help: "The certificate chain, PEM.") var certificate: String
    @Option(help: "The private key, PEM.") var key: String
    @Option(help: "Event loops.") var loops = 1
    @Flag(help: .hidden) var controlled = false

    func run() async throws {
        if self.controlled { ServerProcess.answerCommands() }
        let run =
            switch self.stack {
            case .secureSockets: SecureSocketsServer.run
            case .niossl: NIOSSLServer.run
            case .niosslAsync: NIOSSLAsyncServer.run
            }
        try await run(self.host, self.port, self.certificate, self.key, self.loops, ServerProcess.tell)
    }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measures all cases.")

    @Flag(help: "A tenth of the work.") var quick = false
    @Option(help: "How often each case is run.") var rounds = 3
    @Flag(help: "Results as JSON.") var json = false
    @Option(help: "Only cases whose name contains this.") var only: String?

    func run() async throws {
        let identity = try BenchmarkIdentity()

        if !self.json { print(Result.header) }
        var results: [Result] = []
        for benchmark in Case.all(scale: self.quick ? 0.1 : 1) where self.only.map(benchmark.name.contains) ?? true {
            var figures: [Stack: [Double]] = [:]
            for _ in 0..<max(self.rounds, 1) {
                for stack in Stack.allCases {
                    let server = try ServerProcess(["serve", stack.rawValue] + identity.options)
                    defer { server.stop() }
                    let load = Load(port: server.port, tls: benchmark.resumes ? identity.resumingClient : identity.client)
                    figures[stack, default: []].append(try await benchmark.figure(load, server))
                }
            }
            let result = Result(
                name: benchmark.name, unit: benchmark.unit, lowerIsBetter: benchmark.lowerIsBetter, figures: figures)
            results.append(result)
            if !self.json { print(result.line) }
        }
        if self.json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            print(String(decoding: try encoder.encode(results), as: UTF8.self))
        }
    }
}

/// The medians of a case.
struct Result: Codable {
    let name: String
    let unit: String
    let lowerIsBetter: Bool
    let medians: [String: Double]
    let rounds: [String: [Double]]

    init(name: String, unit: String, lowerIsBetter: Bool, figures: [Stack: [Double]]) {
        self.name = name
        self.unit = unit
        self.lowerIsBetter = lowerIsBetter
        self.rounds = Dictionary(uniqueKeysWithValues: figures.map { ($0.rawValue, $1) })
        self.medians = self.rounds.mapValues { $0.sorted()[$0.count / 2] }
    }

    var line: String {
        let ours = self.medians[Stack.secureSockets.rawValue] ?? 0
        var columns = [self.name, BenchmarkText.number(ours)]
        for peer in Stack.allCases.dropFirst() {
            let theirs = self.medians[peer.rawValue] ?? 0
            columns += [BenchmarkText.number(theirs), BenchmarkText.number(ours / max(theirs, 1e-9))]
        }
        return BenchmarkText.row(columns + [self.unit], widths: Self.widths)
    }

    private static let widths = [28] + [14] + Stack.allCases.dropFirst().flatMap { _ in [14, 8] } + [0]

    static let header = BenchmarkText.row(
        ["case", Stack.secureSockets.title] + Stack.allCases.dropFirst().flatMap { [$0.title, "ratio"] } + ["unit"],
        widths: Self.widths)
}

/// Numbers and rows for people.
enum BenchmarkText {
    static func number(_ figure: Double) -> String { figure < 100 ? String(format: "%.2f", figure) : String(Int(figure)) }

    static func row(_ columns: [String], widths: [Int]) -> String {
        zip(columns, widths).map { $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0) }.joined()
    }
}

/// One thing that is measured.
struct Case {
    let name: String
    let unit: String
    var lowerIsBetter = false
    /// Whether the load resumes its sessions.
    var resumes = false
    let figure: (Load, ServerProcess) async throws -> Double

    static func all(scale: Double) -> [Case] {
        func scaled(_ count: Int) -> Int { max(Int(Double(count) * scale), 1) }
        func perCPUSecond(
            _ load: Load, _ server: ServerProcess, divisor: Double = 1, _ work: (Load) async throws -> Work
        ) async throws -> Double {
            let before = try server.usage().cpuSeconds
            let done = try await work(load)
            let used = try server.usage().cpuSeconds - before
            return Double(done.units) / divisor / max(used, 1e-9)
        }
        return [
            Case(name: "handshakes", unit: "handshakes per CPU second") { load, server in
                _ = try await load.handshakes(50, concurrency: 4)
                return try await perCPUSecond(load, server) { try await $0.handshakes(scaled(2000), concurrency: 16) }
            },
            Case(name: "resumed handshakes", unit: "handshakes per CPU second", resumes: true) { load, server in
                _ = try await load.handshakes(50, concurrency: 4)
                return try await perCPUSecond(load, server) { try await $0.handshakes(scaled(2000), concurrency: 16) }
            },
            Case(name: "echo 16 KiB, 8 connections", unit: "messages per CPU second") { load, server in
                _ = try await load.echo(100, size: 16 << 10, connections: 8)
                return try await perCPUSecond(load, server) {
                    try await $0.echo(scaled(40_000), size: 16 << 10, connections: 8)
                }
            },
            Case(name: "echo 128 B, 32 connections", unit: "messages per CPU second") { load, server in
                _ = try await load.echo(1000, size: 128, connections: 32)
                return try await perCPUSecond(load, server) {
                    try await $0.echo(scaled(200_000), size: 128, connections: 32)
                }
            },
            Case(name: "echo 128 B, 1 connection", unit: "messages per CPU second") { load, server in
                _ = try await load.echo(1000, size: 128, connections: 1)
                return try await perCPUSecond(load, server) { try await $0.echo(scaled(20_000), size: 128, connections: 1) }
            },
            Case(name: "sink", unit: "GB per CPU second") { load, server in
                _ = try await load.sink(10_000_000)
                return try await perCPUSecond(load, server, divisor: 1e9) { try await $0.sink(scaled(2_000_000_000)) }
            },
            Case(name: "source", unit: "GB per CPU second") { load, server in
                _ = try await load.source(10_000_000)
                return try await perCPUSecond(load, server, divisor: 1e9) { try await $0.source(scaled(2_000_000_000)) }
            },
            Case(name: "peak of a source", unit: "MiB of the server's memory", lowerIsBetter: true) { load, server in
                _ = try await load.source(scaled(2_000_000_000))
                return Double(try server.usage().peakMemory) / 1_048_576
            },
            Case(name: "idle connection", unit: "KiB of the server's memory", lowerIsBetter: true) { load, server in
                _ = try await load.handshakes(50, concurrency: 4)
                let before = try server.usage().memory
                let count = scaled(2000)
                let sockets = try await load.idle(count)
                let after = try server.usage().memory
                for socket in sockets { socket.close() }
                return Double(after - before) / 1024 / Double(count)
            },
        ]
    }
}
