import ArgumentParser
import Dispatch
import Foundation

/// The program's main thread only waits: valgrind cannot run what it does in an asynchronous program.
@main
enum Program {
    static func main() {
        Task.detached {
            await Benchmark.main()
            exit(0)
        }
        DispatchSemaphore(value: 0).wait()
    }
}

struct Benchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures SecureSockets and NIOSSLHandler, with channel handlers and with NIOAsyncChannel, by the same load.",
        discussion: """
            Figures of work are per CPU second of the server's process (user and system time of all threads), and so do not depend on \
            the load's speed. Rounds alternate between the stacks; the median counts. Ratios are ours divided by the peer's. \
            Options such as --quick, --rounds, --only, --peer and --json: benchmark run --help.
            """,
        subcommands: [
            Run.self, Clients.self, Sizes.self, Latency.self, Scale.self, Loops.self, Interfaces.self, Sessions.self, All.self,
            Instructions.self, IdleMemory.self, Serve.self, ServeInterface.self, Client.self,
        ],
        defaultSubcommand: Run.self)
}

/// What all that measures has in common.
struct MeasuringOptions: ParsableArguments {
    @Flag(help: "A tenth of the work.") var quick = false
    @Option(help: "How often each case is run.") var rounds = 3
    @Option(help: "Only cases whose name contains this.") var only: String?
    @Option(
        name: .customLong("peer"), parsing: .singleValue,
        help: ArgumentHelp(
            """
            Another server, which speaks the protocol in Protocol.swift, measured beside the others. {port}, {certificate} and {key} (PEM \
            files) stand for what it has to use. It must be one process. Not measured in loops and interfaces. Can be given several times. \
            On Linux.
            """, valueName: "name=command"))
    var peers: [PeerCommand] = []
    @Option(
        name: .customLong("client-peer"), parsing: .singleValue,
        help: ArgumentHelp(
            """
            Another client, measured in clients. {port}, {certificate} (PEM), {count} and {mode} stand for what it has to do: make so many \
            connections, 16 at a time, send "E" and a byte on each and receive the byte; close it in the modes full and resumed, and keep it \
            in the mode idle; then write a line, and wait for the end of its input. Can be given several times. On Linux.
            """, valueName: "name=command"))
    var clientPeers: [ClientPeerCommand] = []
    @Option(help: ArgumentHelp("Writes medians, rounds, machine and settings to this file.", valueName: "file")) var json: String?

    func validate() throws {
        let clients = ClientStack.allCases.map(\.rawValue) + self.clientPeers.map(\.name)
        for peer in self.clientPeers where clients.filter({ $0 == peer.name }).count > 1 {
            throw ValidationError("--client-peer: there are two clients called \(peer.name)")
        }
        let names = Stack.allCases.map(\.rawValue) + self.peers.map(\.name)
        for peer in self.peers where names.filter({ $0 == peer.name }).count > 1 {
            throw ValidationError("--peer: there are two servers called \(peer.name)")
        }
        guard self.rounds > 0 else { throw ValidationError("--rounds is \(self.rounds); at least one is needed") }
        if let json {
            let folder = URL(fileURLWithPath: json).deletingLastPathComponent().path
            guard !json.isEmpty, FileManager.default.isWritableFile(atPath: folder) else {
                throw ValidationError("--json: no file can be made at '\(json)'")
            }
        }
    }

    /// As much work as is wanted of what a whole run does.
    func scaled(_ count: Int) -> Int { self.quick ? max(count / 10, 1) : count }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Handshakes, echoes, streams and memory: the main cases.")
    @OptionGroup var options: MeasuringOptions
    func run() async throws { try await Runner(self.options).run([.main]) }
}

struct Clients: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What a connection costs the client: full and resumed, with and without a configuration, idle.")
    @OptionGroup var options: MeasuringOptions
    func run() async throws { try await Runner(self.options).run([.clients]) }
}

struct Sizes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Echoes of 16 B to 1 MiB.")
    @OptionGroup var options: MeasuringOptions
    func run() async throws { try await Runner(self.options).run([.sizes]) }
}

struct Latency: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "How long an echo takes: the median and the slowest ones.")
    @OptionGroup var options: MeasuringOptions
    func run() async throws { try await Runner(self.options).run([.latency]) }
}

struct Scale: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What a connection costs as connections grow: 100 to 20,000 of them, 5,000 with --quick.")
    @OptionGroup var options: MeasuringOptions
    func run() async throws { try await Runner(self.options).run([.scale]) }
}

struct Loops: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "More than one core: event loops, and processes on one port.")
    @OptionGroup var options: MeasuringOptions
    func run() async throws { try await Runner(self.options).run([.loops]) }
}

struct Sessions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Compares resumed handshakes with keys of tickets of this process, derived ones, and single-use tickets. Needs redis-server."
    )
    @OptionGroup var options: MeasuringOptions
    func run() async throws { try await BenchmarkRedis.run { try await Runner(self.options).run([.sessions]) } }
}

struct Interfaces: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Compares the ways to get messages: echoes through each.")
    @OptionGroup var options: MeasuringOptions
    func run() async throws { try await Runner(self.options).run([.interfaces]) }
}

struct All: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Everything above, into one file.")
    @OptionGroup var options: MeasuringOptions
    func run() async throws { try await BenchmarkRedis.run { try await Runner(self.options).run(Suite.allCases) } }
}
