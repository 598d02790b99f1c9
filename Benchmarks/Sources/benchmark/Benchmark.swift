import ArgumentParser
import Foundation
import SecureSockets

/// Who serves.
enum Stack: String, CaseIterable, ExpressibleByArgument, Codable, Sendable {
    case secureSockets = "secure-sockets"
    case niossl
}

@main
struct Benchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures SecureSockets and NIOSSLHandler by the same load, in the same run.",
        discussion: """
            Every figure is work per CPU second of the server's process (user and system time of all threads), and so does not depend \
            on the load's speed. Rounds alternate between the stacks; the median counts.
            """,
        subcommands: [Run.self, Serve.self], defaultSubcommand: Run.self)
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
        let ready: (Int) -> Void = { FileHandle.standardOutput.write(Data("\($0)\n".utf8)) }
        switch self.stack {
        case .secureSockets:
            try await SecureSocketsServer.run(
                host: self.host, port: self.port, certificate: self.certificate, key: self.key, loops: self.loops, ready: ready)
        case .niossl:
            try await NIOSSLServer.run(
                host: self.host, port: self.port, certificate: self.certificate, key: self.key, loops: self.loops, ready: ready)
        }
    }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measures all cases.")

    @Flag(help: "A tenth of the work.") var quick = false
    @Option(help: "How often each case is run.") var rounds = 3
    @Flag(help: "Results as JSON.") var json = false
    @Option(help: "Only cases whose name contains this.") var only: String?

    func run() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("benchmark-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (certificate, key) = try BenchmarkIdentity.write(to: folder)
        let tls = try TLSConfiguration.client(trust: .pem(certificate), parameters: BenchmarkIdentity.parameters)

        if !self.json { print(Result.header) }
        var results: [Result] = []
        for benchmark in Case.all(scale: self.quick ? 0.1 : 1) where self.only.map(benchmark.name.contains) ?? true {
            var figures: [Stack: [Double]] = [:]
            for _ in 0..<max(self.rounds, 1) {
                for stack in Stack.allCases {
                    let server = try ServerProcess(stack: stack, certificate: certificate, key: key)
                    defer { server.stop() }
                    let load = Load(port: server.port, tls: tls)
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
        let theirs = self.medians[Stack.niossl.rawValue] ?? 0
        func text(_ figure: Double) -> String { figure < 100 ? String(format: "%.2f", figure) : String(Int(figure)) }
        let columns = [self.name, text(ours), text(theirs), text(ours / max(theirs, 1e-9)), self.unit]
        return zip(columns, [28, 14, 14, 8, 0]).map { $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0) }
            .joined()
    }

    static let header = "case                        SecureSockets NIOSSLHandler ratio   unit"
}

/// One thing that is measured.
struct Case {
    let name: String
    let unit: String
    var lowerIsBetter = false
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
