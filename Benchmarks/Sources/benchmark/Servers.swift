import Foundation

/// The servers of one round: one process, or several on the same port.
final class Servers {
    /// No round takes nearly as long; a server that hangs ends then, and its load with an error.
    private static let timeLimit = Duration.seconds(600)

    private let processes: [ServerProcess]
    private let watchdog: Task<Void, Never>
    let port: Int

    /// - Parameter arguments: Of this program: what is to be served, and how.
    init(_ arguments: [String], count: Int) throws {
        let first = try ServerProcess(arguments + (count > 1 ? ["--shares-port"] : []))
        var processes = [first]
        self.port = first.port
        for _ in 1..<max(count, 1) {
            processes.append(try ServerProcess(arguments + ["--shares-port", "--port", "\(first.port)"]))
        }
        self.processes = processes
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
    func usage() throws -> ServerProcess.Usage {
        try self.processes.map { try $0.usage() }.reduce(ServerProcess.Usage(cpuSeconds: 0, peakMemory: 0, memory: 0)) {
            ServerProcess.Usage(
                cpuSeconds: $0.cpuSeconds + $1.cpuSeconds, peakMemory: $0.peakMemory + $1.peakMemory,
                memory: $0.memory + $1.memory)
        }
    }

    func stop() {
        self.watchdog.cancel()
        for process in self.processes { process.stop() }
    }
}
