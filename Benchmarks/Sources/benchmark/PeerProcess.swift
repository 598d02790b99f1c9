import ArgumentParser
import Foundation
import NIOPosix
import SecureSockets
import Synchronization

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
        self.process.arguments = ["-c", "exec env \(command)"]
        self.process.standardInput = FileHandle.nullDevice
        self.process.standardOutput = FileHandle.standardError
        Interruption.endsPeers()
        try self.process.run()
        Interruption.note(self.process.processIdentifier)
        self.cpuClock = CPUClock(of: self.process.processIdentifier)
        guard await self.isListening(), self.cpuClock.seconds != nil else {
            self.stop()
            throw BenchmarkError("the server did not start: \(command)")
        }
        guard ProcessStatus.children(of: self.identifier).isEmpty else {
            self.stop()
            throw BenchmarkError("the server has child processes, whose processor time would not count: \(command)")
        }
    }

    func usage() throws -> ServerUsage {
        guard let seconds = self.cpuClock.seconds else { throw BenchmarkError("the server has ended") }
        let status = ProcessStatus(of: self.identifier)
        return ServerUsage(cpuSeconds: seconds, peakMemory: status.bytes("VmHWM") ?? 0, memory: status.bytes("VmRSS") ?? 0)
    }

    func stop() {
        Interruption.send(SIGTERM, to: self.identifier)
        for _ in 0..<20 where self.process.isRunning { Thread.sleep(forTimeInterval: 0.1) }
        Interruption.send(SIGKILL, to: self.identifier)
        self.process.waitUntilExit()
        Interruption.forget(self.identifier)
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
        // Free at all addresses: the load binds its own ends to some of them.
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "0.0.0.0", port: 0).get()
        let port = channel.localAddress?.port
        try await channel.close()
        guard let port else { throw BenchmarkError("there is no free port") }
        return port
    }
}

/// Ends peers when this program is interrupted: they read no input whose end would tell them.
private enum Interruption {
    private static let running = Mutex<Set<Int32>>([])
    /// Sound to share: made once, and only kept.
    nonisolated(unsafe) private static let sources: [any DispatchSourceSignal] = [SIGINT, SIGTERM, SIGHUP].map { number in
        // Not ignored: children would inherit that.
        signal(number) { _ in }
        let source = DispatchSource.makeSignalSource(signal: number)
        source.setEventHandler {
            for identifier in Self.running.withLock({ $0 }) { Self.send(SIGKILL, to: identifier) }
            exit(128 + number)
        }
        source.resume()
        return source
    }

    /// To the process and to what it has started, if it leads a process group.
    static func send(_ number: Int32, to identifier: Int32) {
        if kill(-identifier, number) != 0 { kill(identifier, number) }
    }

    static func endsPeers() { _ = self.sources }
    static func note(_ identifier: Int32) { self.running.withLock { _ = $0.insert(identifier) } }
    static func forget(_ identifier: Int32) { self.running.withLock { _ = $0.remove(identifier) } }
}

/// What another process has used of the processor.
struct CPUClock {
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
