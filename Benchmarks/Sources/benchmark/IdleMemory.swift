import ArgumentParser
import SecureSockets

/// Measures the memory of an idle connection through each interface.
struct IdleMemory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Measures the memory of an idle connection through each interface. On Linux.",
        discussion: """
            The resident memory of a server before and after connections are opened that echo once and then wait. While a handler waits, its \
            asynchronous frames stay in blocks of 1 KiB; frames that no longer fit in one block take another for each connection.
            """)

    @Option(help: "Only servers whose name contains this.") var only: String?
    @Flag(help: "Fails if a connection takes more than the limit.") var check = false

    func run() async throws {
        OpenFiles.raiseLimit()
        let budgets = MemoryBudget.all.filter { budget in self.only.map { budget.name.contains($0) } ?? true }
        guard !budgets.isEmpty else {
            throw ValidationError("no name contains \(self.only ?? ""): \(MemoryBudget.all.map(\.name).joined(separator: ", "))")
        }
        let identity = try BenchmarkIdentity()
        Terminal.say(row: ["an idle connection of", "bytes", "at most"], widths: Self.widths)
        var excesses: [String] = []
        for budget in budgets {
            let bytes = try await Self.measure(budget, identity)
            Terminal.say(row: [budget.name, String(bytes), String(budget.limit)], widths: Self.widths)
            if bytes > budget.limit {
                excesses.append("an idle connection of \(budget.name) takes more than \(budget.limit) bytes")
            }
        }
        guard self.check, !excesses.isEmpty else { return }
        throw BenchmarkError("\(excesses.joined(separator: "; ")). See CONTRIBUTING, Counting")
    }

    private static let widths = [24, 9, 0]
    /// Enough that what the server allocates once, for a thousand connections, is a few bytes of each.
    private static let connections = 2000

    private static func measure(_ budget: MemoryBudget, _ identity: BenchmarkIdentity) async throws -> Int {
        let server = try ServerProcess(budget.server + identity.options)
        defer { server.stop() }
        let load = Load(
            port: server.port, tls: identity.client, header: budget.header, echoesAtOnce: budget.echoesAtOnce)
        _ = try await load.handshakes(50, concurrency: 4)
        let before = try server.usage().memory
        let sockets = try await load.open(Self.connections)
        let each = (try server.usage().memory - before) / Self.connections
        await load.close(sockets)
        return each
    }
}

/// The memory that an idle connection of a server may take.
private struct MemoryBudget {
    let name: String
    /// The arguments that start the server.
    let server: [String]
    var header = PacketFraming.none
    var echoesAtOnce = true
    /// In bytes: some 5 % above the figure when this was written, and less than a block of task memory.
    let limit: Int

    static let all =
        [
            MemoryBudget(
                name: "the main cases", server: ["serve", Stack.secureSockets.rawValue], echoesAtOnce: false, limit: 6_800)
        ]
        + [(Interface.incoming, 6_800), (.receive, 6_800), (.framed4, 6_800), (.mailbox, 7_000)].map { interface, limit in
            MemoryBudget(
                name: interface.rawValue, server: ["interface", interface.rawValue], header: interface.header, limit: limit)
        }
}
