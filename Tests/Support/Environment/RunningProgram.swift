import Foundation
import Synchronization

/// A program that a test has started and talks to. It is killed when no reference to it remains, or after a limit.
package final class RunningProgram: Sendable {
    private struct State {
        var output = ""
        var errors = ""
        var openPipes = 2
        var status: Int32?
        var watchers: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())
    private let process: Mutex<Process>
    private let input: Pipe

    /// - Parameters:
    ///   - environment: What is added to this process's own.
    ///   - limit: The time in seconds after which the program is killed.
    package init(_ program: Program, _ arguments: [String], environment: [String: String] = [:], limit: Int = 60) throws {
        let process = Process()
        self.input = Pipe()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: program.path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = self.input
        process.standardOutput = output
        process.standardError = errors
        self.process = Mutex(process)
        // A program that has ended is no reason to end as well.
        _ = Foundation.signal(SIGPIPE, SIG_IGN)
        process.terminationHandler = { [weak self] process in
            let status = process.terminationStatus
            self?.change { $0.status = status }
        }
        try Self.withoutBlockedSignals { try process.run() }
        self.gather(output) { $0.output += $1 }
        self.gather(errors) { $0.errors += $1 }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(limit)) { [weak self] in self?.kill() }
    }

    deinit { self.kill() }

    /// Runs `body` with no signal blocked. A child inherits the blocked signals of the thread that starts it, and Dispatch's threads block
    /// nearly all of them, also those that end a server.
    private static func withoutBlockedSignals(_ body: () throws -> Void) rethrows {
        var (none, former) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &former)
        defer { pthread_sigmask(SIG_SETMASK, &former, nil) }
        try body()
    }

    package func kill() { self.signal(SIGKILL) }

    /// Sends a signal, unless the program has ended.
    package func signal(_ number: Int32) {
        self.process.withLock { process in
            if process.isRunning { _ = Foundation.kill(process.processIdentifier, number) }
        }
    }

    /// Stops the program by `SIGSTOP`, until `SIGCONT`. Returns when it has stopped.
    package func pause() async throws {
        let identifier = self.process.withLock { $0.processIdentifier }
        self.signal(SIGSTOP)
        try await onThread {
            var information = siginfo_t()
            // Only looks at the state, so that `Process` still learns of the end.
            while waitid(P_PID, id_t(identifier), &information, WSTOPPED | WEXITED | WNOWAIT) != 0 {
                guard errno == EINTR else { return }
            }
        }
    }

    // MARK: What it says

    /// Standard output and standard error, when the program has ended, and its status.
    package func outcome() async -> (status: Int32, output: String, errors: String) {
        await self.wait { state in
            guard state.openPipes == 0, let status = state.status else { return nil }
            return (status, state.output, state.errors)
        }
    }

    /// What stands behind `mark` on its line of standard output; nil if the program ended without a word of it.
    package func line(behind mark: String) async -> String? {
        await self.wait { state -> String?? in
            for line in state.output.split(separator: "\n").dropLast(state.output.hasSuffix("\n") ? 0 : 1) {
                if let range = line.range(of: mark) { return .some(String(line[range.upperBound...])) }
            }
            return state.openPipes == 0 ? .some(nil) : nil
        }
    }

    private func wait<Value: Sendable>(_ answer: @escaping @Sendable (borrowing State) -> Value?) async -> Value {
        await withCheckedContinuation { continuation in
            self.ask(answer) { continuation.resume(returning: $0) }
        }
    }

    /// Asks now, and again after every change until there is an answer.
    private func ask<Value: Sendable>(
        _ answer: @escaping @Sendable (borrowing State) -> Value?, _ deliver: @escaping @Sendable (Value) -> Void
    ) {
        let value = self.state.withLock { state -> Value? in
            if let value = answer(state) { return value }
            state.watchers.append { [self] in self.ask(answer, deliver) }
            return nil
        }
        if let value { deliver(value) }
    }

    private func change(_ body: (inout State) -> Void) {
        let watchers = self.state.withLock { state in
            body(&state)
            defer { state.watchers = [] }
            return state.watchers
        }
        for watcher in watchers { watcher() }
    }

    private func gather(_ pipe: Pipe, _ add: @escaping @Sendable (inout State, String) -> Void) {
        let handle = pipe.fileHandleForReading
        Thread.detachNewThread { [weak self] in
            // `FileHandle` would wait until it has all it was asked for.
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(handle.fileDescriptor, &chunk, chunk.count)
                if count <= 0 { break }
                let text = String(decoding: chunk[..<count], as: UTF8.self)
                self?.change { add(&$0, text) }
            }
            try? handle.close()
            self?.change { $0.openPipes -= 1 }
        }
    }

    // MARK: What it is told

    /// Writes to its standard input.
    package func send(_ text: String) async throws {
        let handle = self.input.fileHandleForWriting
        try await onThread { try handle.write(contentsOf: Data(text.utf8)) }
    }

    /// Writes to its standard input, and ends that.
    package func finishInput(with text: String = "") async throws {
        let handle = self.input.fileHandleForWriting
        try await onThread {
            try? handle.write(contentsOf: Data(text.utf8))
            try? handle.close()
        }
    }
}
