import Foundation

/// The servers of one round: one process, or several on the same port.
final class Servers {
    /// No round takes nearly as long; a server that hangs ends then, and its load with an error.
    private static let timeLimit = Duration.seconds(600)

    private let processes: [any Server]
    private let watchdog: Task<Void, Never>
    let port: Int

    /// Starts a contender's servers for a case.
    init(of contender: Contender, for measured: Case, _ identity: BenchmarkIdentity) async throws {
        var processes: [any Server] = []
        switch contender.server {
        case .peer(let peer): processes.append(try await PeerProcess(peer, identity))
        case .ours(let command):
            let arguments = command + identity.options + measured.serverOptions
            for _ in 0..<measured.processes {
                let port = processes.first.map { ["--port", "\($0.port)"] } ?? []
                processes.append(try ServerProcess(arguments + port + (measured.processes > 1 ? ["--shares-port"] : [])))
            }
        }
        self.processes = processes
        self.port = processes.first?.port ?? 0
        self.watchdog = Self.watch(processes.map(\.identifier))
    }

    private static func watch(_ identifiers: [Int32]) -> Task<Void, Never> {
        Task {
            do { try await Task.sleep(for: Self.timeLimit) } catch { return }
            Terminal.warn("a round was not over within \(Self.timeLimit): its servers are ended")
            for identifier in identifiers { kill(identifier, SIGKILL) }
        }
    }

    /// What they have used so far, together.
    func usage() throws -> ServerUsage {
        try self.processes.map { try $0.usage() }.reduce(ServerUsage(cpuSeconds: 0, peakMemory: 0, memory: 0)) {
            ServerUsage(
                cpuSeconds: $0.cpuSeconds + $1.cpuSeconds, peakMemory: $0.peakMemory + $1.peakMemory,
                memory: $0.memory + $1.memory)
        }
    }

    func stop() {
        self.watchdog.cancel()
        for process in self.processes { process.stop() }
    }
}
