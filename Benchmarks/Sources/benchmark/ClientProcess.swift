import ArgumentParser
import Foundation

/// A client of others, to be measured beside ours.
struct ClientPeerCommand: ExpressibleByArgument, Sendable {
    let name: String
    let command: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, parts[1].contains("{port}"), parts[1].contains("{count}") else { return nil }
        self.name = parts[0]
        self.command = parts[1]
    }

    var contender: Contender {
        Contender(
            id: self.name, title: self.name, server: .ours(["serve", Stack.secureSockets.rawValue]), client: .peer(self))
    }
}

enum ClientCommand: Sendable {
    /// This program, with these arguments.
    case ours([String])
    case peer(ClientPeerCommand)
}

/// Runs measured clients, each in a process of its own: it connects, says that it is done with a line, and waits for the end of its input.
struct ClientProcess {
    /// What a client has used when it is done.
    struct Usage {
        let cpuSeconds: Double
        let memory: Int
    }

    let command: ClientCommand
    let port: Int
    let certificate: String

    func run(_ mode: ClientMode, _ count: Int) throws -> Usage {
        let process = Process()
        switch self.command {
        case .ours(let arguments):
            process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
            process.arguments =
                arguments + [
                    "--port", "\(self.port)", "--certificate", self.certificate, "--count", "\(count)", "--mode", mode.rawValue,
                ]
        case .peer(let peer):
            let command = [
                "{port}": "\(self.port)", "{certificate}": self.certificate, "{count}": "\(count)", "{mode}": mode.rawValue,
            ].reduce(peer.command) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", "exec env \(command)"]
        }
        // What the clients trust that are given no configuration.
        process.environment = ProcessInfo.processInfo.environment.merging(["SSL_CERT_FILE": self.certificate]) { $1 }
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        defer {
            try? input.fileHandleForWriting.close()
            process.waitUntilExit()
        }
        guard !output.fileHandleForReading.availableData.isEmpty,
            let seconds = CPUClock(of: process.processIdentifier).seconds
        else { throw BenchmarkError("a client failed") }
        return Usage(cpuSeconds: seconds, memory: ProcessStatus(of: process.processIdentifier).bytes("VmRSS") ?? 0)
    }
}
