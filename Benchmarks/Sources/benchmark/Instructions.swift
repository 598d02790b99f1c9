import ArgumentParser
import Foundation
import NIOCore
import SecureSockets

/// Counts the instructions that our servers execute: the one figure that a busy machine does not change.
struct Instructions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What a message through each interface, and a connection, cost in instructions; needs valgrind and objcopy.",
        discussion: """
            In user mode, of the server only: a server runs under valgrind with less and with more work, and the difference counts. \
            Valgrind's processor has no AVX-512 and no VAES, so the library's cryptography takes more there than it does.
            """)

    @Option(help: "Only what has this in its name.") var only: String?
    @Flag(help: "Fails if something costs more than it is meant to.") var check = false

    func run() async throws {
        let budgets = InstructionBudget.all.filter { budget in self.only.map { budget.name.contains($0) } ?? true }
        guard !budgets.isEmpty else {
            let names = InstructionBudget.all.map(\.name).joined(separator: "\n  ")
            throw ValidationError("nothing is called \(self.only ?? ""); there are:\n  \(names)")
        }
        let counter = try InstructionCounter()
        Terminal.say(row: ["what", "instructions", "at most"], widths: Self.widths)
        var faults: [String] = []
        var messages: [Int] = []
        for budget in budgets {
            let count = try await counter.count(budget)
            Terminal.say(row: [budget.name, String(count), String(budget.limit)], widths: Self.widths)
            if count > budget.limit { faults.append("\(budget.name) costs more than it is meant to") }
            if budget.work == .message { messages.append(count) }
        }
        if messages.count > 1, let cheapest = messages.min(), let dearest = messages.max() {
            let percent = (dearest - cheapest) * 100 / max(1, cheapest)
            Terminal.say("the dearest interface costs \(percent) % more than the cheapest; \(Self.mostPercent) % are allowed")
            if percent > Self.mostPercent { faults.append("an interface is too much dearer than another") }
        }
        guard self.check, !faults.isEmpty else { return }
        throw BenchmarkError("\(faults.joined(separator: "; ")). See CONTRIBUTING, Counting")
    }

    /// How much more a message may cost through one interface than through another.
    private static let mostPercent = 15
    private static let widths = [37, 15, 0]
}

/// What one thing may cost.
private struct InstructionBudget {
    enum Work { case message, connection }

    let name: String
    let interface: Interface
    let work: Work
    /// Some 8 % above what was counted when this was written.
    let limit: Int

    static let all =
        [InstructionBudget(name: "a connection", interface: .incoming, work: .connection, limit: 2_150_000)]
        + [
            (Interface.incoming, 16_700), (.receive, 16_700), (.mailbox, 17_200), (.framed1, 17_300), (.framed2, 17_300),
            (.framed4, 17_300), (.classicRecv, 17_600), (.classicActive, 18_500),
        ].map { InstructionBudget(name: "a message of 128 B, \($0.rawValue)", interface: $0, work: .message, limit: $1) }
}

/// Runs servers under valgrind.
private struct InstructionCounter {
    private let identity: BenchmarkIdentity
    private let folder: TemporaryFolder
    private let program: String

    init() throws {
        self.identity = try BenchmarkIdentity()
        self.folder = try TemporaryFolder()
        self.program = self.folder.path("benchmark")
        try Self.run("valgrind", ["--version"])
        // Valgrind cannot read everything that Swift's compiler writes for debuggers.
        try Self.run("objcopy", ["--strip-debug", CommandLine.arguments[0], self.program])
    }

    func count(_ budget: InstructionBudget) async throws -> Int {
        let (few, many) = budget.work == .message ? (500, 2500) : (20, 120)
        let less = try await self.total(budget, times: few)
        let more = try await self.total(budget, times: many)
        return (more - less) / (many - few)
    }

    /// All that a server executes from its beginning to its end.
    private func total(_ budget: InstructionBudget, times: Int) async throws -> Int {
        let log = self.folder.path("log")
        let server = try ServerProcess(
            [
                "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--log-file=\(log)",
                self.program, "interface", budget.interface.rawValue,
            ] + self.identity.options,
            of: "/usr/bin/env")
        switch budget.work {
        case .message: try await self.echo(times, budget.interface, at: server.port)
        case .connection: for _ in 0..<times { try await self.echo(1, budget.interface, at: server.port) }
        }
        server.stop()
        let text = try String(contentsOfFile: log, encoding: .utf8)
        guard
            let line = text.split(separator: "\n").first(where: { $0.contains("I ") && $0.contains("refs:") }),
            let count = line.split(separator: " ").last.flatMap({ Int($0.filter { $0 != "," }) })
        else { throw BenchmarkError("valgrind does not say how many instructions there were: \(text)") }
        return count
    }

    private func echo(_ times: Int, _ interface: Interface, at port: Int) async throws {
        var options = SocketOptions()
        options.framing = interface.header
        let socket = try await SecureSocket.connect(
            to: "127.0.0.1", port: port, tls: self.identity.client, socketOptions: options, timeout: .seconds(60))
        let message = ByteBuffer(repeating: 7, count: 128)
        for _ in 0..<times {
            try await socket.send(message)
            var received = 0
            while received < message.readableBytes {
                guard let bytes = try await socket.receive(timeout: .seconds(60)) else {
                    throw BenchmarkError("the server ended the connection")
                }
                received += bytes.readableBytes
            }
        }
        socket.close()
        try await socket.waitUntilClosed()
    }

    private static func run(_ command: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [command] + arguments
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchmarkError("\(command) failed; is it installed?") }
    }
}
