import ArgumentParser
import Foundation
import NIOPosix
import SecureSockets

/// A server of somebody else's that speaks the benchmark's protocol, to be measured beside ours.
struct PeerCommand: ExpressibleByArgument, Sendable {
    let name: String
    let command: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, parts[1].contains("{port}") else { return nil }
        self.name = parts[0]
        self.command = parts[1]
    }

    var contender: Contender { Contender(id: self.name, title: self.name, server: .peer(self)) }
}

/// Such a server, in its process.
final class PeerProcess: Server {
    let port: Int
    var identifier: Int32 { self.process.processIdentifier }
    private let process: Process
    private let cpuClock: CPUClock

    init(_ peer: PeerCommand, _ identity: BenchmarkIdentity) async throws {
        self.port = try await Self.freePort()
        let command = [
            "{port}": "\(self.port)", "{certificate}": identity.certificateFile, "{key}": identity.keyFile,
        ].reduce(peer.command) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
        self.process = Process()
        self.process.executableURL = URL(fileURLWithPath: "/bin/sh")
        self.process.arguments = ["-c", "exec \(command)"]
        self.process.standardInput = FileHandle.nullDevice
        self.process.standardOutput = FileHandle.standardError
        try self.process.run()
        self.cpuClock = CPUClock(of: self.process.processIdentifier)
        guard await self.isListening(), self.cpuClock.seconds != nil else {
            self.stop()
            throw BenchmarkError("the server did not start: \(command)")
        }
    }

    func usage() throws -> ServerUsage {
        guard let seconds = self.cpuClock.seconds else { throw BenchmarkError("the server has ended") }
        let status = ProcessStatus(of: self.identifier)
        return ServerUsage(cpuSeconds: seconds, peakMemory: status.bytes("VmHWM") ?? 0, memory: status.bytes("VmRSS") ?? 0)
    }

    func stop() {
        self.process.terminate()
        for _ in 0..<20 where self.process.isRunning { Thread.sleep(forTimeInterval: 0.1) }
        if self.process.isRunning { kill(self.identifier, SIGKILL) }
        self.process.waitUntilExit()
    }

    /// Waits until somebody listens, for ten seconds at most.
    private func isListening() async -> Bool {
        for _ in 0..<100 where self.process.isRunning {
            let connecting = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(
                host: "127.0.0.1", port: self.port)
            if let channel = try? await connecting.get() {
                try? await channel.close()
                return true
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
        return false
    }

    private static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup).bind(host: "127.0.0.1", port: 0)
            .get()
        defer { channel.close(promise: nil) }
        guard let port = channel.localAddress?.port else { throw BenchmarkError("there is no free port") }
        return port
    }
}

/// What another process has used of the processor.
private struct CPUClock {
    #if os(Linux)
        private let clock: clockid_t?

        init(of process: Int32) {
            var clock = clockid_t()
            self.clock = clock_getcpuclockid(process, &clock) == 0 ? clock : nil
        }

        /// User and system time of all its threads; nil when it has ended.
        var seconds: Double? {
            var time = timespec()
            guard let clock, clock_gettime(clock, &time) == 0 else { return nil }
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
    #else
        init(of process: Int32) {}
        var seconds: Double? { nil }
    #endif
}
